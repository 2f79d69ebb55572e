"""The one definition of a score, and of the vectors that the catalogue's rows stand for."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.scan.fixed import FixedQuery

_CHUNK_BYTES = 1 << 20
_QUICK_NUMBERS, _QUICK_FLOATS = 1 << 18, 1 << 14


def quick_rows(width: int, *, floats: bool = False) -> int:
    """Up to so many rows all are scored in less time than a coarse pass and then the best ones.

    Measured 32 to 256 wide: the limit is in numbers, those whose float64 form takes 2 MiB. That of
    float32 rows comes early, as their sums are folded.
    """
    return (_QUICK_FLOATS if floats else _QUICK_NUMBERS) // width


class ItemRows:
    """The stored rows of a catalogue, scored exactly and alike on every device.

    **int8 rows.** With x the fixed-point query `X * 2^e` (see `fixed`), X whole numbers,

        score_i = float32( float64(D_i * 2^e) * float64(scale_i) + float64(bias_i) ),
        D_i = <row_i, X>.

    D_i is a sum of whole numbers below 2^53, so that float64 holds every partial sum: no order of
    summation, no fused multiply-add and no number of threads can change it. What follows is one
    product, one sum and one rounding of IEEE 754.

    **float32 rows.** Products of two float32 are exact in float64; they are added by folding: the
    second half of the columns onto the first until one is left. The order is fixed, so that the
    sum is, too. Then the bias, then one rounding.

    A score beyond float32 is infinite, and such an item never wins.

    Args:
        rows: (n, width) int8 in [-127, 127], or finite float32.
        scales: float32 (n,) for int8 rows, None for float32 rows.
        bias: float32 (n,).
    """

    def __init__(
        self,
        rows: NDArray[np.int8] | NDArray[np.float32],
        scales: NDArray[np.float32] | None,
        bias: NDArray[np.float32],
    ) -> None:
        self.rows = rows
        self.scales = scales
        self.bias = bias
        # For a small catalogue the conversion is half of a scan.
        few = len(rows) <= quick_rows(self.width, floats=scales is None)
        self._wide = rows.astype(np.float64) if few else None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """Length of an item vector."""
        return int(self.rows.shape[1])

    def scores(
        self, query: FixedQuery, indices: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Scores of some rows, or of all: float32 (len(indices),) or (n,).

        Args:
            query: The user vector.
            indices: Which rows, each in 0 to n - 1; None is all.
        """
        count = len(self) if indices is None else len(indices)
        scores = np.empty(count, np.float32)
        step = max(1, _CHUNK_BYTES // (8 * self.width))
        # A score beyond float32 is infinite on purpose.
        with np.errstate(over="ignore"):
            for start in range(0, count, step):
                part = slice(start, start + step)
                scores[part] = self._scores(query, part if indices is None else indices[part])
        return scores

    def scores_in_parts(
        self, queries: Sequence[FixedQuery]
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """The same scores for several queries: slices of the rows, and float32 (rows, queries).

        Args:
            queries: User vectors; without any there are no parts.
        """
        if not queries:
            return
        step = max(1, _CHUNK_BYTES // (8 * self.width))
        for start in range(0, len(self), step):
            part = slice(start, min(start + step, len(self)))
            # A score beyond float32 is infinite on purpose.
            with np.errstate(over="ignore"):
                yield part, self._scores_of_all(queries, part).astype(np.float32)

    def _scores_of_all(self, queries: Sequence[FixedQuery], part: slice) -> NDArray[np.float64]:
        rows = self._wide_rows(part)
        if self.scales is None:
            folded, terms = np.empty((len(rows), len(queries))), np.empty_like(rows)
            for column, query in enumerate(queries):
                folded[:, column] = _folded_sums(np.multiply(rows, query.values, out=terms))
            return folded + self.bias[part, None]
        # Sums of whole numbers below 2^53: a product of matrices adds up to the same.
        sums: NDArray[np.float64] = rows @ np.stack([query.integers for query in queries], axis=1)
        sums *= np.ldexp(1.0, [query.exponent for query in queries])
        sums *= self.scales[part, None]
        sums += self.bias[part, None]
        return sums

    def _scores(self, query: FixedQuery, which: slice | NDArray[np.int64]) -> NDArray[np.float64]:
        rows = self._wide_rows(which)
        if self.scales is None:
            sums = _folded_sums(rows * query.values)
        else:
            sums = np.ldexp(rows @ query.integers, query.exponent)
            sums *= self.scales[which]
        sums += self.bias[which]
        return sums

    def _wide_rows(self, which: slice | NDArray[np.int64]) -> NDArray[np.float64]:
        return self.rows[which].astype(np.float64) if self._wide is None else self._wide[which]


def _folded_sums(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over the columns of (n, width), in a fixed order; overwrites its argument."""
    width = terms.shape[1]
    while width > 1:
        half = (width + 1) // 2
        terms[:, : width - half] += terms[:, half:width]
        width = half
    return terms[:, 0]
