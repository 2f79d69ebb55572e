"""A delta laid over a catalogue: a new catalogue, the old one untouched."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime import limits
from pocketrec_runtime.catalogue import Catalogue
from pocketrec_runtime.delta.delta import AS_IT_IS, CatalogueDelta
from pocketrec_runtime.errors import DeltaError
from pocketrec_runtime.packed import Column, PackedIds, PatchedColumn
from pocketrec_runtime.quantize import quantize_rows


@dataclass(frozen=True, eq=False)
class Applied:
    """A catalogue after a delta.

    Attributes:
        catalogue: The items; those that the catalogue held before keep their indices.
        moved: Indices of old items whose vectors are others now; a cache that read one of them
            is stale.
    """

    catalogue: Catalogue
    moved: NDArray[np.int64]


def apply_delta(catalogue: Catalogue, delta: CatalogueDelta, *, model: str) -> Applied:
    """Adds, changes and retires items of the catalogue of a model, named by its fingerprint.

    Raises:
        DeltaError: The delta is for another model, has another width or a column that the
            catalogue lacks, keeps the vector of an item that is not there, retires one, tells of
            more known items than there are, or makes the catalogue too large.
    """
    if delta.model != model:
        raise DeltaError(
            f"the delta is for model {delta.model[:12]}, this is {model[:12]}; make it again with "
            "this bundle"
        )
    places = _places(catalogue, delta)
    n = int(max(len(catalogue), places.max(initial=-1) + 1))
    rows, scales, moved = _rows(catalogue, delta, places, n)
    active = _active(catalogue, delta, places, n)
    grown = Catalogue(
        ids=_ids(catalogue, delta, places),
        rows=rows,
        scales=scales,
        bias=_put(
            _told(catalogue.bias, delta.known_bias, "biases"),
            n,
            places[~delta.kept],
            delta.bias[~delta.kept],
        ),
        popularity=_popularity(catalogue, delta, places, active),
        columns={
            name: _column(column, delta, name, places, n)
            for name, column in catalogue.packed_columns.items()
        },
        active=None if active.all() else active,
    )
    return Applied(grown, moved)


def _places(catalogue: Catalogue, delta: CatalogueDelta) -> NDArray[np.int64]:
    """(m,) the index that each item of the delta has afterwards, once the delta fits."""
    if delta.vectors.shape[1] != catalogue.width:
        raise DeltaError(f"the delta has width {delta.vectors.shape[1]}, not {catalogue.width}")
    if extra := set(delta.columns) - set(catalogue.columns):
        raise DeltaError(f"the delta has a column {min(extra)!r}; the catalogue has none")
    places = np.array(catalogue.indices_of(delta.ids), np.int64)
    added = places < 0
    if (added & delta.kept).any():
        at = int(np.flatnonzero(added & delta.kept)[0])
        raise DeltaError(f"item {delta.ids[at]!r} is not there to keep its vector; give one")
    places[added] = len(catalogue) + np.arange(added.sum())
    if len(catalogue) + int(added.sum()) > limits.MAX_ITEMS:
        raise DeltaError(f"more than {limits.MAX_ITEMS} items; distil a new bundle")
    return places


def _ids(catalogue: Catalogue, delta: CatalogueDelta, places: NDArray[np.int64]) -> PackedIds:
    new = [delta.ids[at] for at in np.flatnonzero(places >= len(catalogue)).tolist()]
    return catalogue.packed_ids.extended(new) if new else catalogue.packed_ids


def _rows(
    catalogue: Catalogue, delta: CatalogueDelta, places: NDArray[np.int64], n: int
) -> tuple[NDArray[Any], NDArray[np.float32] | None, NDArray[np.int64]]:
    given = np.flatnonzero(~delta.kept)
    at, vectors = places[given], delta.vectors[given]
    old = at < len(catalogue)
    if catalogue.scales is None:
        differs = (catalogue.rows[at[old]] != vectors[old]).any(axis=1)
        return _put(catalogue.rows, n, at, vectors), None, at[old][differs]
    rows, scales = quantize_rows(vectors)
    differs = (catalogue.rows[at[old]] != rows[old]).any(axis=1)
    differs |= catalogue.scales[at[old]] != scales[old]
    return (
        _put(catalogue.rows, n, at, rows),
        _put(catalogue.scales, n, at, scales),
        at[old][differs],
    )


def _active(
    catalogue: Catalogue, delta: CatalogueDelta, places: NDArray[np.int64], n: int
) -> NDArray[np.bool_]:
    active = np.ones(n, np.bool_)
    if catalogue.active is not None:
        active[: len(catalogue)] = catalogue.active
    active[places] = True
    retired = np.array(catalogue.indices_of(delta.retired), np.int64)
    if (retired < 0).any():
        at = int(np.flatnonzero(retired < 0)[0])
        raise DeltaError(f"item {delta.retired[at]!r} is not there to be retired")
    active[retired] = False
    return active


def _popularity(
    catalogue: Catalogue,
    delta: CatalogueDelta,
    places: NDArray[np.int64],
    active: NDArray[np.bool_],
) -> NDArray[np.float32]:
    given = delta.popularity != AS_IT_IS
    known = _told(catalogue.popularity, delta.known_popularity, "popularity")
    shares = _put(known, len(active), places[given], delta.popularity[given])
    shares = np.where(active, shares, np.float32(0))
    total = float(shares.sum(dtype=np.float64))
    # Shares that already sum to 1 stay bit by bit what they are.
    return shares if total == 0 or abs(total - 1) < 1e-6 else (shares / total).astype(np.float32)


def _column(
    column: Column, delta: CatalogueDelta, name: str, places: NDArray[np.int64], n: int
) -> Column:
    values = delta.columns.get(name)
    put = {} if values is None else dict(zip(places.tolist(), values, strict=True))
    return PatchedColumn.over(column, put, n)


def _told(
    old: NDArray[np.float32], known: NDArray[np.float32] | None, what: str
) -> NDArray[np.float32]:
    """The values of a catalogue's items, those that a delta tells in place of the first."""
    if known is None:
        return old
    if len(known) > len(old):
        raise DeltaError(
            f"the delta has {what} of {len(known)} items; the catalogue has {len(old)}"
        )
    return np.concatenate((known, old[len(known) :]))


def _put(
    old: NDArray[Any], n: int, places: NDArray[np.int64], values: NDArray[Any]
) -> NDArray[Any]:
    """The array grown to n by zeros, with values at places; the old one where nothing changes."""
    if n == len(old) and len(places) == 0:
        return old
    grown = np.zeros((n, *old.shape[1:]), old.dtype)
    grown[: len(old)] = old
    grown[places] = values
    return grown
