"""Whether a run follows the trend: where demand has moved, and where that lasts until a test."""

from dataclasses import replace

import numpy as np
import pytest

from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.models.floors import Popularity
from pocketrec_distill.models.trend import Demand
from pocketrec_distill.pipeline.blending import gains, leads
from pocketrec_distill.pipeline.dataset import Dataset
from pocketrec_distill.pipeline.trending import Trend, _chosen_elsewhere, choose_trend

from .making import made_dataset

ITEMS, QUERIES = 30, 200


def moved(lasts: bool = True) -> Dataset:
    """Items below 15 were wanted long ago, those above are wanted now, and next if that lasts."""
    rng = np.random.default_rng(2)
    wanted = rng.dirichlet(np.full(12, 3.0))
    train, ages = [], []
    for _ in range(80):
        train.append(np.append(rng.permutation(3), 3 + rng.choice(12, p=wanted)).astype(np.int32))
        ages.append(rng.uniform(0.3, 1.0, 4).astype(np.float32))
        train.append((15 + rng.permutation(15)[:2]).astype(np.int32))
        ages.append(rng.uniform(0.0, 0.2, 2).astype(np.float32))
    histories = [rng.permutation(3).astype(np.int32) for _ in range(QUERIES)]
    new, old = rng.integers(15, ITEMS, QUERIES), 3 + rng.choice(12, QUERIES, p=wanted)
    targets = new if lasts else old
    queries = QuerySet(histories, targets.astype(np.int64))
    texts = [f"item {item}" for item in range(ITEMS)]
    return made_dataset(texts, train, queries, train_ages=ages, shelf=0.05)


def chosen(data: Dataset) -> tuple[Trend, np.ndarray]:
    blended = np.log1p(Popularity(data.counts).scores(data.validation.histories))
    queries = data.validation
    return choose_trend(blended, queries.histories, queries.targets, data), blended


def test_the_trend_is_followed_where_it_ranks_better() -> None:
    data = moved()
    trend, blended = chosen(data)
    assert trend.weight > 0
    assert trend.gain.low > 0
    queries = data.validation
    of_the_past = Demand.of(data.train, data.train_ages, ITEMS, trend.half_life, data.shelf).logits
    with_it, without = (
        gains(leads(scores, queries.histories, queries.targets)).mean()
        for scores in (blended + np.float32(trend.weight) * of_the_past, blended)
    )
    # The best of many, on the queries that it was the best of, is not what it brings to others.
    assert with_it - without > trend.gain.value > 0.05


def test_what_a_choice_brings_is_measured_where_it_was_not_made() -> None:
    """Each of two choices is good on one half alone; the third is a little good everywhere."""
    brought = np.array([[0.0] * 4, [1, 1, -1, -1], [-1, -1, 1, 1], [0.5, 0.1, 0.1, 0.1]])
    np.testing.assert_array_equal(_chosen_elsewhere(brought), [-1, -1, -1, -1])
    np.testing.assert_array_equal(_chosen_elsewhere(brought[[0, 3]]), brought[3])


def test_what_is_shipped_knows_the_newest_events() -> None:
    data = moved()
    trend, _ = chosen(data)
    newest = Demand.of(data.train, data.train_ages, ITEMS, trend.half_life)
    np.testing.assert_array_equal(trend.bias(data), np.float32(trend.weight) * newest.logits)
    assert trend.bias(data)[15:].mean() > 0 > trend.bias(data)[:15].max()
    popularity = trend.popularity(data)
    assert popularity.sum() == pytest.approx(1)
    assert popularity[15:].sum() > 0.6 > data.counts[15:].sum() / data.events


def test_half_lives_are_seconds() -> None:
    data = moved()
    in_days = replace(data, span=86_400.0)
    (trend, _), (same, _) = chosen(data), chosen(in_days)
    assert same.half_life == pytest.approx(86_400 * trend.half_life)
    np.testing.assert_allclose(same.bias(in_days), trend.bias(data), rtol=1e-5)


def test_a_trend_that_does_not_last_is_not_followed() -> None:
    trend, _ = chosen(moved(lasts=False))
    assert trend == Trend()


def test_what_is_newer_than_a_test_would_know_decides_nothing() -> None:
    """The events of the last twentieth of the time are nobody's reason to follow a trend."""
    data = moved()
    rng = np.random.default_rng(4)
    anew = [
        np.where(age < data.shelf, rng.integers(0, 15, len(age)), history).astype(np.int32)
        for history, age in zip(data.train, data.train_ages, strict=True)
    ]
    trend, blended = chosen(data)
    queries = data.validation
    found = choose_trend(blended, queries.histories, queries.targets, replace(data, train=anew))
    assert found == trend


@pytest.mark.parametrize("queries", [0, 1])
def test_who_asks_nothing_hears_of_no_trend(queries: int) -> None:
    data = moved()
    asked = data.validation.first(queries) if queries else QuerySet([], np.zeros(0, np.int64))
    blended = np.zeros((queries, ITEMS), np.float32)
    assert choose_trend(blended, asked.histories, asked.targets, data) == Trend()


def test_no_trend_without_one_in_the_data() -> None:
    data = moved()
    rng = np.random.default_rng(5)
    alike = [rng.uniform(0, 1, len(history)).astype(np.float32) for history in data.train]
    likely = data.counts / data.events
    anything = replace(data.validation, targets=rng.choice(ITEMS, QUERIES, p=likely))
    trend, blended = chosen(replace(data, train_ages=alike, validation=anything))
    assert trend == Trend()
    scorer = Popularity(data.counts)
    assert trend.beside(scorer, data) is scorer, "nothing is computed for it"
    assert not trend.bias(data).any()
    np.testing.assert_allclose(trend.popularity(data), data.counts / data.events, rtol=1e-6)
    assert trend.key == {}
    assert blended.shape == (QUERIES, ITEMS)
