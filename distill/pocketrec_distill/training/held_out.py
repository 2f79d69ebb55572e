"""Texts that an item tower is measured on: held out from it, and how near it comes to them."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

HELD_OUT_SHARE = 0.1


def held_out(count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A drawn tenth of `count` rows, at least one, and the others; a single row is in both."""
    order = np.random.default_rng(seed).permutation(count)
    out = order[: max(1, int(count * HELD_OUT_SHARE))]
    return out, order[len(out) :] if count > 1 else order


def mean_cosine(a: Floats, b: Floats) -> float:
    """Mean cosine of rows with their partners; 0 where a row is zero."""
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / np.maximum(norms, 1e-12)).mean())
