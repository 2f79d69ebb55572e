"""Click metrics against hand computations and a slow reference."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketrec_distill.errors import DataError
from pocketrec_distill.evaluation.pointwise import (
    Scored,
    auc,
    expected_calibration_error,
    group_auc,
    log_loss,
    midranks,
    summarise_clicks,
)

ROWS = st.lists(st.tuples(st.sampled_from([-1.5, 0.0, 0.25, 2.0, 7.0]), st.booleans()), min_size=2)


def slow_auc(scores, labels) -> float:
    """Every click against every non-click."""
    pairs = [
        (a, b)
        for (a, x), (b, y) in itertools.product(zip(scores, labels, strict=True), repeat=2)
        if x and not y
    ]
    return sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs)


def test_ties_share_the_mean_of_their_ranks() -> None:
    assert midranks([3.0, 1.0, 3.0, 2.0, 3.0]).tolist() == [4.0, 1.0, 4.0, 2.0, 4.0]


def test_auc_by_hand() -> None:
    """Clicks at 3 and 1, others at 2, 1 and 0: 3 + 1.5 of 6 pairs are won."""
    assert auc([3, 1, 2, 1, 0], [1, 1, 0, 0, 0]) == pytest.approx(4.5 / 6)
    assert auc([5, 5, 5], [1, 0, 0]) == 0.5


@settings(max_examples=150, deadline=None, derandomize=True)
@given(rows=ROWS.filter(lambda rows: 0 < sum(label for _, label in rows) < len(rows)))
def test_auc_is_that_of_the_slow_reference(rows) -> None:
    scores, labels = zip(*rows, strict=True)
    found = auc(scores, labels)
    assert found == pytest.approx(slow_auc(scores, labels))
    assert auc([-score for score in scores], labels) == pytest.approx(1 - found)


def test_group_auc_weighs_groups_alike_or_by_their_rows() -> None:
    """Group b: 1 of 1 pair won; group a: 1 of 3; group c has no click and is skipped."""
    scores = [1.0, 9.0, 2.0, 0.0, 3.0, 8.0, 5.0]
    labels = [1, 1, 0, 0, 0, 0, 0]
    groups = ["a", "b", "a", "a", "a", "b", "c"]
    found = group_auc(scores, labels, groups)
    assert found.values.tolist() == pytest.approx([1 / 3, 1.0])
    assert (found.sizes.tolist(), found.skipped) == ([4, 2], 1)
    assert found.mean == pytest.approx(2 / 3)
    assert found.weighted == pytest.approx((4 / 3 + 2) / 6)


def test_a_constant_per_group_changes_group_auc_not() -> None:
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 9, 200)
    scores, labels = rng.normal(size=200), rng.random(200) < 0.3
    moved = scores + 100.0 * groups
    before, after = (group_auc(s, labels, groups) for s in (scores, moved))
    assert after.values.tolist() == before.values.tolist()
    assert auc(moved, labels) != pytest.approx(auc(scores, labels))


def test_log_loss_by_hand() -> None:
    expected = -(math.log(0.9) + math.log(1 - 0.2) + math.log(0.5)) / 3
    assert log_loss([0.9, 0.2, 0.5], [1, 0, 1]) == pytest.approx(expected)
    assert log_loss([0.0], [1]) == pytest.approx(-math.log(1e-7))
    assert log_loss([1.0, 0.0], [1, 0]) == pytest.approx(0.0, abs=1e-6)


def test_calibration_error_by_hand() -> None:
    """Bins of two: promised .15 and seen .5; promised .6 and seen .5; promised .85 and seen 1."""
    probabilities, labels = [0.1, 0.2, 0.5, 0.7, 0.8, 0.9], [0, 1, 1, 0, 1, 1]
    expected = (0.35 + 0.10 + 0.15) / 3
    assert expected_calibration_error(probabilities, labels, bins=3) == pytest.approx(expected)
    order = [3, 0, 5, 1, 4, 2]
    shuffled = ([probabilities[i] for i in order], [labels[i] for i in order])
    assert expected_calibration_error(*shuffled, bins=3) == pytest.approx(expected)


def test_calibration_error_of_equal_probabilities_knows_no_order() -> None:
    """Half are clicked and .5 is promised: no gap, wherever the clicks stand."""
    for labels in ([1, 1, 0, 0], [0, 1, 0, 1]):
        assert expected_calibration_error([0.5] * 4, labels, bins=2) == 0.0
    assert expected_calibration_error([0.3] * 4, [1, 0, 0, 0], bins=4) == pytest.approx(0.05)


def test_honest_probabilities_are_calibrated_and_flattering_ones_are_not() -> None:
    rng = np.random.default_rng(5)
    truth = rng.random(20_000)
    labels = rng.random(20_000) < truth
    assert expected_calibration_error(truth, labels) < 0.015
    assert expected_calibration_error(truth**2, labels) > 0.1


def test_more_bins_than_rows_are_a_bin_each() -> None:
    assert expected_calibration_error([0.25, 0.75], [0, 1], bins=50) == pytest.approx(0.25)


def test_summary_names_what_it_counted() -> None:
    scored = Scored(
        scores=np.array([2.0, 1.0, 0.0, 3.0, 4.0]),
        probabilities=np.array([0.5, 0.5, 0.0, 0.75, 1.0]),
        labels=np.array([True, False, False, True, True]),
        impressions=np.array([0, 0, 1, 2, 2]),
        users=np.array([7, 7, 7, 7, 8]),
    )
    found = summarise_clicks(scored)
    assert (found["groups"], found["groups_measured"]) == ("impressions", 1)
    assert found["groups_without_both_labels"] == 2
    assert (found["group_auc"], found["group_auc_ci95"]) == (1.0, [1.0, 1.0])
    # User 7: clicks at 2 and 3, others at 1 and 0; user 8 has one label.
    assert found["group_auc_by_user_weighted"] == 1.0
    assert found["click_rate"] == pytest.approx(0.6)
    assert found["mean_probability"] == pytest.approx(0.55)
    assert found["candidates"] == 5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: auc([1.0, math.nan], [1, 0]), "1 values not finite"),
        (lambda: auc([1.0, 2.0], [1, 1]), "given 2 and 0"),
        (lambda: auc([1.0, 2.0], [1, 2]), "give 0 or 1"),
        (lambda: auc([1.0, 2.0], [1, 0, 1]), "give 0 or 1 for each row"),
        (lambda: auc([], []), "at least one value"),
        (lambda: group_auc([1.0, 2.0], [1, 0], ["a", "b"]), "no group has both"),
        (lambda: group_auc([1.0, 2.0], [1, 0], ["a"]), "give one each"),
        (lambda: log_loss([1.1], [1]), "lie in 0 to 1"),
        (lambda: log_loss([-0.1], [1]), "lie in 0 to 1"),
        (lambda: expected_calibration_error([0.5], [1], bins=0), "give at least 1"),
    ],
)
def test_nonsense_is_refused(call, message) -> None:
    with pytest.raises(DataError, match=message):
        call()
