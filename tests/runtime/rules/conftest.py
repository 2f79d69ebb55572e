"""Small catalogues whose every value stands in the test."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

import pocketrec_runtime as rt


def make_catalogue(columns: Mapping[str, Sequence], vectors: np.ndarray | None = None):
    n = len(next(iter(columns.values())))
    rows = np.eye(n, 3, dtype=np.float32) if vectors is None else vectors.astype(np.float32)
    return rt.Catalogue(
        ids=tuple(f"i{index}" for index in range(n)),
        rows=rows,
        scales=None,
        bias=np.zeros(n, np.float32),
        popularity=np.zeros(n, np.float32),
        columns={"title": (None,) * n, **columns},
    )


@pytest.fixture(scope="session")
def make() -> Callable:
    """Columns (and vectors, otherwise unit rows) -> a catalogue of items i0, i1, ..."""
    return make_catalogue
