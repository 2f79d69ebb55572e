"""What the linear teacher and the blend are chosen by: all that users met, not one item each."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.evaluation.ranking import evaluate
from pocketrec_distill.models.base import Floats, History, SequenceModel
from pocketrec_distill.models.sasrec import SasRec
from pocketrec_distill.pipeline import asked, blending
from pocketrec_distill.pipeline import models as pipeline
from pocketrec_distill.pipeline.asked import MAX_ASKED, asked_of, readable
from pocketrec_distill.pipeline.dataset import Dataset
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.stages import RunDirectory
from pocketrec_distill.training import TrainSettings

from .making import made_dataset

Check = Callable[[SequenceModel], NDArray[np.float64]]

ITEMS = 30


def items(*indices: int) -> np.ndarray:
    return np.array(indices, dtype=np.int32)


QUERIES = QuerySet(
    [items(0, 1), items(2)],
    np.array([4, 7], dtype=np.int64),
    users=("x", "y"),
    following=[items(4, 5, 6), items(7)],
)


def test_each_item_that_came_is_a_query() -> None:
    each = QUERIES.each(2)
    assert [history.tolist() for history in each.histories] == [[0, 1], [0, 1], [2]]
    assert each.targets.tolist() == [4, 5, 7], "the soonest, two of a history at most"
    assert each.targets.dtype == np.int64
    assert each.users == ("x", "x", "y")


def test_what_follows_stays_with_its_query() -> None:
    assert [following.tolist() for following in QUERIES.take(np.array([1])).following] == [[7]]
    assert QUERIES.take(np.array([1])).each(9).targets.tolist() == [7]


def test_targets_alone_are_what_is_asked_for() -> None:
    alone = replace(QUERIES, following=())
    assert alone.each(9) is alone
    assert not alone.take(np.array([1])).following


def recent() -> Dataset:
    """Who chose from one half goes on there; by chance the first of those items is another's."""
    rng = np.random.default_rng(5)
    halves = [np.arange(15) + 15 * (user % 2) for user in range(40)]
    walks = [rng.permutation(half).astype(np.int32) for half in halves]
    train = [walk[:4] for walk in walks]
    strange = [items((int(walk[0]) + 15) % ITEMS) for walk in walks]
    queries = QuerySet(
        train,
        np.concatenate(strange).astype(np.int64),
        following=[np.append(first, walk[4:]) for first, walk in zip(strange, walks, strict=True)],
    )
    return made_dataset([f"word{item}" for item in range(ITEMS)], train, queries)


def models_of(data: Dataset, folder: Path) -> RunModels:
    return RunModels(data, DistillConfig(), RunDirectory(folder, lambda _line: None))


def test_the_linear_teacher_is_chosen_by_all_that_came(tmp_path: Path) -> None:
    models = models_of(recent(), tmp_path)
    assert len(models.choices) == 40
    assert len(models.asked.all_that_came) == 40 * MAX_ASKED
    chosen = models.linear
    assert chosen.choice.ndcg == evaluate(chosen.teaching, models.asked.all_that_came).ndcg.mean()
    by_one = models_of(
        replace(recent(), validation=replace(recent().validation, following=())), tmp_path / "one"
    )
    assert len(by_one.asked.all_that_came) == 40
    figures = [
        evaluate(m.linear.teaching, models.asked.all_that_came).ndcg.mean()
        for m in (models, by_one)
    ]
    assert figures[0] > figures[1], "one strange item each says otherwise than all that came"


def queries_of(lengths: Sequence[int]) -> QuerySet:
    histories = [np.zeros(length, np.int32) for length in lengths]
    return QuerySet(histories, np.zeros(len(histories), np.int64))


@pytest.mark.parametrize(
    ("window", "events", "expected"),
    # 10 and 30 events in turn: 20 on average, 10 where no more than 10 are read.
    [(50, 20_000, 1_000), (50, 200, 10), (10, 200, 20), (50, 1, 1), (50, 19_999, 999)],
)
def test_an_llm_is_asked_as_much_as_it_can_read(window: int, events: int, expected: int) -> None:
    queries = queries_of([10, 30] * 500)
    found = readable(queries, window, events)
    assert len(found) == expected
    assert found.histories[0] is queries.histories[0], "spread evenly, not the first of them"
    assert expected == 1 or found.histories[-1] is queries.histories[-1]


def test_nothing_to_read_is_nothing() -> None:
    assert len(readable(queries_of([]), 50, 100)) == 0


def test_an_llm_is_asked_of_long_histories_less(monkeypatch: pytest.MonkeyPatch) -> None:
    data = recent()
    few = asked_of(data, 4)
    assert [len(queries) for queries in vars(few).values()] == [40, 400, 40, 40, 400]
    monkeypatch.setattr(asked, "PASS_EVENTS", 40)
    monkeypatch.setattr(asked, "REPORT_EVENTS", 80)
    long = asked_of(data, 4)
    assert [len(queries) for queries in vars(long).values()] == [40, 400, 10, 20, 200]


@pytest.mark.parametrize(("llm", "expected"), [(False, 40), (True, 7)])
def test_a_pass_of_an_llm_is_checked_on_what_it_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, llm: bool, expected: int
) -> None:
    def checked(
        model: SasRec, _sequences: object, validate: Check, *_: object, **__: object
    ) -> int:
        return len(validate(model))

    monkeypatch.setattr(pipeline, "fit", checked)
    models = models_of(recent(), tmp_path)
    models.asked = replace(models.asked, by_pass=models.choices.first(7))
    model = SasRec(ITEMS, width=8, blocks=1, heads=1, window=50, dropout=0.0)
    found = models.fit("it", model, models.corpus, TrainSettings(), None, llm=llm)
    assert found == expected


class Pointing:
    """Scores 1 for what it foretells of a history, 0 for all else; counts what it is asked."""

    def __init__(self, histories: Sequence[History], foretold: Sequence[NDArray[np.int64]]) -> None:
        self.read = 0
        self.foretold = {tuple(h.tolist()): f for h, f in zip(histories, foretold, strict=True)}

    def scores(self, histories: Sequence[History]) -> Floats:
        self.read += len(histories)
        found = np.zeros((len(histories), ITEMS), dtype=np.float32)
        for row, history in enumerate(histories):
            found[row, self.foretold[tuple(history.tolist())]] = 1.0
        return found

    def position_scores(self, sequences: Sequence[History], newest: int) -> Floats:
        raise NotImplementedError


def test_the_blend_is_weighted_by_all_that_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What foretells the strange item, and much that never comes, yields to what foretells nine."""
    models = models_of(recent(), tmp_path)
    queries = models.choices
    halves = [np.arange(15) + items[0] // 15 * 15 for items in queries.following]
    strange = Pointing(queries.histories, halves)
    usual = Pointing(queries.histories, [items[1:] for items in queries.following])
    for module in (blending, pipeline):
        monkeypatch.setattr(
            module, "blend_parts", lambda *_, **__: {"teacher": strange, "linear": usual}
        )
    weights = dict(zip(models.heard, models.blend.weights, strict=True))
    assert weights["linear"] > weights["teacher"]
    assert usual.read == len(queries), "a history that is asked about ten times is read once"
    by_one = models_of(replace(recent(), validation=replace(queries, following=())), tmp_path / "1")
    weights = dict(zip(by_one.heard, by_one.blend.weights, strict=True))
    assert weights["teacher"] > weights["linear"]
