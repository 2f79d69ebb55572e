"""Calibration: each method by hand, and the choice among them."""

import numpy as np
import pytest

from pocketrec_distill.clicks.calibrate import (
    METHODS,
    best_calibration,
    isotonic,
    platt,
    pool_adjacent_violators,
    temperature,
)


def drawn(probability, count: int = 6000, seed: int = 0):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=count)
    return scores, (rng.random(count) < probability(scores)).astype(float)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_violators_are_pooled_by_hand() -> None:
    """Rates 1/2, 2/2, 0/2, 3/4: the second and third pool to 2/4, and with a prior of 1/2 each
    (1.5/3, 2.5/5, 3.5/5) the first two are equal and pool to 3/6."""
    scores = np.array([0.0, 1.0, 2.0, 3.0])
    at, share = pool_adjacent_violators(
        scores, np.array([1.0, 2.0, 0.0, 3.0]), np.array([2.0, 2.0, 2.0, 4.0])
    )
    assert at.tolist() == [1.0, 3.0]
    assert share.tolist() == pytest.approx([3.5 / 7, 3.5 / 5])


def test_temperature_finds_the_slope_and_platt_the_intercept_too() -> None:
    scores, labels = drawn(lambda x: sigmoid(0.4 * x))
    found = temperature(scores, labels)
    assert (found.slope, found.intercept) == (pytest.approx(0.4, abs=0.07), 0.0)
    scores, labels = drawn(lambda x: sigmoid(2.0 * x - 1.5))
    found = platt(scores, labels)
    assert found.slope == pytest.approx(2.0, abs=0.15)
    assert found.intercept == pytest.approx(-1.5, abs=0.12)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_the_order(method: str) -> None:
    """Also where scores mean the opposite of what they say."""
    scores, labels = drawn(lambda x: sigmoid(-3 * x), count=400)
    found = METHODS[method](scores, labels).probability(np.sort(scores))
    assert (np.diff(found) >= 0).all()
    assert ((found > 0) & (found < 1)).all()


def test_the_method_of_least_held_out_loss_is_chosen() -> None:
    groups = np.arange(6000)
    scores, labels = drawn(lambda x: np.where(x > 0.5, 0.9, 0.1))
    stepped, losses = best_calibration(scores, labels, groups, "steps")
    assert min(losses, key=losses.get) == "isotonic"
    assert stepped.curve is not None
    assert stepped.fitted_on == "steps, isotonic"
    assert stepped.probability([-1.0, 1.5]) == pytest.approx([0.1, 0.9], abs=0.03)
    scores, labels = drawn(lambda x: sigmoid(2.0 * x - 1.5), count=300)
    smooth, losses = best_calibration(scores, labels, groups[:300], "smooth")
    # The curve's loss is a shade lower here, and not by more than chance.
    assert smooth.curve is None
    assert smooth.fitted_on == "smooth, platt"
    assert losses["platt"] < losses["temperature"]


def test_a_long_curve_is_thinned() -> None:
    scores, labels = drawn(sigmoid, count=100_000)
    curve = isotonic(scores, labels).curve
    assert curve is not None
    assert 10 < len(curve.scores) <= 256


def test_one_label_gives_a_rate_short_of_certainty() -> None:
    found, _ = best_calibration(np.arange(8.0), np.zeros(8), np.arange(8), "x")
    assert 0 < found.probability([3.0])[0] < 0.2
