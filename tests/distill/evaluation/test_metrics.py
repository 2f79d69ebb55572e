"""Ranks and metrics against values worked out by hand."""

import math

import numpy as np
import pytest

from pocketrec_distill.errors import DataError
from pocketrec_distill.evaluation import (
    RankingMetrics,
    coverage_at,
    mrr_at,
    ndcg_at,
    rank_of_target,
    recall_at,
    summarise,
)

NAN = float("nan")
NOBODY = np.array([], dtype=np.int32)
# 1 / log2(rank + 1) for ranks 1, 2, 3 and 10.
GAINS = {1: 1.0, 2: 0.6309297535714574, 3: 0.5, 10: 0.2890648263178878}


def rank(scores: list[float], history: list[int], target: int) -> int:
    return rank_of_target(np.array(scores, np.float32), np.array(history, np.int32), target)


@pytest.mark.parametrize(
    ("scores", "history", "target", "expected"),
    [
        ([5, 4, 3, 2], [], 0, 1),
        ([5, 4, 3, 2], [], 2, 3),
        ([5, 4, 3, 2], [], 3, 4),
        # Items seen leave the ranking, twice seen or once.
        ([5, 4, 3, 2], [0], 2, 2),
        ([5, 4, 3, 2], [0, 1, 0], 2, 1),
        ([5, 4, 3, 2], [3], 2, 3),
        # An equal score stands before the target, wherever its index is.
        ([4, 4, 4, 2], [], 0, 3),
        ([4, 4, 4, 2], [], 2, 3),
        ([4, 4, 4, 2], [1], 0, 2),
        ([0, 0, 0, 0, 0], [], 4, 5),
        # So does a NaN; a target scored NaN is last of all.
        ([1, NAN, 3, 2], [], 2, 2),
        ([1, NAN, 3, NAN], [3], 2, 2),
        ([NAN, 1, 2], [], 0, 3),
        ([NAN, NAN, NAN], [], 1, 3),
        ([NAN, 1, 2], [1], 0, 2),
        ([-math.inf, 1, -math.inf], [], 0, 3),
        ([math.inf, 1, 2], [], 0, 1),
    ],
)
def test_rank_counts_ties_and_nan_against_the_model(
    scores: list[float], history: list[int], target: int, expected: int
) -> None:
    assert rank(scores, history, target) == expected


def test_a_target_that_was_seen_is_refused() -> None:
    with pytest.raises(DataError, match="target item 2 stands in its own history"):
        rank([5, 4, 3], [0, 2], 2)


def test_metrics_by_hand() -> None:
    ranks = np.array([1, 2, 3, 10, 11, 400])
    np.testing.assert_allclose(ndcg_at(ranks), [*GAINS.values(), 0, 0], rtol=1e-12)
    np.testing.assert_array_equal(recall_at(ranks), [1, 1, 1, 1, 0, 0])
    np.testing.assert_allclose(mrr_at(ranks), [1, 0.5, 1 / 3, 0.1, 0, 0], rtol=1e-12)


def test_another_cutoff_holds_its_last_rank() -> None:
    ranks = np.array([1, 2, 3])
    np.testing.assert_array_equal(recall_at(ranks, 2), [1, 1, 0])
    np.testing.assert_allclose(ndcg_at(ranks, 2), [1, GAINS[2], 0])
    np.testing.assert_allclose(mrr_at(ranks, 2), [1, 0.5, 0])


def test_coverage_counts_each_item_once() -> None:
    lists = [np.array([4, 1]), np.array([1, 2, 4]), np.array([1])]
    assert coverage_at(iter(lists), items=8) == 3 / 8
    assert coverage_at([], items=8) == 0.0


def test_summary_has_the_reports_keys_and_means() -> None:
    summary = summarise(RankingMetrics(np.array([1, 3, 11, 2]), coverage=0.25))
    low, high = summary.pop("ndcg@10_ci95")
    assert summary == {
        "ndcg@10": pytest.approx((1 + 0.5 + GAINS[2]) / 4),
        "recall@10": 0.75,
        "mrr@10": pytest.approx((1 + 1 / 3 + 0.5) / 4),
        "coverage@10": 0.25,
        "users": 4,
    }
    assert 0 <= low < summary["ndcg@10"] < high <= 1
