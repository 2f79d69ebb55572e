"""Columns of a catalogue: checked as a whole, and kept in few bytes by what they hold."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import isfinite
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import InputError
from pocketrec_runtime.packed.text import PackedText, check_text, offsets_of, same_values

ColumnValue = str | int | float | tuple[str, ...] | None
Postings = Mapping[ColumnValue, NDArray[np.int64]]
MAX_INTEGER = 2**63 - 1

# Below this share of different values, text is kept once per value instead of once per item.
_CODED_SHARE = 4


class Column(Sequence[ColumnValue]):
    """n values, read-only; equal to any other sequence of the same values."""

    is_text = False
    """Whether every value is a string or None."""

    @abstractmethod
    def value(self, index: int) -> ColumnValue:
        """The value of item `index`, 0 to n - 1."""

    @abstractmethod
    def postings(self) -> Postings:
        """Value -> ascending int64 indices of the items that have it."""

    @overload
    def __getitem__(self, index: int) -> ColumnValue: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ColumnValue, ...]: ...
    def __getitem__(self, index: int | slice) -> ColumnValue | tuple[ColumnValue, ...]:
        if isinstance(index, slice):
            return tuple(self.value(i) for i in range(*index.indices(len(self))))
        n = len(self)
        if not -n <= index < n:
            raise IndexError(index)
        return self.value(index % n)

    def __eq__(self, other: object) -> bool:
        return same_values(self, other)

    __hash__ = None  # type: ignore[assignment]  # equal to sequences that hash otherwise


class PlainColumn(Column):
    """Values as Python objects: what no other form fits."""

    def __init__(self, values: tuple[ColumnValue, ...]) -> None:
        self._values = values

    def value(self, index: int) -> ColumnValue:
        """As `Column.value`."""
        return self._values[index]

    def postings(self) -> Postings:
        """As `Column.postings`."""
        return inverted(self._values)

    def __len__(self) -> int:
        return len(self._values)


class TextColumn(Column):
    """Strings and None, most of them different."""

    is_text = True

    def __init__(self, text: PackedText) -> None:
        self._text = text

    def value(self, index: int) -> ColumnValue:
        """As `Column.value`."""
        return self._text[index]

    def postings(self) -> Postings:
        """As `Column.postings`."""
        return inverted(self._text)

    def __len__(self) -> int:
        return len(self._text)


class NumberColumn(Column):
    """Integers or floats, with a mask where some are None."""

    def __init__(self, numbers: NDArray[Any], missing: NDArray[np.bool_] | None) -> None:
        self._numbers = numbers
        self._missing = missing

    @classmethod
    def pack(cls, values: Sequence[Any], kinds: set[type]) -> "NumberColumn":
        """Packs values of the given types: int or float, and None."""
        dtype = np.int64 if int in kinds else np.float64
        if type(None) not in kinds:
            return cls(np.array(values, dtype), None)
        missing = np.array([value is None for value in values])
        return cls(np.array([0 if value is None else value for value in values], dtype), missing)

    def value(self, index: int) -> ColumnValue:
        """As `Column.value`."""
        if self._missing is not None and self._missing[index]:
            return None
        number: int | float = self._numbers.item(index)
        return number

    def postings(self) -> Postings:
        """As `Column.postings`."""
        if self._missing is None:
            return _grouped(self._numbers)
        here, gone = np.flatnonzero(~self._missing), np.flatnonzero(self._missing)
        groups = _grouped(self._numbers[here])
        return {None: gone} | {value: here[places] for value, places in groups.items()}

    def __len__(self) -> int:
        return len(self._numbers)


class CodedColumn(Column):
    """Few different strings (or None), each kept once."""

    is_text = True

    def __init__(self, codes: NDArray[Any], values: PackedText) -> None:
        self._codes = codes
        self._values = values

    def value(self, index: int) -> ColumnValue:
        """As `Column.value`."""
        return self._values[int(self._codes[index])]

    def postings(self) -> Postings:
        """As `Column.postings`."""
        return {self._values[code]: at for code, at in _grouped(self._codes).items()}

    def __len__(self) -> int:
        return len(self._codes)


class ListColumn(Column):
    """Lists of strings (or None), each different string kept once."""

    def __init__(self, codes: NDArray[Any], offsets: NDArray[Any], values: PackedText) -> None:
        self._codes = codes
        self._offsets = offsets
        self._values = values

    @classmethod
    def pack(cls, name: str, lists: Sequence[Any]) -> "ListColumn":
        """Packs lists of strings and None, which is kept as a list that holds None."""
        lists = [(None,) if value is None else value for value in lists]
        codes, values = _coded(name, list(chain.from_iterable(lists)))
        return cls(codes, offsets_of(map(len, lists), len(lists)), values)

    def value(self, index: int) -> ColumnValue:
        """As `Column.value`."""
        start, end = self._offsets.item(index), self._offsets.item(index + 1)
        parts = tuple(self._values[code] for code in self._codes[start:end].tolist())
        return None if parts == (None,) else parts

    def postings(self) -> Postings:
        """As `Column.postings`."""
        owners = np.repeat(
            np.arange(len(self)), np.diff(self._offsets.astype(np.int64)).astype(np.int64)
        )
        groups = _grouped(self._codes)
        # A list may hold a string twice; its item stands once.
        return {self._values[code]: np.unique(owners[at]) for code, at in groups.items()}

    def __len__(self) -> int:
        return len(self._offsets) - 1


def pack_column(name: str, values: Sequence[ColumnValue]) -> Column:
    """Checks a column and packs it in the form that fits its values.

    Raises:
        InputError: A value is neither a string, a finite number of at most 63 bits, None, nor a
            list of strings; or text holds NUL or a lone surrogate.
    """
    if isinstance(values, Column):
        return values
    kinds = set(map(type, values))
    some = kinds - {type(None)}
    if some <= {str}:
        return _pack_text(name, values)  # type: ignore[arg-type]  # as the kinds say
    if some in ({int}, {float}) and _numbers_fit(values, kinds):
        return NumberColumn.pack(values, kinds)
    if some <= {list, tuple}:
        parts = chain.from_iterable(value for value in values if value is not None)  # type: ignore[misc]
        if set(map(type, parts)) <= {str}:
            return ListColumn.pack(name, values)
    checked = tuple(_checked_value(name, index, value) for index, value in enumerate(values))
    check_text(f"column {name!r}", chain.from_iterable(map(_texts, checked)))
    return PlainColumn(checked)


def inverted(values: Iterable[ColumnValue]) -> Postings:
    """Value -> ascending int64 indices of the items that have it, or hold it in their list."""
    postings: dict[ColumnValue, list[int]] = {}
    for index, value in enumerate(values):
        for key in dict.fromkeys(value) if isinstance(value, tuple) else (value,):
            postings.setdefault(key, []).append(index)
    return {value: np.array(indices, np.int64) for value, indices in postings.items()}


def _pack_text(name: str, values: Sequence[str | None]) -> Column:
    what = f"column {name!r}"
    if len(set(values)) * _CODED_SHARE > len(values):
        return TextColumn(PackedText.pack(values, what))
    return CodedColumn(*_coded(name, values))


def _coded(name: str, values: Sequence[str | None]) -> tuple[NDArray[Any], PackedText]:
    """The code of every value, in as few bytes as fit, and the values by code."""
    places = {value: code for code, value in enumerate(dict.fromkeys(values))}
    text = PackedText.pack(list(places), f"column {name!r}")
    dtype = np.min_scalar_type(max(len(places) - 1, 0))
    return np.fromiter(map(places.__getitem__, values), dtype, len(values)), text


def _grouped(keys: NDArray[Any]) -> dict[Any, NDArray[np.int64]]:
    """Key -> ascending places where it stands."""
    if len(keys) == 0:
        return {}
    order = np.argsort(keys, kind="stable")
    values, starts = np.unique(keys[order], return_index=True)
    return dict(zip(values.tolist(), np.split(order, starts[1:]), strict=True))


def _numbers_fit(values: Sequence[Any], kinds: set[type]) -> bool:
    numbers = [value for value in values if value is not None]
    if int in kinds:
        return bool(min(numbers) >= -MAX_INTEGER) and bool(max(numbers) <= MAX_INTEGER)
    # NaN and infinity show in the sum; so may large values, which are then checked one by one.
    return isfinite(sum(numbers))


def _checked_value(name: str, index: int, value: ColumnValue) -> ColumnValue:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INTEGER:
        return value
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise InputError(
        f"column {name!r} holds {value!r} at item {index}; values are strings, finite numbers "
        "(integers of 63 bits), None, or lists of strings"
    )


def _texts(value: ColumnValue) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    return (value,) if isinstance(value, str) else ()
