"""Labels of a run: made once, at the temperature of the settings or at one that is chosen."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pocketrec_distill.config import DistillConfig, config_from_mapping
from pocketrec_distill.pipeline.labelling import labelled
from pocketrec_distill.pipeline.stages import RunDirectory
from pocketrec_distill.spread import here
from pocketrec_distill.training.sparse_labels import SparseTeacherLabels

ITEMS, STEP = 1_000, 0.01


class Flat:
    """A teacher whose scores fall slowly from item to item, the same everywhere."""

    def scores(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        return np.tile(-STEP * np.arange(ITEMS, dtype=np.float32), (len(histories), 1))

    def position_scores(self, sequences: Sequence[np.ndarray], newest: int) -> np.ndarray:
        rows = sum(min(newest, len(sequence)) for sequence in sequences)
        return self.scores([np.empty(0, np.int32)] * rows)


def models(folder: Path, config: DistillConfig) -> Any:
    """As much of a run as labelling looks at."""
    sequences = [np.array([first, 900, 901], np.int32) for first in range(800, 840)]
    return SimpleNamespace(
        config=config,
        data=SimpleNamespace(items=ITEMS),
        refined=Flat(),
        distillation_corpus=SimpleNamespace(sequences=sequences),
        teaching_key={},
        spread=here,
        run=RunDirectory(folder, lambda _: None),
    )


def share_of_ten(labels: SparseTeacherLabels) -> float:
    """Mean probability of the ten best candidates."""
    masses = np.exp(labels.logits.astype(np.float64))
    total = masses.sum(axis=1) + np.exp(labels.rest.astype(np.float64))
    return float((masses[:, :10].sum(axis=1) / total).mean())


def test_a_flat_teacher_is_sharpened_and_its_temperature_kept(tmp_path: Path) -> None:
    found = labelled(models(tmp_path, DistillConfig()))
    assert isinstance(found.labels, SparseTeacherLabels)
    assert found.temperature == pytest.approx(STEP * 10 / np.log(2), rel=0.01)
    assert share_of_ten(found.labels) == pytest.approx(0.5, abs=0.01)
    again = labelled(models(tmp_path, DistillConfig()))
    assert again.temperature == found.temperature
    assert len(list(tmp_path.glob("labels-*"))) == 1, "made once"


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_a_temperature_of_the_settings_is_taken(tmp_path: Path, temperature: float) -> None:
    config = config_from_mapping({"distillation": {"temperature": temperature}})
    found = labelled(models(tmp_path, config))
    assert found.temperature == temperature
    best = np.asarray(found.labels.logits[0, :3], np.float64)
    assert best == pytest.approx(-STEP / temperature * np.arange(3), abs=1e-4)
