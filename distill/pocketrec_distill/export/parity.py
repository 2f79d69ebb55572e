"""How far two ways of computing the same scores agree."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from pocketrec_distill.models.base import Floats, History
from pocketrec_runtime.tuning import kendall_tau, top_overlap

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
        overlaps.append(top_overlap(top_first, top_second))
        taus.append(kendall_tau(first[both], second[both]))
    return Parity(
        float(difference.max()),
        float(difference.mean()),
        float(np.mean(overlaps)) if overlaps else 1.0,
        float(np.mean(taus)) if taus else 1.0,
    )
