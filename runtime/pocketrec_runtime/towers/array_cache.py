"""Caches that are NumPy arrays: what the towers on ONNX Runtime and on NumPy share."""

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import InputError, StateError
from pocketrec_runtime.shape import ModelShape
from pocketrec_runtime.state import KV, Cache

_FLOAT = np.dtype("<f4")


class ArrayCaches:
    """Cuts, repeats, saves and loads caches of one model's shape.

    Args:
        shape: The model's sizes.
    """

    def __init__(self, shape: ModelShape) -> None:
        self._shape = shape

    def empty(self, batch: int) -> KV:
        """A cache of no positions, for a batch."""
        nothing = np.empty(self._array_shape(batch, 0), np.float32)
        return ((nothing, nothing),) * self._shape.blocks

    def of_arrays(self, cache: Cache) -> KV:
        """The cache, known to be arrays.

        Raises:
            StateError: It is held by another kind of backend.
        """
        if not isinstance(cache, tuple):
            raise StateError(
                f"the cache is a {type(cache).__name__} of another backend; rebuild it with prefill"
            )
        return cache

    def fits(self, cache: Cache, positions: int) -> bool:
        """As `UserTower.fits`."""
        expected = self._array_shape(1, positions)
        return (
            isinstance(cache, tuple)
            and len(cache) == self._shape.blocks
            and all(array.shape == expected for pair in cache for array in pair)
        )

    def split(self, cache: Cache) -> list[Cache]:
        """As `UserTower.split`; the parts are copies, so that one kept keeps no other alive."""
        arrays = self.of_arrays(cache)
        return [
            tuple((key[row : row + 1].copy(), value[row : row + 1].copy()) for key, value in arrays)
            for row in range(len(arrays[0][0]))
        ]

    def repeat(self, cache: Cache, times: int) -> Cache:
        """As `UserTower.repeat`."""
        arrays = self._single(cache)
        if times < 1:
            raise InputError(f"times is {times}; give at least 1")
        return tuple((key.repeat(times, axis=0), value.repeat(times, axis=0))
                     for key, value in arrays)  # fmt: skip

    def save(self, cache: Cache) -> bytes:
        """As `UserTower.save`: little-endian float32, key and value of block after block."""
        return b"".join(
            np.ascontiguousarray(array, _FLOAT).tobytes()
            for pair in self._single(cache)
            for array in pair
        )

    def load(self, data: bytes, positions: int) -> Cache:
        """As `UserTower.load`."""
        shape = self._array_shape(1, positions)
        expected = self._shape.blocks * 2 * int(np.prod(shape)) * _FLOAT.itemsize
        if len(data) != expected:
            raise StateError(
                f"the saved cache has {len(data)} bytes; {positions} positions have {expected}; "
                "prefill again"
            )
        values: NDArray[np.float32] = np.frombuffer(data, _FLOAT).astype(np.float32, copy=False)
        if not np.isfinite(values).all():
            raise StateError("the saved cache holds NaN or infinity; prefill again")
        arrays = values.reshape(self._shape.blocks, 2, *shape)
        return tuple((key, value) for key, value in arrays)

    def _single(self, cache: Cache) -> KV:
        arrays = self.of_arrays(cache)
        if len(arrays[0][0]) != 1:
            raise InputError(f"the cache is of {len(arrays[0][0])} histories; split it first")
        return arrays

    def _array_shape(self, batch: int, positions: int) -> tuple[int, int, int, int]:
        return (batch, self._shape.kv_heads, positions, self._shape.head_dim)
