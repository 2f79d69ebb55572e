"""Training a sequence model: batches, losses, cached teacher labels and the loop."""

from pocketrec_distill.training.labels import TeacherLabels, write_labels
from pocketrec_distill.training.loop import Epoch, fit
from pocketrec_distill.training.settings import LOSSES, TrainSettings
from pocketrec_distill.training.sparse_labels import (
    SparseTeacherLabels,
    label,
    open_labels,
    write_sparse_labels,
)
from pocketrec_distill.training.windows import training_windows

__all__ = [
    "LOSSES",
    "Epoch",
    "SparseTeacherLabels",
    "TeacherLabels",
    "TrainSettings",
    "fit",
    "label",
    "open_labels",
    "training_windows",
    "write_labels",
    "write_sparse_labels",
]
