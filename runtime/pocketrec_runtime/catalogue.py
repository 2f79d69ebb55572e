"""The items that a bundle can rank: ids, vectors, biases, popularity and display columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocketrec_runtime.errors import InputError
from pocketrec_runtime.packed import (
    Column,
    ColumnValue,
    PackedIds,
    Postings,
    check_text,
    pack_column,
)
from pocketrec_runtime.quantize import INT8_MAX


@dataclass(frozen=True, eq=False)
class Catalogue:
    """n items and what is known of each, in one fixed order; an item's index is its place in it.

    The vector of item i is `rows[i] * scales[i]`, or `rows[i]` where rows are float32.

    Attributes:
        ids: n unique, non-empty strings, without NUL and encodable as UTF-8; kept packed, as any
            sequence of them.
        rows: (n, width), int8 in [-127, 127] or finite float32.
        scales: (n,) float32, finite and at least 0; None if and only if rows are float32.
        bias: (n,) float32, finite: added to an item's score.
        popularity: (n,) float32: share of training interactions; sums to 1, or is all 0.
        columns: Column name -> n values, each a string, a finite number, None, or strings in a
            sequence. "title" is always there and holds strings or None. Kept packed.
        active: (n,) bool, False where an item was retired by a delta: a history may hold it, but
            it is not recommended. None is all of them; a bundle holds no other.
    """

    ids: Sequence[str]
    rows: NDArray[np.int8] | NDArray[np.float32]
    scales: NDArray[np.float32] | None
    bias: NDArray[np.float32]
    popularity: NDArray[np.float32]
    columns: Mapping[str, Sequence[ColumnValue]]
    active: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", PackedIds.pack(self.ids))
        object.__setattr__(self, "columns", _checked_columns(self.columns, len(self.ids)))
        self._check_arrays()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def width(self) -> int:
        """Length of an item vector."""
        return int(self.rows.shape[1])

    @property
    def packed_ids(self) -> PackedIds:
        """The ids in the form in which they are kept."""
        return cast("PackedIds", self.ids)

    @property
    def packed_columns(self) -> Mapping[str, Column]:
        """The columns in the form in which they are kept."""
        return cast("Mapping[str, Column]", self.columns)

    def allowed(self, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """The items of a mask (n,) that are not retired; None stands for all items."""
        if self.active is None:
            return mask
        return self.active if mask is None else self.active & mask

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """All item vectors, float32 (n, width), read-only; made once, four times the int8 rows.

        Ranking does not need it; `vectors_of` makes the few that a history needs.
        """
        vectors = np.ascontiguousarray(self._dequantized(slice(None)))
        vectors = vectors.view()
        vectors.setflags(write=False)
        return vectors

    def vectors_of(self, indices: ArrayLike) -> NDArray[np.float32]:
        """Vectors of some items: indices of any shape, each in 0 to n - 1 -> (*shape, width)."""
        return self._dequantized(np.asarray(indices, np.int64))

    def index_of(self, item_id: str) -> int | None:
        """The index of an item, or None where the catalogue does not hold it."""
        return self.packed_ids.index_of(item_id)

    def indices_of(self, item_ids: Sequence[str]) -> list[int]:
        """The index of each id, -1 where the catalogue does not hold it; fast for many."""
        return self.packed_ids.indices_of(item_ids)

    def postings(self, column: str) -> Mapping[ColumnValue, NDArray[np.int64]]:
        """Column value -> ascending int64 indices of the items that have it; made once per column.

        Raises:
            InputError: There is no such column; the message names those that exist.
        """
        if column not in self.columns:
            names = ", ".join(sorted(self.columns))
            raise InputError(f"no column {column!r} in the catalogue; there are: {names}")
        if column not in self._postings:
            self._postings[column] = self.packed_columns[column].postings()
        return self._postings[column]

    def _dequantized(self, which: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        vectors = self.rows[which].astype(np.float32)
        if self.scales is not None:
            vectors *= self.scales[which, None]
        return vectors

    @cached_property
    def _postings(self) -> dict[str, Postings]:
        return {}

    def _check_arrays(self) -> None:
        n = len(self.ids)
        if self.rows.ndim != 2 or len(self.rows) != n or self.rows.shape[1] < 1:
            raise InputError(f"rows have shape {self.rows.shape}; {n} items need ({n}, width)")
        if self.rows.dtype == np.int8:
            if self.scales is None:
                raise InputError("int8 rows need scales; use quantize_rows to make both")
            if n and int(self.rows.min()) < -INT8_MAX:
                raise InputError("an int8 row holds -128; the symmetric range is -127 to 127")
            _check_vector("scales", self.scales, n, low=0.0)
        elif self.rows.dtype == np.float32:
            if self.scales is not None:
                raise InputError("float32 rows take no scales; give scales=None")
            _check_finite("rows", self.rows)
        else:
            raise InputError(f"rows are {self.rows.dtype}; give int8 or float32")
        active = self.active
        if active is not None and (active.shape != (n,) or active.dtype != np.bool_):
            raise InputError(f"active is {active.dtype} {active.shape}; give bool ({n},)")
        _check_vector("bias", self.bias, n)
        _check_vector("popularity", self.popularity, n, low=0.0)
        total = float(self.popularity.sum(dtype=np.float64))
        if total != 0 and abs(total - 1) > 1e-3:
            raise InputError(f"popularity sums to {total:.6g}; shares sum to 1, or are all 0")


def _checked_columns(columns: Mapping[str, Sequence[ColumnValue]], n: int) -> dict[str, Column]:
    if "title" not in columns:
        raise InputError("columns lack 'title'; give one title (or None) per item")
    check_text("column names", columns)
    return {name: _checked_column(name, values, n) for name, values in columns.items()}


def _checked_column(name: str, values: Sequence[ColumnValue], n: int) -> Column:
    if isinstance(values, str) or len(values) != n:
        raise InputError(f"column {name!r} has {len(values)} values; {n} items need {n}")
    column = pack_column(name, values)
    if name == "title" and not column.is_text:
        raise InputError("column 'title' holds something else than strings and None")
    return column


def _check_vector(name: str, values: NDArray[np.float32], n: int, low: float | None = None) -> None:
    if values.dtype != np.float32 or values.shape != (n,):
        raise InputError(f"{name} are {values.dtype} {values.shape}; give float32 ({n},)")
    _check_finite(name, values)
    if low is not None and n and float(values.min()) < low:
        raise InputError(f"{name} hold {float(values.min())}; the lowest allowed is {low:g}")


def _check_finite(name: str, values: NDArray[Any]) -> None:
    if not np.isfinite(values).all():
        raise InputError(f"{name} hold NaN or infinity; give finite numbers")
