"""Click probabilities: temperature, Platt scaling or an isotonic curve, by held-out loss."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.calibration import fit_platt
from pocketrec_distill.evaluation.pointwise import LEAST_PROBABILITY
from pocketrec_runtime import Calibration, Curve

Floats = NDArray[np.float64]

MAX_KNOTS = 256
_FOLDS = 5
# A curve of a few rows says 0 and 1 where nothing is known: each block gets half a click and half
# a non-click of prior (Krichevsky and Trofimov, 1981).
_PRIOR = 0.5


def temperature(scores: Floats, labels: Floats) -> Calibration:
    """Scores divided by a temperature, with nothing added (Guo et al., ICML 2017)."""
    slope, low, high = 1.0, 1e-3, 1e3
    for _ in range(100):
        # The loss is convex in the slope: its derivative changes its sign once.
        slope = float(np.sqrt(low * high))
        gradient = float(((_sigmoid(slope * scores) - labels) * scores).sum())
        low, high = (slope, high) if gradient < 0 else (low, slope)
    return Calibration(slope, 0.0, "")


def platt(scores: Floats, labels: Floats) -> Calibration:
    """A slope and an intercept (Platt, 1999); the slope stays above 0."""
    slope, intercept = fit_platt(scores, labels)
    return Calibration(slope, intercept, "")


def isotonic(scores: Floats, labels: Floats) -> Calibration:
    """A rising curve by pool-adjacent-violators (Zadrozny and Elkan, KDD 2002), Platt beside it."""
    values, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    clicks: Floats = np.bincount(inverse, weights=labels).astype(np.float64)
    at, share = pool_adjacent_violators(values, clicks, counts.astype(np.float64))
    if len(at) > MAX_KNOTS:
        kept = np.unique(np.linspace(0, len(at) - 1, MAX_KNOTS).astype(int))
        at, share = at[kept], share[kept]
    fallback = platt(scores, labels)
    curve = Curve(tuple(at.tolist()), tuple(share.tolist()))
    return Calibration(fallback.slope, fallback.intercept, "", curve=curve)


def pool_adjacent_violators(
    scores: Floats, clicks: Floats, counts: Floats
) -> tuple[Floats, Floats]:
    """Blocks of rising click rate.

    Args:
        scores: Strictly rising, (groups,).
        clicks: Clicks at each score, (groups,).
        counts: Rows at each score, (groups,).

    Returns:
        Mean score of each block, and its click rate with half a click of prior to either side;
        rates do not fall.
    """
    blocks: list[list[float]] = []
    for score, clicked, count in zip(scores, clicks, counts, strict=True):
        blocks.append([float(score * count), float(clicked), float(count)])
        while len(blocks) > 1 and _rate(blocks[-2]) >= _rate(blocks[-1]):
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    at = np.array([total / count for total, _, count in blocks])
    # The prior can turn two blocks of different size round.
    return at, np.maximum.accumulate([_rate(block) for block in blocks])


def _rate(block: list[float]) -> float:
    _, clicked, count = block
    return (clicked + _PRIOR) / (count + 2 * _PRIOR)


METHODS: Mapping[str, Callable[[Floats, Floats], Calibration]] = {
    "temperature": temperature,
    "platt": platt,
    "isotonic": isotonic,
}


def best_calibration(
    scores: Floats, labels: Floats, groups: NDArray[np.int64], fitted_on: str
) -> tuple[Calibration, Mapping[str, float]]:
    """The method of least log loss on rows that it was not fitted on, fitted on all rows.

    A method with more freedom takes the place of one with less only where it is better by more
    than a standard error.

    Args:
        scores: Of a model that did not learn from these rows, float64 (rows,).
        labels: 0 or 1, float64 (rows,).
        groups: Rows of a group (an impression, a user) are held out together, (rows,).
        fitted_on: What to name as the data.

    Returns:
        The calibration, and the held-out log loss of every method.
    """
    _, place = np.unique(groups, return_inverse=True)
    folds = place % _FOLDS
    losses = {name: _held_out(fit, scores, labels, folds) for name, fit in METHODS.items()}
    best, *others = METHODS
    for name in others:
        gain = losses[best] - losses[name]
        if gain.mean() > gain.std() / np.sqrt(len(gain)):
            best = name
    chosen = METHODS[best](scores, labels)
    calibration = replace(chosen, fitted_on=f"{fitted_on}, {best}")
    return calibration, {name: float(loss.mean()) for name, loss in losses.items()}


def _held_out(
    fit: Callable[[Floats, Floats], Calibration],
    scores: Floats,
    labels: Floats,
    folds: NDArray[np.int64],
) -> Floats:
    """Log loss of each row by a calibration that was fitted without its fold."""
    found = np.full(len(labels), labels.mean())
    for fold in np.unique(folds):
        held_out = folds == fold
        if not held_out.all():
            kept = fit(scores[~held_out], labels[~held_out])
            found[held_out] = kept.probability(scores[held_out])
    found = np.clip(found, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    loss: Floats = -np.where(labels > 0, np.log(found), np.log1p(-found))
    return loss


def _sigmoid(x: Floats) -> Floats:
    return 0.5 * (1.0 + np.tanh(0.5 * x))
