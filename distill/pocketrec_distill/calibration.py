"""Fitting the bundle's calibration: scores to the probability of being the next item."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.models.base import Floats, History
from pocketrec_runtime import Calibration

# A few million pairs fix two numbers to far more digits than anybody needs.
MAX_PAIRS = 4_000_000
_NEWTON_STEPS = 50
_LEAST_SLOPE = 1e-6


def fit_calibration(
    scores: Floats,
    histories: Sequence[History],
    targets: NDArray[np.integer],
    fitted_on: str,
) -> Calibration:
    """Platt scaling (Platt, 1999) over every unseen item of each query.

    The label is 1 for the item that came next and 0 for all others, so that the probability reads
    "this is the user's next item" and sums to about one over the catalogue.

    Args:
        scores: float32 (queries, items), finite.
        histories: Items seen before each query; they are left out.
        targets: What came next, (queries,).
        fitted_on: What to name as the data.

    Returns:
        The calibration; one that says "not fitted" where no query has an unseen item.
    """
    queries = min(len(targets), max(1, MAX_PAIRS // max(1, scores.shape[1])))
    unseen = np.ones((queries, scores.shape[1]), dtype=bool)
    for row in range(queries):
        unseen[row, histories[row]] = False
    labels = np.zeros(unseen.shape, dtype=bool)
    labels[np.arange(queries), targets[:queries]] = True
    x, y = scores[:queries][unseen].astype(np.float64), labels[unseen].astype(np.float64)
    if len(x) == 0:
        return Calibration()
    slope, intercept = fit_platt(x, y)
    return Calibration(slope, intercept, fitted_on)


def fit_platt(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and intercept of `fit_logistic`; the slope stays above 0.

    A slope of 0 or below would turn the ranking round: the scores then carry no probability, and
    what is left is the base rate.
    """
    slope, intercept = fit_logistic(x, y)
    return (_LEAST_SLOPE, _log_odds(y)) if slope < _LEAST_SLOPE else (slope, intercept)


def _log_odds(y: NDArray[np.float64]) -> float:
    """Log odds of a label, short of infinity where there is one label only."""
    rate = np.clip(y.mean(), 1e-9, 1 - 1e-9)
    return float(np.log(rate / (1 - rate)))


def fit_logistic(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and intercept of a logistic regression by Newton's method, lightly regularised."""
    centre, spread = float(x.mean()), float(x.std()) or 1.0
    z = (x - centre) / spread
    weight, bias = 0.0, _log_odds(y)
    for _ in range(_NEWTON_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(weight * z + bias, -40, 40)))
        variance = p * (1 - p)
        gradient = np.array([((p - y) * z).sum() + weight, (p - y).sum()])
        curvature = np.array(
            [
                [(variance * z * z).sum() + 1.0, (variance * z).sum()],
                [(variance * z).sum(), variance.sum() + 1e-9],
            ]
        )
        step = np.clip(np.linalg.solve(curvature, gradient), -2.0, 2.0)
        weight, bias = weight - float(step[0]), bias - float(step[1])
        if np.abs(step).max() < 1e-8:
            break
    return weight / spread, bias - weight * centre / spread
