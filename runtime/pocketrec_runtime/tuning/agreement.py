"""How far two rankings agree."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def kendall_tau(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> float:
    """Kendall's tau-b of two short score lists (Kendall, 1945); 1 where neither orders anything."""
    upper = np.triu_indices(len(a), k=1)
    first = np.sign(a[:, None] - a[None, :])[upper]
    second = np.sign(b[:, None] - b[None, :])[upper]
    spread = np.sqrt(np.abs(first).sum() * np.abs(second).sum())
    if spread == 0:
        return 1.0 if np.array_equal(first, second) else 0.0
    return float((first * second).sum() / spread)


def top_overlap(reference: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Share of the reference's items that the other list holds; 1 for empty lists."""
    if len(reference) == 0:
        return 1.0
    return len(np.intersect1d(reference, other)) / len(reference)
