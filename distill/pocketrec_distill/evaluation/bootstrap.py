"""Confidence intervals by resampling users: percentile bootstrap (Efron and Tibshirani, 1993)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.errors import DataError

RESAMPLES = 2000
# Users drawn at once: their values stay in the caches.
_DRAWN = 100_000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A point estimate with its 95% interval."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, object]:
        """The form that stands in reports."""
        return {"value": self.value, "ci95": [self.low, self.high]}


def _resampled_means(columns: Floats, seed: int) -> Floats:
    """Means (RESAMPLES, columns) of users drawn with replacement; the same users per column."""
    users = len(columns)
    if users == 0:
        raise DataError("no query to evaluate; give data with at least one unseen next item")
    rng, block = np.random.default_rng(seed), max(1, _DRAWN // users)
    means = np.empty((RESAMPLES, columns.shape[1]))
    for start in range(0, RESAMPLES, block):
        rows = means[start : start + block]
        drawn = rng.integers(0, users, (len(rows), users))
        for place, column in enumerate(columns.T):
            rows[:, place] = column[drawn].mean(axis=1)
    return means


def _interval(value: float, samples: Floats) -> Interval:
    low, high = np.percentile(samples, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def mean_interval(values: Floats, seed: int = 0) -> Interval:
    """Mean of per-user `values` (users,) with its interval."""
    samples = _resampled_means(values[:, None], seed)[:, 0]
    return _interval(float(values.mean()), samples)


def paired_error(a: Floats, b: Floats) -> float:
    """Standard error of the mean of `a - b`, both per user (users,); 0 for fewer than two users."""
    users = len(a)
    return float((a - b).std(ddof=1) / np.sqrt(users)) if users > 1 else 0.0


def paired_difference(a: Floats, b: Floats, seed: int = 0) -> Interval:
    """Mean of `a - b`, both per user (users,) in the same order, with its interval."""
    return mean_interval(a - b, seed)


def ratio(a: Floats, b: Floats, seed: int = 0) -> Interval:
    """Ratio of means `mean(a) / mean(b)` over the same users, with its paired interval.

    Where `b` is zero for every user its mean is taken as the least that one user can reach at
    NDCG@10, so that the ratio is finite.
    """
    least = 1.0 / np.log2(11.0) / max(1, len(b))
    means = _resampled_means(np.column_stack([a, b]), seed)
    samples = means[:, 0] / np.maximum(means[:, 1], least)
    return _interval(float(a.mean() / max(float(b.mean()), least)), samples)
