"""The protocol's loop against a reference that sorts, item by item, in plain Python."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketrec_distill.errors import DataError
from pocketrec_distill.evaluation import ranking
from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.evaluation.ranking import evaluate, top_unseen


@dataclass(frozen=True)
class Table:
    """Scores by the first item of the history, which names the query."""

    rows: np.ndarray

    def scores(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        return self.rows[[int(history[0]) for history in histories]]


def brute_force(rows: list[list[float]], held: QuerySet) -> tuple[list[int], float]:
    """Rank by sorting with the target last among equals; the ten best by sorting too."""
    ranks, shown = [], set()
    for history, target in zip(held.histories, held.targets, strict=True):
        row = rows[int(history[0])]
        unseen = [item for item in range(len(row)) if item not in history.tolist()]

        def key(item: int, row: list[float] = row, target: int = target) -> tuple[float, int, int]:
            score = row[item]
            if math.isnan(score):
                # Before all others, unless it is the target's, which then stands last of all.
                return (math.inf, 0, 0) if item == target else (-math.inf, 0, item)
            return (-score, int(item == target), item)

        ranks.append(sorted(unseen, key=key).index(target) + 1)
        real = [item for item in unseen if not math.isnan(row[item])]
        shown.update(sorted(real, key=lambda item, row=row: -row[item])[:10])
    return ranks, len(shown) / len(rows[0])


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[list[float]], QuerySet]:
    items = draw(st.integers(2, 16))
    queries = draw(st.integers(1, items))
    rows, histories, targets = [], [], []
    for query in range(queries):
        # Distinct finite scores, so that the ten best are one set; ties are tested by hand.
        row = draw(st.permutations([float(i) for i in range(items)]))
        for place in draw(st.sets(st.integers(0, items - 1), max_size=3)):
            row[place] = math.nan
        seen = draw(st.sets(st.integers(0, items - 1), max_size=items - 2)) | {query}
        unseen = sorted(set(range(items)) - seen)
        if not unseen:
            seen, unseen = {query}, [item for item in range(items) if item != query]
        histories.append(np.array([query, *(seen - {query})], dtype=np.int32))
        targets.append(draw(st.sampled_from(unseen)))
        rows.append(row)
    return rows, QuerySet(histories, np.array(targets, dtype=np.int64))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(cases())
def test_equals_brute_force(case: tuple[list[list[float]], QuerySet]) -> None:
    rows, held = case
    metrics = evaluate(Table(np.array(rows, np.float32)), held)
    ranks, coverage = brute_force(rows, held)
    assert metrics.ranks.tolist() == ranks
    assert metrics.coverage == pytest.approx(coverage)


def test_batches_are_put_together_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(1).normal(size=(7, 9)).astype(np.float32)
    held = QuerySet([np.array([q], np.int32) for q in range(7)], np.array([8, 7, 8, 0, 1, 2, 3]))
    whole = evaluate(Table(rows), held)
    monkeypatch.setattr(ranking, "BATCH", 3)
    parts = evaluate(Table(rows), held)
    assert parts.ranks.tolist() == whole.ranks.tolist() == brute_force(rows.tolist(), held)[0]
    assert parts.coverage == whole.coverage


def test_no_query_is_an_error() -> None:
    with pytest.raises(DataError, match="no held-out event"):
        evaluate(Table(np.zeros((1, 2), np.float32)), QuerySet([], np.array([], np.int64)))


def test_a_repeat_is_refused_rather_than_counted() -> None:
    held = QuerySet([np.array([0, 1], np.int32)], np.array([1]))
    with pytest.raises(DataError, match="target item 1"):
        evaluate(Table(np.zeros((1, 3), np.float32)), held)


def test_top_unseen_leaves_out_seen_and_nan() -> None:
    scores = np.array([9, 8, math.nan, 7, 6, 5], np.float32)
    assert set(top_unseen(scores, np.array([0], np.int32), 3).tolist()) == {1, 3, 4}
    assert set(top_unseen(scores, np.array([0, 3, 4], np.int32), 10).tolist()) == {1, 5}
    np.testing.assert_array_equal(scores, np.array([9, 8, math.nan, 7, 6, 5], np.float32))
