"""The labels of a run: what its teachers say at the positions that the student learns from."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pocketrec_distill.models.base import PositionScorer, Unseen
from pocketrec_distill.pipeline.stages import read_json, write_json
from pocketrec_distill.training import label, open_labels
from pocketrec_distill.training.labels import BATCH
from pocketrec_distill.training.objective import Labels
from pocketrec_distill.training.temperature import (
    SHOWN_SHARE,
    Tempered,
    label_temperature,
)

if TYPE_CHECKING:
    from pocketrec_distill.pipeline.models import RunModels

# Histories at which it is seen how sharp a teacher is, and scores of theirs at most.
_ASKED, _MAX_SCORES = 256, 10_000_000


@dataclass(frozen=True)
class Labelled:
    """What a student learns from, and at which temperature it was said."""

    labels: Labels
    temperature: float


def labelled(models: "RunModels") -> Labelled:
    """The teachers' scores at every training position, real and synthetic; a stage."""
    settings, items = models.config.distillation, models.data.items
    candidates, wanted = settings.labelled(items), settings.temperature

    def make(folder: Path) -> None:
        teacher = Unseen(models.refined)
        temperature = wanted or _temperature(teacher, models)
        write_json(folder / "temperature.json", temperature)
        label(
            Tempered(teacher, temperature),
            models.distillation_corpus.sequences,
            items,
            folder,
            settings.max_label_bytes,
            candidates,
            models.spread,
        )

    key = {
        **models.teaching_key,
        "max_label_bytes": settings.max_label_bytes,
        "candidates": candidates,
        "positions": settings.labelled_positions,
        "temperature": wanted or f"best items hold {SHOWN_SHARE}",
    }
    folder = models.run.stage("labels", key, make)
    return Labelled(open_labels(folder), float(read_json(folder / "temperature.json")))


def _temperature(teacher: PositionScorer, models: "RunModels") -> float:
    """The temperature for a teacher, from the ends of histories spread over the whole corpus."""
    sequences = models.distillation_corpus.sequences
    count = min(len(sequences), _ASKED, max(1, _MAX_SCORES // models.data.items))
    places = np.linspace(0, len(sequences) - 1, count).astype(np.int64)
    histories = [sequences[place][:-1] for place in places]
    batches = [histories[start : start + BATCH] for start in range(0, count, BATCH)]
    scores = [teacher.position_scores(batch, newest=1) for batch in batches]
    return label_temperature(np.concatenate(scores))
