"""Beliefs, the regression and its steps, and the curve: by hand where they can be."""

import math

import numpy as np
import pytest

from pocketrec_distill.deferral import (
    Beliefs,
    Examples,
    deferral_curve,
    fit_policy,
    most_kept,
)
from pocketrec_runtime.deferral import FEATURES


class Table:
    """A teacher of fixed logits: two users, four items."""

    def scores(self, histories):
        logits = np.log(np.array([[0.5, 0.25, 0.125, 0.125], [0.1, 0.2, 0.3, 0.4]], np.float32))
        return logits[: len(histories)]


def test_what_a_teacher_expects_of_a_ranking() -> None:
    beliefs = Beliefs(Table())
    beliefs.scores([np.array([0]), np.array([3, 1])])
    assert len(beliefs) == 2
    # Item 0 is of the history: the rest is a half, a quarter, a quarter.
    assert beliefs.value(0, [1, 2]) == pytest.approx(0.5 + 0.25 / math.log2(3), rel=1e-6)
    assert beliefs.value(0, [2, 1]) == pytest.approx(0.25 + 0.5 / math.log2(3), rel=1e-6)
    # Of the second, 0 and 2 are left: a quarter and three quarters.
    assert beliefs.value(1, [2]) == pytest.approx(0.75, rel=1e-6)
    assert beliefs.value(1, [3]) == 0.0
    # What it loses by the wrong order, and by one of two.
    assert beliefs.gain(0, [1, 2, 3]) == pytest.approx(0.0)
    assert beliefs.gain(0, [2, 1, 3]) == pytest.approx(0.25 * (1 - 1 / math.log2(3)), rel=1e-6)
    assert beliefs.gain(1, [2]) == pytest.approx(0.25 / math.log2(3), rel=1e-6)
    beliefs.forget()
    assert len(beliefs) == 0


def examples(gain: float, queries: int = 2_000, noise: float = 0.3, seed: int = 0) -> Examples:
    """The first feature says where the teacher gains: its expected gain is a line in it."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(queries, len(FEATURES)))
    features[:, FEATURES.index("log_unknown")] = 0.0
    expected = 0.1 + 0.05 * features[:, 0]
    gained = gain * (expected - 0.1) + noise * rng.normal(size=queries)
    return Examples(features, expected, gained)


def test_the_regression_finds_what_the_gain_hangs_on() -> None:
    policy = fit_policy(examples(gain=1.0), "made up")
    found = dict(zip(FEATURES, policy.weights, strict=True))
    assert found.pop("log_events") == pytest.approx(0.05, abs=0.005)
    assert max(map(abs, found.values())) < 0.003
    assert policy.intercept == pytest.approx(0.1, abs=0.005)
    assert policy.fitted_on == "made up"


def test_steps_are_the_shares_that_were_shown_to_gain() -> None:
    policy = fit_policy(examples(gain=4.0, noise=0.2), "made up")
    shares = [step.share for step in policy.steps]
    assert 0.2 in shares
    # Where all are deferred, gains and losses cancel: nothing is shown.
    assert 1.0 not in shares
    step = policy.step(0.2)
    # The best fifth of a normal: 1.4 deviations of 0.2 each on a fifth of all.
    assert step.gain == pytest.approx(0.2 * 1.4 * 0.2, abs=0.015)
    assert 0 < step.low < step.gain < step.high
    # 20% of a normal lie above 0.84 deviations.
    assert step.threshold == pytest.approx(0.1 + 0.84 * 0.05, abs=0.005)


@pytest.mark.parametrize("gain", [0.0, -4.0])
def test_where_the_teacher_is_no_better_nothing_is_deferred(gain: float) -> None:
    assert fit_policy(examples(gain), "made up").steps == ()


def test_too_few_queries_show_nothing() -> None:
    assert fit_policy(examples(gain=4.0, queries=99, noise=0.0), "made up").steps == ()


def test_hidden_items_weigh_alone_and_bend_nothing() -> None:
    whole = examples(gain=4.0, noise=0.2)
    hidden = Examples(
        whole.features[:400].copy(), whole.expected[:400].copy(), np.full(400, np.nan)
    )
    unknown = np.log1p(1 + np.arange(400) % 3)
    hidden.features[:, FEATURES.index("log_unknown")] = unknown
    hidden.expected[:] += 0.07 * unknown
    both = Examples(
        np.vstack([whole.features, hidden.features]),
        np.concatenate([whole.expected, hidden.expected]),
        np.concatenate([whole.gained, hidden.gained]),
    )
    alone, found = fit_policy(whole, ""), fit_policy(both, "")
    place = FEATURES.index("log_unknown")
    assert alone.weights[place] == 0.0
    assert found.weights[place] == pytest.approx(0.07, abs=0.005)
    assert found.weights[:place] == alone.weights[:place]
    assert found.steps == alone.steps


def test_the_curve_of_four_queries() -> None:
    device, server = np.array([0.0, 0.5, 1.0, 0.0]), np.array([1.0, 0.5, 0.0, 1.0])
    expected = np.array([0.3, 0.2, 0.1, 0.4])
    points = deferral_curve(expected, device, server, (0.0, 0.25, 0.5, 1.0))
    # The fourth and the first gain 1, the third loses 1; by chance a share of 1 in 4.
    assert [point.ndcg for point in points] == [0.375, 0.625, 0.875, 0.625]
    assert [point.random for point in points] == [0.375, 0.4375, 0.5, 0.625]
    assert [point.gain for point in points] == [0.0, 0.25, 0.5, 0.25]
    assert points[0].ci95 == (0.0, 0.0)
    assert points[2].ci95[0] <= 0.5 <= points[2].ci95[1]


def test_no_order_keeps_more_than_the_largest_gains_hold() -> None:
    expected = np.array([0.1, 0.4, 0.0, 0.3, 0.2])
    assert most_kept(expected, (0.2, 0.4, 1.0)) == pytest.approx([0.4, 0.7, 1.0])
    assert most_kept(np.zeros(5), (0.2,)) == [0.0]
