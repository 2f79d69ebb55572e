"""Click metrics: how well probabilities of single candidates order and mean what they say.

Pure functions of scores or probabilities float64 (rows,), labels 0/1 (rows,), and, where rows
belong together, one group (an impression or a user) per row.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocketrec_distill.errors import DataError
from pocketrec_distill.evaluation.bootstrap import mean_interval

BINS = 15
# A probability of 0 that was wrong costs this much at most: -ln(1e-7), about 16.
LEAST_PROBABILITY = 1e-7

Floats = NDArray[np.float64]


def midranks(values: ArrayLike) -> Floats:
    """Ranks from 1, smallest first; equal values share the mean of their ranks.

    Raises:
        DataError: A value is not finite, or `values` is not one row.
    """
    checked = _finite(values, "scores")
    _, inverse, counts = np.unique(checked, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Floats = (last - (counts - 1) / 2.0)[inverse]
    return ranks


def auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Probability that a click scores above a non-click, ties counting half.

    The Mann-Whitney statistic by midranks (Hanley and McNeil, 1982).

    Raises:
        DataError: Scores are not finite, labels are not 0/1, shapes differ, or only one label is
            there, where the AUC is not defined.
    """
    ranks, clicked = midranks(scores), _labels(labels, np.shape(scores))
    positives = int(clicked.sum())
    negatives = len(clicked) - positives
    if positives == 0 or negatives == 0:
        raise DataError(
            f"AUC needs clicks and non-clicks; given {positives} and {negatives} of them"
        )
    least = positives * (positives + 1) / 2.0
    return float((ranks[clicked].sum() - least) / (positives * negatives))


@dataclass(frozen=True, eq=False)
class GroupAuc:
    """AUC within each group that has both labels.

    Attributes:
        values: AUC of each such group, in order of first appearance, (groups,).
        sizes: Rows of each such group, (groups,).
        skipped: Groups left out, because all their labels are equal.
    """

    values: Floats
    sizes: NDArray[np.int64]
    skipped: int

    @property
    def mean(self) -> float:
        """Every group counts the same, as in MIND's leaderboard (Wu et al., ACL 2020)."""
        return float(self.values.mean())

    @property
    def weighted(self) -> float:
        """Groups count with their rows: GAUC of DIN (Zhou et al., KDD 2018, eq. 7)."""
        return float(np.average(self.values, weights=self.sizes))


def group_auc(scores: ArrayLike, labels: ArrayLike, groups: ArrayLike) -> GroupAuc:
    """AUC of each group on its own: whether clicks come first among what stood together.

    Args:
        scores: Finite, (rows,).
        labels: 0 or 1, (rows,).
        groups: Any hashable key per row (an impression, or a user), (rows,).

    Raises:
        DataError: As `auc`, or no group has both a click and a non-click.
    """
    checked = _finite(scores, "scores")
    clicked = _labels(labels, checked.shape)
    keys = np.asarray(groups)
    if keys.shape != checked.shape:
        raise DataError(f"groups have shape {keys.shape}, scores {checked.shape}; give one each")
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    ends = np.cumsum(np.bincount(inverse))
    found: list[tuple[int, float, int]] = []
    for place, rows in enumerate(np.split(order, ends[:-1])):
        if clicked[rows].any() and not clicked[rows].all():
            found.append((int(first[place]), auc(checked[rows], clicked[rows]), len(rows)))
    if not found:
        raise DataError("no group has both a click and a non-click; group AUC is not defined")
    found.sort()
    return GroupAuc(
        np.array([value for _, value, _ in found]),
        np.array([size for _, _, size in found], dtype=np.int64),
        len(ends) - len(found),
    )


def log_loss(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Mean negative log likelihood in nats; probabilities are kept LEAST_PROBABILITY from 0 and 1.

    Raises:
        DataError: Probabilities are not within 0 to 1, or labels are not 0/1.
    """
    p = np.clip(_probabilities(probabilities), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    clicked = _labels(labels, p.shape)
    return float(-np.where(clicked, np.log(p), np.log1p(-p)).mean())


def expected_calibration_error(
    probabilities: ArrayLike, labels: ArrayLike, bins: int = BINS
) -> float:
    """Mean gap between promised and seen click rates over bins of equal mass.

    The ECE of Naeini, Cooper and Hauskrecht (AAAI 2015), over bins that hold equally many rows
    instead of equally wide ones, so that small probabilities do not all share the first. Rows of
    equal probability may fall into two bins: each takes the mean label of all of them, so that the
    order of rows does not matter.

    Args:
        probabilities: Within 0 to 1, (rows,).
        labels: 0 or 1, (rows,).
        bins: How many; fewer rows than bins give a bin each.

    Raises:
        DataError: As `log_loss`, or `bins` is below 1.
    """
    if bins < 1:
        raise DataError(f"bins is {bins}; give at least 1")
    p = _probabilities(probabilities)
    clicked = _labels(labels, p.shape)
    values, inverse, counts = np.unique(p, return_inverse=True, return_counts=True)
    rates = np.bincount(inverse, weights=clicked) / counts
    seen = np.repeat(rates, counts)
    promised = np.repeat(values, counts)
    parts = np.array_split(seen - promised, min(bins, len(p)))
    return float(sum(abs(part.sum()) for part in parts) / len(p))


@dataclass(frozen=True, eq=False)
class Scored:
    """Candidates with what a model said and what the user did.

    Attributes:
        scores: float64 (rows,), finite.
        probabilities: float64 (rows,), within 0 to 1.
        labels: 0 or 1, (rows,).
        impressions: Which impression a row belongs to, int64 (rows,).
        users: Which user a row belongs to, int64 (rows,).
    """

    scores: Floats
    probabilities: Floats
    labels: NDArray[np.bool_]
    impressions: NDArray[np.int64]
    users: NDArray[np.int64]


def summarise_clicks(scored: Scored, seed: int = 0) -> Mapping[str, object]:
    """The keys of `evaluate --impressions`, with a bootstrap interval over impressions.

    `group_auc` is MIND's mean over impressions, or over users where every impression has but one
    label (`groups` says which); `group_auc_by_user_weighted` is DIN's GAUC over users. The base
    rate's log loss stands beside the model's: a model that is no better knows nothing.

    Raises:
        DataError: No user has both a click and a non-click.
    """
    users = group_auc(scored.scores, scored.labels, scored.users)
    by_impression = _some_group_has_both(scored.labels, scored.impressions)
    groups = group_auc(scored.scores, scored.labels, scored.impressions) if by_impression else users
    interval = mean_interval(groups.values, seed)
    rate = np.full(len(scored.labels), scored.labels.mean())
    return {
        "groups": "impressions" if by_impression else "users",
        "group_auc": groups.mean,
        "group_auc_ci95": [interval.low, interval.high],
        "group_auc_by_user_weighted": users.weighted,
        "auc": auc(scored.scores, scored.labels),
        "log_loss": log_loss(scored.probabilities, scored.labels),
        "log_loss_of_base_rate": log_loss(rate, scored.labels),
        "expected_calibration_error": expected_calibration_error(
            scored.probabilities, scored.labels
        ),
        "click_rate": float(scored.labels.mean()),
        "mean_probability": float(scored.probabilities.mean()),
        "groups_measured": len(groups.values),
        "groups_without_both_labels": groups.skipped,
        "candidates": len(scored.labels),
    }


def _some_group_has_both(labels: NDArray[np.bool_], groups: NDArray[np.int64]) -> bool:
    _, place = np.unique(groups, return_inverse=True)
    shown = np.bincount(place)
    clicked = np.bincount(place, weights=labels)
    return bool(((clicked > 0) & (clicked < shown)).any())


def _finite(values: ArrayLike, what: str) -> Floats:
    checked = np.asarray(values, dtype=np.float64)
    if checked.ndim != 1 or not len(checked):
        raise DataError(f"{what} have shape {checked.shape}; give one row of at least one value")
    if not np.isfinite(checked).all():
        raise DataError(f"{what} hold {int((~np.isfinite(checked)).sum())} values not finite")
    return checked


def _probabilities(values: ArrayLike) -> Floats:
    checked = _finite(values, "probabilities")
    if checked.min() < 0 or checked.max() > 1:
        raise DataError(
            f"probabilities reach from {checked.min()} to {checked.max()}; they lie in 0 to 1"
        )
    return checked


def _labels(labels: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    checked = np.asarray(labels)
    if checked.shape != shape or not np.isin(checked, (0, 1)).all():
        raise DataError(
            f"labels of shape {checked.shape} for {shape} rows; give 0 or 1 for each row"
        )
    return checked.astype(np.bool_)
