"""Parity numbers by hand, and Kendall's tau against SciPy's."""

import numpy as np
import pytest
from scipy import stats

from pocketrec_distill.export import Parity, compare_scores
from pocketrec_distill.export.parity import kendall_tau

NOTHING = np.array([], np.int32)


@pytest.mark.parametrize("levels", [3, 1000])
def test_kendall_tau_is_scipys(levels: int) -> None:
    rng = np.random.default_rng(levels)
    for length in (2, 3, 10, 17):
        for _ in range(20):
            a, b = rng.integers(0, levels, (2, length)).astype(np.float32)
            if np.ptp(a) and np.ptp(b):
                assert kendall_tau(a, b) == pytest.approx(stats.kendalltau(a, b).statistic)


def test_kendall_tau_without_an_order() -> None:
    flat, steep = np.zeros(3), np.arange(3.0)
    assert kendall_tau(flat, flat) == 1
    assert kendall_tau(flat, steep) == 0
    assert kendall_tau(np.array([4.0]), np.array([9.0])) == 1


def test_parity_by_hand() -> None:
    # Eleven unseen items: the eleventh takes the tenth's place in the other's list.
    reference = np.arange(12, 0, -1, dtype=np.float32)[None]
    other = reference.copy()
    other[0, 11] += 1.5
    found = compare_scores(reference, other, [np.array([0], np.int32)])
    # Scores 11 ... 2, 1 against 11 ... 2, 2.5: of 55 pairs one is turned round.
    assert found == Parity(
        max_difference=1.5,
        mean_difference=pytest.approx(1.5 / 12),
        top10_overlap=0.9,
        kendall_tau=pytest.approx(53 / 55),
    )


def test_items_that_were_seen_do_not_count() -> None:
    reference = np.array([[9, 1, 2, 3]], np.float32)
    other = np.array([[-9, 1, 2, 3]], np.float32)
    assert compare_scores(reference, other, [np.array([0])]).kendall_tau == 1
    assert compare_scores(reference, other, [NOTHING]).kendall_tau == 0
    assert compare_scores(reference, other, [np.array([0])]).max_difference == 18


def test_a_query_that_has_seen_everything_says_nothing() -> None:
    scores = np.array([[1, 2], [3, 1]], np.float32)
    found = compare_scores(scores, scores[:, ::-1], [np.array([1, 0, 1]), NOTHING])
    assert (found.top10_overlap, found.kendall_tau) == (1.0, -1.0)
    alone = compare_scores(scores[:1], scores[:1] + 1, [np.array([0, 1])])
    assert alone == Parity(1.0, 1.0, 1.0, 1.0)


def test_means_are_over_queries() -> None:
    reference = np.array([[3, 2, 1], [3, 2, 1]], np.float32)
    other = np.array([[3, 2, 1], [1, 2, 3]], np.float32)
    found = compare_scores(reference, other, [NOTHING, NOTHING])
    assert found.as_dict() == {
        "max_difference": 2.0,
        "mean_difference": pytest.approx(4 / 6),
        "top10_overlap": 1.0,
        "kendall_tau": 0.0,
    }


def test_the_scores_are_left_as_they_were() -> None:
    scores = np.array([[3, 2, 1]], np.float32)
    compare_scores(scores, scores, [np.array([0])])
    assert scores.tolist() == [[3, 2, 1]]
