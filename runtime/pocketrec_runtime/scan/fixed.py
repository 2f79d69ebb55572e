"""The user vector in fixed point: what makes a score the same number on every device."""

from dataclasses import dataclass
from math import frexp, isfinite, ldexp

import numpy as np
from numpy.typing import NDArray

FRACTION_BITS = 32
"""Bits of the largest component; with rows of 8 bits and a width of 4096 a sum stays below 2^51."""


@dataclass(frozen=True, eq=False)
class FixedQuery:
    """A user vector as integers times a power of two: `integers * 2.0**exponent`.

    The largest component has 32 bits, so that float32 components down to 1/256 of it are kept
    as they are and smaller ones lose less than 2^-33 of the largest.

    Attributes:
        integers: float64 (width,), whole numbers of magnitude at most 2^32.
        exponent: The power of two.
        largest: The largest magnitude among the integers.
    """

    integers: NDArray[np.float64]
    exponent: int
    largest: float

    @property
    def values(self) -> NDArray[np.float64]:
        """The vector, float64 (width,); exact."""
        return np.ldexp(self.integers, self.exponent)


def fix(query: NDArray[np.float32]) -> FixedQuery | None:
    """The query (width,) in fixed point; None where it holds NaN or infinity."""
    largest = float(np.abs(query).max(initial=0.0))
    if not isfinite(largest):
        return None
    exponent = frexp(largest)[1] - FRACTION_BITS
    integers = np.rint(query * np.float64(ldexp(1.0, -exponent)))
    return FixedQuery(integers, exponent, ldexp(largest, -exponent))
