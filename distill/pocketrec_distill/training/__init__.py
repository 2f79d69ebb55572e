"""Training a sequence model: batches, losses, cached teacher labels and the loop."""

from pocketrec_distill.training.labels import TeacherLabels, write_labels
from pocketrec_distill.training.loop import Epoch, TrainSettings, fit
from pocketrec_distill.training.windows import training_windows

__all__ = ["Epoch", "TeacherLabels", "TrainSettings", "fit", "training_windows", "write_labels"]
