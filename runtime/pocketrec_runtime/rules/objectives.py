"""What diversity and calibration cost a candidate, given the items already placed."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.catalogue import Catalogue
from pocketrec_runtime.packed import ColumnValue
from pocketrec_runtime.rules.settings import CalibratedShares, Diversity

SMOOTHING = 0.01
"""Steck's alpha: q is mixed with this share of p, so that a value not yet in the answer has a
finite cost."""


class Objective(Protocol):
    """A cost of each candidate of a pool, that changes as items are placed."""

    strength: float

    def extend(self, indices: NDArray[np.int64]) -> None:
        """Take item indices into the pool, behind those already there."""

    def place(self, index: int) -> None:
        """An item stands in the answer now."""

    def cost(self) -> NDArray[np.float64]:
        """(pool,) what placing each candidate next would cost; lower is better."""


class NearestPlaced:
    """MMR: the similarity of a candidate to the nearest placed item; 0 where none is placed."""

    def __init__(self, diversity: Diversity, catalogue: Catalogue) -> None:
        self.strength = diversity.strength
        self._features = _features(diversity, catalogue)
        self._pool = np.empty(0, np.int64)
        self._placed: list[int] = []
        self._nearest = np.empty(0)

    def extend(self, indices: NDArray[np.int64]) -> None:
        """Take item indices into the pool; they are compared with everything placed."""
        self._pool = np.concatenate([self._pool, indices])
        self._features.read(self._pool)
        self._nearest = np.full(self._pool.size, -np.inf)
        for index in self._placed:
            np.maximum(self._nearest, self._features.similarity(index), out=self._nearest)

    def place(self, index: int) -> None:
        """Compare every candidate with one more placed item."""
        self._placed.append(index)
        np.maximum(self._nearest, self._features.similarity(index), out=self._nearest)

    def cost(self) -> NDArray[np.float64]:
        """(pool,) similarity to the nearest placed item, in [-1, 1]."""
        return self._nearest if self._placed else np.zeros(self._pool.size)


class SharesDivergence:
    """Steck's calibration: KL(p || q) of the answer with the candidate added.

    Args:
        shares: The column and the strength.
        catalogue: Where the values stand.
        target: p: value -> share, of positive shares that sum to 1.
    """

    def __init__(
        self, shares: CalibratedShares, catalogue: Catalogue, target: Mapping[ColumnValue, float]
    ) -> None:
        self.strength = shares.strength
        self._column = catalogue.columns[shares.column]
        self._place_of = {value: place for place, value in enumerate(target)}
        self._p = np.array(list(target.values()))
        self._pool = np.empty((0, self._p.size))
        self._sum = np.zeros(self._p.size)
        self._placed = 0

    def extend(self, indices: NDArray[np.int64]) -> None:
        """Take item indices into the pool."""
        self._pool = np.concatenate([self._pool, self._parts(indices.tolist())])

    def place(self, index: int) -> None:
        """Add an item's parts to the shares of the answer."""
        self._sum += self._parts([index])[0]
        self._placed += 1

    def cost(self) -> NDArray[np.float64]:
        """(pool,) KL(p || q) with each candidate added, in nats."""
        q = (self._sum + self._pool) / (self._placed + 1)
        smoothed = (1 - SMOOTHING) * q + SMOOTHING * self._p
        return np.asarray((self._p * np.log(self._p / smoothed)).sum(axis=1))

    def _parts(self, indices: list[int]) -> NDArray[np.float64]:
        """(indices, values of p): each item in equal parts over its values."""
        parts = np.zeros((len(indices), self._p.size))
        for row, index in enumerate(indices):
            values = _values(self._column[index])
            for value in values:
                if (place := self._place_of.get(value)) is not None:
                    parts[row, place] = 1 / len(values)
        return parts


def target_shares(
    shares: CalibratedShares, catalogue: Catalogue, history: tuple[int, ...]
) -> dict[ColumnValue, float]:
    """p: value -> share, summing to 1; empty where neither history nor target says anything."""
    weights: dict[ColumnValue, float] = {}
    if shares.target is not None:
        weights = {value: float(weight) for value, weight in shares.target.items() if weight > 0}
    else:
        column = catalogue.columns[shares.column]
        for index in history:
            values = _values(column[index])
            for value in values:
                weights[value] = weights.get(value, 0.0) + 1 / len(values)
    total = sum(weights.values())
    return {value: weight / total for value, weight in weights.items()}


class _Features(Protocol):
    """A similarity of items, read for one pool at a time."""

    def read(self, pool: NDArray[np.int64]) -> None:
        """Prepare the items that `similarity` compares with."""

    def similarity(self, index: int) -> NDArray[np.float64]:
        """(pool,) similarity of an item to each item of the pool."""


class _Vectors:
    """Cosine of item vectors; a vector of zeros is similar to nothing."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._units = np.empty((0, catalogue.width))

    def read(self, pool: NDArray[np.int64]) -> None:
        self._units = self._unit(pool)

    def similarity(self, index: int) -> NDArray[np.float64]:
        return np.asarray(self._units @ self._unit(np.array([index]))[0])

    def _unit(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        # A row's scale is positive, and a direction does not know it.
        rows = self._catalogue.rows[indices].astype(np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        return np.asarray(rows / np.where(lengths > 0, lengths, 1)[:, None])


class _Values:
    """Jaccard overlap of a column's values; items without a value are similar to nothing."""

    def __init__(self, catalogue: Catalogue, column: str) -> None:
        self._column = catalogue.columns[column]
        self._place_of: dict[ColumnValue, int] = {}
        self._has = np.empty((0, 0))
        self._sizes = np.empty(0)

    def read(self, pool: NDArray[np.int64]) -> None:
        values = [_values(self._column[index]) for index in pool.tolist()]
        self._place_of = {
            value: place for place, value in enumerate(dict.fromkeys(sum(values, ())))
        }
        self._has = np.zeros((len(values), len(self._place_of)))
        for row, parts in enumerate(values):
            self._has[row, [self._place_of[value] for value in parts]] = 1
        self._sizes = self._has.sum(axis=1)

    def similarity(self, index: int) -> NDArray[np.float64]:
        values = _values(self._column[index])
        places = [self._place_of[value] for value in values if value in self._place_of]
        shared = self._has[:, places].sum(axis=1)
        either = self._sizes + len(values) - shared
        return np.asarray(shared / np.where(either > 0, either, 1))


def _features(diversity: Diversity, catalogue: Catalogue) -> _Features:
    if diversity.column is None:
        return _Vectors(catalogue)
    return _Values(catalogue, diversity.column)


def _values(value: ColumnValue) -> tuple[ColumnValue, ...]:
    """Distinct values of a cell; none for None."""
    if isinstance(value, tuple):
        return tuple(dict.fromkeys(value))
    return () if value is None else (value,)
