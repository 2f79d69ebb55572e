"""How far two ways of computing the same scores agree."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.models.base import Floats, History

TOP = 10


@dataclass(frozen=True)
class Parity:
    """Agreement of two score matrices over the same queries.

    Attributes:
        max_difference: Largest absolute difference of a score.
        mean_difference: Mean absolute difference.
        top10_overlap: Mean share of the reference's unseen top 10 found in the other's.
        kendall_tau: Mean Kendall tau-b of the two orders over the union of their top 10.
    """

    max_difference: float
    mean_difference: float
    top10_overlap: float
    kendall_tau: float

    def as_dict(self) -> dict[str, float]:
        """The form that stands in reports."""
        return asdict(self)


def kendall_tau(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Kendall's tau-b of two short score lists (Kendall, 1945); 1 where neither orders anything."""
    upper = np.triu_indices(len(a), k=1)
    first = np.sign(a[:, None] - a[None, :])[upper]
    second = np.sign(b[:, None] - b[None, :])[upper]
    spread = np.sqrt(np.abs(first).sum() * np.abs(second).sum())
    if spread == 0:
        return 1.0 if np.array_equal(first, second) else 0.0
    return float((first * second).sum() / spread)


def compare_scores(reference: Floats, other: Floats, histories: Sequence[History]) -> Parity:
    """Agreement of `other` with `reference`, both float32 (queries, items).

    Items of each query's history are left out of the ranked lists.
    """
    difference = np.abs(reference - other)
    overlaps, taus = [], []
    for row, history in enumerate(histories):
        first, second = reference[row].copy(), other[row].copy()
        first[history] = second[history] = -np.inf
        size = min(TOP, len(first) - len(np.unique(history)))
        if size == 0:
            continue
        top_first = np.argsort(-first, kind="stable")[:size]
        top_second = np.argsort(-second, kind="stable")[:size]
        both = np.union1d(top_first, top_second)
        overlaps.append(len(np.intersect1d(top_first, top_second)) / size)
        taus.append(kendall_tau(first[both], second[both]))
    return Parity(
        float(difference.max()),
        float(difference.mean()),
        float(np.mean(overlaps)) if overlaps else 1.0,
        float(np.mean(taus)) if taus else 1.0,
    )
