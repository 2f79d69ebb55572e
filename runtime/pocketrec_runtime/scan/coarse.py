"""What a coarse scan tells: an upper and a lower bound of the best score in every block of rows."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.scan.fixed import FixedQuery


@dataclass(frozen=True, eq=False)
class BlockBounds:
    """Bounds of one query, per block of rows; float32, rounded as scores are.

    Attributes:
        lower: (blocks,): at least one row of the block scores this or more.
        upper: (blocks,): no row of the block scores more.
    """

    lower: NDArray[np.float32]
    upper: NDArray[np.float32]


class Coarse(Protocol):
    """A fast scan with a proven error. Safe to share among threads."""

    block: int
    """Rows of a block; block b is rows `b * block` to `(b + 1) * block - 1`."""

    def bounds(self, queries: list[FixedQuery]) -> list[BlockBounds | None]:
        """Bounds for each query; None where its numbers are too large or small to be sure of."""
