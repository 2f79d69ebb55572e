"""What changes in a catalogue between two models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import InputError
from pocketrec_runtime.packed import Column, ColumnValue, PackedIds, check_text, pack_column

AS_IT_IS = -1.0
"""The popularity of an item whose share a delta leaves alone; 0 where the item is new."""


@dataclass(frozen=True, eq=False)
class CatalogueDelta:
    """m items put into a catalogue, and others retired from it.

    An id that the catalogue holds is changed in place, any other is added at the end, so that
    indices of items never change.

    Attributes:
        model: Fingerprint of the bundle whose item tower made the vectors.
        ids: m unique item ids.
        vectors: Item vectors, float32 (m, width), finite; zeros where `kept`.
        bias: float32 (m,), finite; 0 where `kept`.
        kept: (m,) bool: vector and bias stay as they are; only for items that the catalogue holds.
        popularity: float32 (m,): share of the catalogue's interactions, at least 0, or `AS_IT_IS`.
            All shares are then scaled to sum to 1.
        columns: Column name -> m values, only columns that the catalogue has. A column that is
            not given stays as it is; a new item has None in it.
        retired: Ids that are not recommended any more; histories may still hold them. One that is
            put again later comes back.
        known_bias: float32 (any,), finite: of as many items as the catalogue begins with, in its
            order, before anything is put; None: they stay.
        known_popularity: The same of shares of interactions, at least 0.
    """

    model: str
    ids: Sequence[str]
    vectors: NDArray[np.float32]
    bias: NDArray[np.float32]
    kept: NDArray[np.bool_]
    popularity: NDArray[np.float32]
    columns: Mapping[str, Sequence[ColumnValue]] = field(default_factory=dict)
    retired: Sequence[str] = ()
    known_bias: NDArray[np.float32] | None = None
    known_popularity: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", PackedIds.pack(self.ids))
        object.__setattr__(self, "retired", PackedIds.pack(self.retired))
        if both := set(self.ids) & set(self.retired):
            raise InputError(f"item {min(both)!r} is both put and retired; choose one")
        object.__setattr__(self, "columns", self._checked_columns())
        self._check_arrays()

    def __len__(self) -> int:
        return len(self.ids)

    def _checked_columns(self) -> dict[str, Column]:
        check_text("column names", self.columns)
        for name, values in self.columns.items():
            if isinstance(values, str) or len(values) != len(self):
                raise InputError(f"column {name!r} has {len(values)} values for {len(self)} items")
        return {name: pack_column(name, values) for name, values in self.columns.items()}

    def _check_arrays(self) -> None:
        m = len(self)
        if self.vectors.ndim != 2 or self.vectors.shape[1] < 1:
            raise InputError(f"vectors have shape {self.vectors.shape}; give ({m}, width)")
        _check_array("vectors", self.vectors, (m, self.vectors.shape[1]))
        _check_array("bias", self.bias, (m,))
        _check_array("kept", self.kept, (m,), np.bool_)
        _check_array("popularity", self.popularity, (m,))
        if self.known_bias is not None:
            _check_array("known_bias", self.known_bias, (self.known_bias.size,))
        if self.known_popularity is not None:
            _check_array("known_popularity", self.known_popularity, (self.known_popularity.size,))
            if (self.known_popularity < 0).any():
                raise InputError("known_popularity is below 0; give shares")
        if self.vectors[self.kept].any() or self.bias[self.kept].any():
            raise InputError("an item whose vector is kept has a vector or bias; give zeros")
        if ((self.popularity < 0) & (self.popularity != AS_IT_IS)).any():
            raise InputError(f"popularity is below 0; give shares, or {AS_IT_IS:g} to keep one")


def _check_array(
    name: str, values: NDArray[Any], shape: tuple[int, ...], dtype: type[np.generic] = np.float32
) -> None:
    if values.shape != shape or values.dtype != dtype:
        raise InputError(f"{name} are {values.dtype} {values.shape}; give {shape}")
    if not np.isfinite(values).all():
        raise InputError(f"{name} hold NaN or infinity; give finite numbers")
