"""Bootstrap intervals: their width, their pairing, and their edges."""

import math

import numpy as np
import pytest

from pocketrec_distill.errors import DataError
from pocketrec_distill.evaluation import Interval, mean_interval, paired_difference, ratio
from pocketrec_distill.evaluation.bootstrap import paired_error


def test_interval_has_the_width_that_theory_gives() -> None:
    values = np.random.default_rng(3).normal(0.4, 0.1, size=900)
    interval = mean_interval(values)
    half = 1.96 * values.std() / 30
    assert interval.value == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=half / 8)
    assert interval.high == pytest.approx(values.mean() + half, abs=half / 8)


def test_interval_covers_the_true_mean_about_95_times_in_100() -> None:
    rng = np.random.default_rng(11)
    intervals = [mean_interval(rng.exponential(1.0, size=60), seed) for seed in range(60)]
    covered = sum(interval.low <= 1.0 <= interval.high for interval in intervals)
    # Binomial(60, 0.95) lies here with probability 0.999; an interval that is too wide is caught
    # by the test of its width.
    assert 50 <= covered < 60


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(0).random(40)
    assert mean_interval(values, 5) == mean_interval(values, 5)
    assert mean_interval(values, 5) != mean_interval(values, 6)


def test_a_paired_difference_is_narrower_than_its_parts() -> None:
    rng = np.random.default_rng(4)
    hard = rng.random(500)
    better = hard + 0.01 + rng.normal(0, 0.01, 500)
    difference = paired_difference(better, hard)
    assert difference.value == pytest.approx((better - hard).mean())
    assert 0 < difference.low < difference.value < difference.high
    assert difference.high - difference.low < 0.005
    assert mean_interval(hard).high - mean_interval(hard).low > 0.04


def test_a_ratio_draws_the_same_users_for_both() -> None:
    b = np.array([0.1, 0.9, 0.4, 0.0, 0.7])
    assert ratio(3 * b, b) == Interval(*(pytest.approx(3.0),) * 3)
    assert ratio(b, b[::-1].copy()).low < 0.9


def test_a_ratio_over_nothing_is_finite() -> None:
    a, zero = np.array([0.5, 0.0, 1.0]), np.zeros(3)
    over_nothing = ratio(a, zero)
    # One user of three at rank 10 is the least that a mean NDCG@10 above zero can be.
    assert over_nothing.value == pytest.approx(0.5 * 3 * math.log2(11))
    assert all(map(math.isfinite, vars(over_nothing).values()))
    assert ratio(zero, zero) == Interval(0.0, 0.0, 0.0)


def test_no_user_is_an_error() -> None:
    nobody = np.array([])
    for make in (lambda: mean_interval(nobody), lambda: ratio(nobody, nobody)):
        with pytest.raises(DataError, match="no query to evaluate"):
            make()


def test_the_reports_form() -> None:
    assert Interval(0.5, 0.25, 0.75).as_dict() == {"value": 0.5, "ci95": [0.25, 0.75]}


def test_a_standard_error_is_that_of_the_mean_difference() -> None:
    nothing, users = np.zeros(4), np.array([0.0, 1.0, 0.0, 1.0])
    assert paired_error(users, nothing) == pytest.approx(math.sqrt(1 / 12))
    assert paired_error(users, users) == 0.0  # however different the users are
    assert paired_error(users + 0.5, users) == 0.0
    assert paired_error(np.array([0.7]), np.array([0.1])) == 0.0
