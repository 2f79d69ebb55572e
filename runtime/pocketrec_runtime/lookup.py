"""Ids and filters of a request, as item indices and masks of a catalogue."""

import operator
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.catalogue import Catalogue
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.packed import ColumnValue
from pocketrec_runtime.scan import best, checked_rows, leave_out

Filters = Mapping[str, Collection[ColumnValue]]
"""Column -> allowed values; an item passes where it has one of them in every column."""


def resolve(
    catalogue: Catalogue, ids: Sequence[str], what: str
) -> tuple[list[int], tuple[str, ...]]:
    """Indices of the known ids, in order and with repeats, and the unknown ids, each once.

    Any string may be asked for: one with NUL or a lone surrogate is unknown like any other, as no
    catalogue holds such an id.

    Args:
        catalogue: Where to look.
        ids: Item ids.
        what: Name of the argument, for messages.

    Raises:
        InputError: The ids are one string, or one of them is no string.
    """
    if isinstance(ids, str | bytes):
        raise InputError(f"{what} is one {type(ids).__name__}; give a sequence of item ids")
    if set(map(type, ids)) != {str}:
        _check_strings(ids, what)
    distinct = list(dict.fromkeys(ids))
    indices = dict(zip(distinct, catalogue.indices_of(distinct), strict=True))
    known = [index for item_id in ids if (index := indices[item_id]) >= 0]
    return known, tuple(item_id for item_id, index in indices.items() if index < 0)


def _check_strings(ids: Sequence[str], what: str) -> None:
    for place, item_id in enumerate(ids):
        if not isinstance(item_id, str):
            raise InputError(
                f"{what}[{place}] is {item_id!r}, a {type(item_id).__name__}; item ids are strings"
            )


def checked_index(item: int, n: int) -> int:
    """An item index, as an int.

    Raises:
        InputError: It is no integer, or not in 0 to n - 1.
    """
    try:
        index = operator.index(item)
    except TypeError as error:
        raise InputError(f"item {item!r} is no index; give integers") from error
    if not 0 <= index < n:
        raise InputError(f"item index {index} is outside 0 to {n - 1}")
    return index


def checked_history(items: Sequence[int], n: int) -> list[int]:
    """Item indices, as ints.

    Raises:
        InputError: There are none, or as `checked_index`.
    """
    if len(items) == 0:
        raise InputError("an empty history has no user vector; recommend() answers it")
    # A million events are looked at as a whole; what is odd is then found one by one.
    if set(map(type, items)) == {int} and min(items) >= 0 and max(items) < n:
        return list(items)
    return [checked_index(item, n) for item in items]


def filter_mask(catalogue: Catalogue, filters: Filters | None) -> NDArray[np.bool_] | None:
    """(n,) True where an item passes every filter and is not retired; None where all do.

    A column of lists passes where the list holds any allowed value.

    Raises:
        InputError: There is no such column, or the allowed values are no collection of column
            values.
    """
    if not filters:
        return catalogue.allowed(None)
    mask = np.ones(len(catalogue), np.bool_)
    for column, allowed in filters.items():
        mask &= _column_mask(catalogue, column, allowed)
    return catalogue.allowed(mask)


def most_popular(
    catalogue: Catalogue, k: int, exclude: Collection[int], allow: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Indices and shares of the k most popular items, ties by index.

    Raises:
        InputError: k, an index or the mask is out of bounds.
    """
    shares = catalogue.popularity.copy()
    if allow is not None:
        leave_out(shares, allow)
    shares[checked_rows(exclude, len(shares))] = -np.inf
    return best(shares, k)


def _column_mask(
    catalogue: Catalogue, column: str, allowed: Collection[ColumnValue]
) -> NDArray[np.bool_]:
    postings = catalogue.postings(column)
    if isinstance(allowed, str | bytes) or not isinstance(allowed, Collection):
        raise InputError(
            f"filter {column!r} is {allowed!r}; give a list of allowed values: [{allowed!r}]"
        )
    mask = np.zeros(len(catalogue), np.bool_)
    for value in allowed:
        if not isinstance(value, str | int | float | None):
            raise InputError(
                f"filter {column!r} allows {value!r}; values are strings, numbers or None"
            )
        if (indices := postings.get(value)) is not None:
            mask[indices] = True
    return mask


def drop_retired(
    catalogue: Catalogue, indices: list[int], unknown: tuple[str, ...]
) -> tuple[list[int], tuple[str, ...]]:
    """The indices that are not retired, and the unknown ids with those of retired items after."""
    if catalogue.active is None:
        return indices, unknown
    kept = [index for index in indices if catalogue.active[index]]
    gone = dict.fromkeys(index for index in indices if not catalogue.active[index])
    return kept, (*unknown, *(catalogue.ids[index] for index in gone))
