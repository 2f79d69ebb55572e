"""Catalogues of any size from a bundle's own distribution of item vectors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime import Catalogue

JITTER = 0.25
"""Standard deviation of what is added to a drawn row, over that of the rows themselves."""

_CHUNK = 65_536


@dataclass(frozen=True, eq=False)
class Vectors:
    """Items without ids: what a catalogue of any precision is made of.

    Attributes:
        rows: float32 (n, width).
        bias: float32 (n,).
        popularity: float32 (n,), sums to 1 or is all 0.
    """

    rows: NDArray[np.float32]
    bias: NDArray[np.float32]
    popularity: NDArray[np.float32]


def drawn_vectors(catalogue: Catalogue, items: int, seed: int) -> Vectors:
    """So many items that are spread as those of a catalogue.

    Fewer than it holds are a sample of it without repeats. More are a smoothed bootstrap (Silverman
    and Young, Biometrika 1987): a row drawn at random, moved by Gaussian noise of the rows'
    own covariance, and shrunk so that mean and covariance stay what they are. Bias and
    popularity are those of the drawn row.

    Args:
        catalogue: The bundle's own.
        items: How many, at least 1.
        seed: Of the drawing.
    """
    rng = np.random.default_rng(seed)
    count = len(catalogue)
    if items <= count:
        places = np.sort(rng.permutation(count)[:items])
        rows = np.ascontiguousarray(catalogue.vectors_of(places))
    else:
        places = rng.integers(count, size=items)
        rows = _smoothed(catalogue, places, rng)
    popularity = catalogue.popularity[places].astype(np.float64)
    total = popularity.sum()
    shares = popularity / total if total else popularity
    return Vectors(rows, catalogue.bias[places].copy(), shares.astype(np.float32))


def named(vectors: Vectors, rows: NDArray[np.int8] | NDArray[np.float32],
          scales: NDArray[np.float32] | None) -> Catalogue:  # fmt: skip
    """A catalogue of drawn items whose ids are their numbers; rows as they are to be stored."""
    count = len(vectors.rows)
    return Catalogue(
        ids=[f"item-{number:07d}" for number in range(count)],
        rows=rows,
        scales=scales,
        bias=vectors.bias,
        popularity=vectors.popularity,
        columns={"title": [None] * count},
    )


def _smoothed(
    catalogue: Catalogue, places: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float32]:
    own = catalogue.vectors_of(np.arange(len(catalogue))).astype(np.float64)
    mean = own.mean(axis=0)
    # A square root of the covariance: the rows need not span every direction.
    _, spread, directions = np.linalg.svd(own - mean, full_matrices=False)
    root = (spread / np.sqrt(len(own)))[:, None] * directions * JITTER
    shrink = 1 / np.sqrt(1 + JITTER**2)
    found = np.empty((len(places), own.shape[1]), np.float32)
    for start in range(0, len(places), _CHUNK):
        part = places[start : start + _CHUNK]
        moved = own[part] - mean + rng.normal(size=(len(part), len(root))) @ root
        found[start : start + len(part)] = mean + shrink * moved
    return found
