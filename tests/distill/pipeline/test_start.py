"""Where a run's student starts: as the settings say."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.errors import ConfigError
from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.models import SequenceScorer, TowerShape
from pocketrec_distill.models.student import Student
from pocketrec_distill.pipeline.dataset import Dataset
from pocketrec_distill.pipeline.labelling import Labelled
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.stages import RunDirectory
from pocketrec_distill.settings import StudentSettings

from .making import made_dataset

GROUPS, EACH = 6, 5
ITEMS = GROUPS * EACH
SHAPE = TowerShape(width=32, blocks=2, heads=2, kv_heads=2, hidden=48)


@pytest.fixture
def data() -> Dataset:
    """Every user stays within a group of items."""
    rng = np.random.default_rng(2)
    walks = [rng.permutation(EACH) + EACH * (user % GROUPS) for user in range(60)]
    train = [walk[:3].astype(np.int32) for walk in walks]
    queries = QuerySet(train, np.array([walk[3] for walk in walks], np.int64))
    return made_dataset([f"item{item}" for item in range(ITEMS)], train, queries)


def started(data: Dataset, folder: Path, start: str) -> tuple[RunModels, Student]:
    config = DistillConfig(student=StudentSettings(start=start))
    models = RunModels(data, config, RunDirectory(folder, lambda _line: None))
    # The labels' temperature is all that a start reads of them.
    vars(models)["labelled"] = Labelled(cast("Any", None), 0.5)
    torch.manual_seed(0)
    student = Student(ITEMS, SHAPE, None)
    models.start(student)
    return models, student


def test_a_linear_start_ranks_as_the_linear_teacher(data: Dataset, tmp_path: Path) -> None:
    models, student = started(data, tmp_path, "linear")
    asked = models.ndcg(models.linear.teaching)
    assert models.ndcg(SequenceScorer(student, 10)) == pytest.approx(asked, abs=0.03)
    _, by_chance = started(data, tmp_path, "random")
    assert models.ndcg(SequenceScorer(by_chance, 10)) < asked - 0.3


def test_a_random_start_is_what_chance_made(data: Dataset, tmp_path: Path) -> None:
    _, student = started(data, tmp_path, "random")
    torch.manual_seed(0)
    for name, value in Student(ITEMS, SHAPE, None).state_dict().items():
        assert torch.equal(value, student.state_dict()[name])


def test_no_other_start() -> None:
    assert StudentSettings().start == "linear"
    with pytest.raises(
        ConfigError, match=r"\[student\] start is 'warm'; choose one of random, lin"
    ):
        StudentSettings(start="warm")
