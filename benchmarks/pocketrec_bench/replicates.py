"""Whether replicates of one run agree with each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from pocketrec_bench.results import Result

LIMIT = 0.05
"""Replicates of a figure that may be quoted differ by at most so much."""


@dataclass(frozen=True)
class Agreement:
    """How far replicates lie apart.

    Attributes:
        runs: How many.
        fastest_s: Smallest median latency.
        slowest_s: Largest.
        limit: Largest spread that agrees.
    """

    runs: int
    fastest_s: float
    slowest_s: float
    limit: float = LIMIT

    @property
    def spread(self) -> float:
        """Slowest / fastest - 1."""
        return self.slowest_s / self.fastest_s - 1

    @property
    def agrees(self) -> bool:
        """Whether the spread is within the limit."""
        return self.spread <= self.limit + 1e-9

    def __str__(self) -> str:
        said = "agree" if self.agrees else "do not agree"
        return (
            f"{self.runs} replicates {said}: medians from {self.fastest_s * 1e3:.4g} to "
            f"{self.slowest_s * 1e3:.4g} ms, {self.spread:.1%} apart, at most {self.limit:.0%}"
        )


def agreement(replicates: Sequence[Result], limit: float = LIMIT) -> Agreement:
    """The agreement of runs with equal settings in their median latency.

    Raises:
        ValueError: Fewer than two runs, or runs of different settings or bundles.
    """
    if len(replicates) < 2:
        raise ValueError(f"{len(replicates)} runs have nothing to agree with; give at least 2")
    first = replicates[0]
    if any((r.settings, r.subject) != (first.settings, first.subject) for r in replicates):
        raise ValueError("runs of different settings or bundles are no replicates")
    medians = [result.latency.p50_s for result in replicates]
    return Agreement(len(medians), min(medians), max(medians), limit)
