"""The order that rules start from: the user tower's scores, or given ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.catalogue import Catalogue
from pocketrec_runtime.scan import Scan, best, check_mask


class Ranking(Protocol):
    """Scores of n items, asked for as far as they are needed."""

    @property
    def slope(self) -> float | None:
        """Slope of the calibration of the scores; None where they are shares."""
        ...

    def top(self, m: int, mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Indices and scores of the m best items where the mask (n,) is True, best first."""
        ...

    def scores(self, indices: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Scores of these items, or of all n."""
        ...


@dataclass(frozen=True, eq=False)
class ScanRanking:
    """A user vector's scores: the pool comes from the exact scan, nothing else is computed.

    Attributes:
        scan: The catalogue's scan.
        vector: User vector, (width,).
        slope: Slope of the calibration.
    """

    scan: Scan
    vector: NDArray[np.float32]
    slope: float | None

    def top(self, m: int, mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Indices and scores of the m best items where the mask is True, best first."""
        found = self.scan.top_k(self.vector, m, allow=mask)
        return found.indices, found.scores

    def scores(self, indices: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Scores of these items, or of all."""
        return self.scan.scores(self.vector, indices)


@dataclass(frozen=True, eq=False)
class ScoreRanking:
    """Scores that are already there.

    Attributes:
        values: (n,) scores, or popularity shares; NaN and infinities are never ranked.
        slope: Slope of their calibration; None where they are shares.
    """

    values: NDArray[np.float32]
    slope: float | None = None

    def top(self, m: int, mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Indices and scores of the m best items where the mask is True, best first."""
        check_mask(mask, len(self.values))
        return best(np.where(mask, self.values, np.float32(-np.inf)), m)

    def scores(self, indices: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Scores of these items, or of all."""
        return self.values if indices is None else self.values[indices]


def ranking_of(
    catalogue: Catalogue, scan: Scan, vector: NDArray[np.float32] | None, slope: float
) -> Ranking:
    """The ranking for a user vector (width,), or by popularity for None."""
    if vector is None:
        return ScoreRanking(catalogue.popularity)
    return ScanRanking(scan, vector, slope)


class BoostedRanking:
    """A ranking with boosts.

    Items of one factor keep their order, so that the ranking is asked once per distinct factor.

    Args:
        ranking: n items.
        factors: Masks (n,) that share no item and cover all, each with the ln of its factor.
    """

    def __init__(
        self, ranking: Ranking, factors: Sequence[tuple[NDArray[np.bool_], float]]
    ) -> None:
        self._ranking = ranking
        self._factors = factors

    def top(self, m: int, mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Indices and boosted scores of the m best items where the mask is True, best first."""
        parts = [self._part(m, mask & which, factor) for which, factor in self._factors]
        indices = np.concatenate([part[0] for part in parts])
        scores = np.concatenate([part[1] for part in parts])
        order = np.lexsort((indices, -scores))[:m]
        return indices[order], scores[order]

    def _part(
        self, m: int, mask: NDArray[np.bool_], log_factor: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        indices, scores = self._ranking.top(m, mask)
        slope = self._ranking.slope
        if slope is None:
            return indices, scores * np.exp(log_factor)
        # float64: a float32 sum could make ties that the scores do not have.
        return indices, scores.astype(np.float64) + log_factor / slope
