"""The trend of demand: what it counts, and that it is the bias that new shares of items ask for."""

import numpy as np
import pytest

from pocketrec_distill.models import trend
from pocketrec_distill.models.floors import Popularity
from pocketrec_distill.models.trend import _SMOOTHING, Biased, Demand

HISTORIES = [np.array([0, 1, 1], np.int32), np.array([2, 0], np.int32)]
AGES = [np.array([0.5, 0.25, 0.0], np.float32), np.array([0.75, 0.0], np.float32)]


def test_newer_events_count_more() -> None:
    demand = Demand.of(HISTORIES, AGES, 4, half_life=0.25)
    counts, fading = np.array([2, 2, 1, 0]), np.array([1.25, 1.5, 0.125, 0])
    np.testing.assert_allclose(demand.overall, counts / counts.mean())
    np.testing.assert_allclose(demand.recent, fading / fading.mean())
    ratio = (fading / fading.mean() + _SMOOTHING) / (counts / counts.mean() + _SMOOTHING)
    np.testing.assert_allclose(demand.logits, np.log(ratio), rtol=1e-5)
    assert demand.logits.dtype == np.float32
    assert demand.logits[3] == 0, "without an event there is no trend"
    assert demand.logits[1] > 0 > demand.logits[2]


def test_events_that_are_too_new_are_not_looked_at() -> None:
    demand = Demand.of(HISTORIES, AGES, 4, half_life=0.25, since=0.25)
    older = [np.array([0, 1], np.int32), np.array([2], np.int32)]
    ages = [np.array([0.25, 0.0], np.float32), np.array([0.5], np.float32)]
    same = Demand.of(older, ages, 4, half_life=0.25)
    np.testing.assert_array_equal(demand.recent, same.recent)
    np.testing.assert_array_equal(demand.overall, same.overall)


def test_when_nothing_is_old_enough_there_is_no_trend() -> None:
    demand = Demand.of(HISTORIES, AGES, 4, half_life=0.25, since=2.0)
    assert not demand.logits.any()


def test_events_of_one_age_are_no_trend() -> None:
    alike = [np.full(len(ages), 0.5, np.float32) for ages in AGES]
    np.testing.assert_allclose(Demand.of(HISTORIES, alike, 4, 0.01).logits, 0, atol=1e-6)


def test_new_shares_put_a_classifier_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Posteriors under old shares times the ratio of shares are those under the new ones."""
    monkeypatch.setattr(trend, "_SMOOTHING", 0.0)
    likelihood = np.array([0.2, 0.5, 0.3])
    old, new = np.array([50.0, 30.0, 20.0]), np.array([10.0, 30.0, 60.0])
    demand = Demand((new / new.mean()).astype(np.float32), (old / old.mean()).astype(np.float32))
    posterior = likelihood * old / (likelihood @ old) * np.exp(demand.logits)
    expected = likelihood * new / (likelihood @ new)
    np.testing.assert_allclose(posterior / posterior.sum(), expected, rtol=1e-5)


def test_a_bias_is_added_at_every_place() -> None:
    class Positions(Popularity):
        def position_scores(self, sequences, newest):
            rows = sum(min(len(sequence), newest) for sequence in sequences)
            return np.tile(self.counts.astype(np.float32), (rows, 1))

    bias = np.array([0.5, -1.0, 0.0], np.float32)
    scorer = Biased(Positions(np.array([3, 2, 1])), bias)
    np.testing.assert_array_equal(scorer.scores(HISTORIES), [[3.5, 1, 1]] * 2)
    np.testing.assert_array_equal(scorer.position_scores(HISTORIES, 2), [[3.5, 1, 1]] * 4)


@pytest.mark.parametrize("half_life", [0.003, 10.0])
def test_half_lives_of_any_length_are_finite(half_life: float) -> None:
    assert np.isfinite(Demand.of(HISTORIES, AGES, 4, half_life).logits).all()


def test_events_long_ago_are_a_trend_all_the_same() -> None:
    """Two to the power of minus a hundred is no zero: what counts is which are newer."""
    ages = [age + np.float32(0.3) for age in AGES]
    demand = Demand.of(HISTORIES, ages, 4, half_life=0.003)
    assert demand.recent.mean() == pytest.approx(1)
    assert demand.logits[1] > 0 > demand.logits[2]
