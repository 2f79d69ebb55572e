"""The coarse scan of float32 rows: a product of BLAS, with a proven error."""

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.scan.coarse import BlockBounds
from pocketrec_runtime.scan.fixed import FixedQuery

_LIMIT = 1e37


class FloatCoarse:
    """Scores of float32 rows in whatever order BLAS sums them; every row is a block of its own.

    **Proof of the bound.** A float32 inner product of length w, in any order of summation, with
    or without fused multiply-add, is off by at most w u / (1 - w u) * sum |v_j x_j| with
    u = 2^-24 (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1); for
    w <= 4096 that is below 2 w u ||v|| ||x||. Rounding the query to float32 and adding the bias
    move the score by at most 2 u (||v|| ||x|| + |b|) more, underflow of w products and sums by
    w 2^-125. The bound used is twice of that: (w + 2) 2^-22 (||v|| ||x|| + |b|) + w 2^-124.

    Args:
        rows: float32 (n, width), n at least 1.
        bias: float32 (n,).
    """

    block = 1

    def __init__(self, rows: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        self._rows = rows
        self._bias = bias
        # float64 inside: a square may lie beyond float32.
        self._norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
        self._largest_norm = float(self._norms.max())
        self._largest_bias = float(np.abs(bias).max())

    def bounds(self, queries: list[FixedQuery]) -> list[BlockBounds | None]:
        """Bounds for each query; None where its numbers are too large to be sure of."""
        return [self._bounds(query) for query in queries]

    def _bounds(self, query: FixedQuery) -> BlockBounds | None:
        values = query.values
        norm = float(np.sqrt(values @ values))
        if self._largest_norm * norm + self._largest_bias > _LIMIT or norm > _LIMIT:
            return None
        scores = self._rows @ values.astype(np.float32)
        scores += self._bias
        width = len(values)
        unit = (width + 2) * 2.0**-22
        error = self._norms * (unit * norm)
        error += unit * np.abs(self._bias)
        error += width * 2.0**-124
        return BlockBounds((scores - error).astype(np.float32), (scores + error).astype(np.float32))
