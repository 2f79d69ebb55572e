"""Platt scaling finds the numbers that made the data, and is safe where there is little."""

import math

import numpy as np
import pytest

from pocketrec_distill.calibration import fit_calibration

NOTHING = np.array([], np.int32)


def synthetic(slope: float, queries: int = 3000, items: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Scores of unequal mean and spread, and one target a query by softmax of slope * score."""
    rng = np.random.default_rng(12)
    scores = (3.0 + 2.0 * rng.normal(size=(queries, items))).astype(np.float32)
    chances = np.exp(slope * scores)
    chances /= chances.sum(axis=1, keepdims=True)
    targets = np.array([rng.choice(items, p=row) for row in chances])
    return scores, targets


def independent(slope: float, intercept: float) -> tuple[np.ndarray, np.ndarray]:
    """60,000 scores, and labels drawn independently from a known sigmoid of each."""
    rng = np.random.default_rng(2)
    scores = rng.normal(-1.0, 2.0, size=(60_000, 1)).astype(np.float32)
    positive = rng.random((60_000, 1)) < 1 / (1 + np.exp(-(slope * scores + intercept)))
    return scores, positive


def test_recovers_a_known_slope_and_intercept() -> None:
    # Column 0 is judged, column 1 is seen: a query's label is 1 where its target is column 0.
    scores, positive = independent(slope=0.8, intercept=-0.5)
    both = np.hstack([scores, np.full_like(scores, 100.0)])
    histories = [np.array([1], np.int32)] * len(scores)
    targets = np.where(positive[:, 0], 0, 1)
    found = fit_calibration(both, histories, targets, "validation")
    print(f"slope {found.slope:.3f} (0.8), intercept {found.intercept:.3f} (-0.5)")  # noqa: T201  (says how close)
    assert found.slope == pytest.approx(0.8, abs=0.03)
    assert found.intercept == pytest.approx(-0.5, abs=0.03)
    assert found.fitted_on == "validation"


def test_probabilities_sum_to_about_one_over_the_catalogue() -> None:
    scores, targets = synthetic(slope=0.5)
    found = fit_calibration(scores, [NOTHING] * len(scores), targets, "v")
    total = found.probability(scores).sum(axis=1).mean()
    assert total == pytest.approx(1.0, abs=1e-3)
    assert found.slope > 0.1


def test_keeps_the_order_of_scores() -> None:
    scores, targets = synthetic(slope=0.5)
    found = fit_calibration(scores, [NOTHING] * len(scores), targets, "v")
    ordered = np.linspace(-5, 12, 100)
    assert (np.diff(found.probability(ordered)) > 0).all()


def test_scores_that_point_the_wrong_way_give_the_base_rate() -> None:
    scores, targets = synthetic(slope=-0.5)
    found = fit_calibration(scores, [NOTHING] * len(scores), targets, "v")
    assert 0 < found.slope < 1e-3
    np.testing.assert_allclose(found.probability(scores[0]), 1 / 40, rtol=1e-2)


def test_seen_items_do_not_count() -> None:
    scores, targets = synthetic(slope=0.5)
    plain = fit_calibration(scores, [NOTHING] * len(scores), targets, "v")
    more = np.hstack([scores, np.full((len(scores), 1), 50, np.float32)])
    seen = [np.array([40], np.int32)] * len(scores)
    assert fit_calibration(more, seen, targets, "v") == plain
    assert fit_calibration(more, [NOTHING] * len(scores), targets, "v") != plain


@pytest.mark.parametrize(
    ("scores", "histories", "targets", "expected"),
    [
        # One unseen item, and it is the target: all labels are 1.
        ([[5.0, 1.0], [4.0, 2.0]], [[1], [1]], [0, 0], 1.0),
        # The target was seen: all labels are 0.
        ([[5.0, 1.0], [4.0, 2.0]], [[1], [1]], [1, 1], 0.0),
        # All scores alike: the base rate.
        ([[3.0, 3.0, 3.0, 3.0]], [[]], [2], 0.25),
        # Perfectly separated.
        ([[9.0, 0.0], [0.0, 9.0]] * 50, [[]] * 100, [0, 1] * 50, None),
        # Far from zero, and close together.
        ([[1e6, 1e6 + 1, 1e6, 1e6]], [[]], [1], None),
    ],
)
def test_little_data_is_safe(
    scores: list[list[float]], histories: list[list[int]], targets: list[int], expected: float
) -> None:
    array = np.array(scores, np.float32)
    seen = [np.array(history, np.int32) for history in histories]
    found = fit_calibration(array, seen, np.array(targets), "v")
    assert math.isfinite(found.slope)
    assert math.isfinite(found.intercept)
    assert found.slope > 0
    probabilities = found.probability(array)
    if expected is not None:
        np.testing.assert_allclose(probabilities[:, 0], expected, atol=1e-3)
    else:
        assert (probabilities.max(axis=1) > probabilities.min(axis=1)).all()


@pytest.mark.parametrize("scores", [np.zeros((0, 4)), np.zeros((1, 1))])
def test_no_pair_at_all_is_not_fitted(scores: np.ndarray) -> None:
    seen = [np.array([0], np.int32)] * len(scores)
    targets = np.zeros(len(scores), np.int64)
    found = fit_calibration(scores.astype(np.float32), seen, targets, "v")
    assert (found.slope, found.intercept, found.fitted_on) == (1.0, 0.0, "not fitted")
