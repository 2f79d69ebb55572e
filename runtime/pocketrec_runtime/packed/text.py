"""Strings as one blob of UTF-8."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import InputError

_NONE = b"\0"
"""How None is stored: U+0000 stands in no id and no column."""


class PackedText(Sequence[str | None]):
    """n strings or None, read-only, as UTF-8 in one blob.

    Args:
        blob: All values, one after the other; None is one NUL.
        offsets: (n + 1,) integers: value i is `blob[offsets[i] : offsets[i + 1]]`.
    """

    __slots__ = ("_blob", "_offsets")

    def __init__(self, blob: bytes, offsets: NDArray[Any]) -> None:
        self._blob = blob
        self._offsets = offsets

    @classmethod
    def pack(cls, values: Sequence[str | None], what: str) -> Self:
        """Packs strings and None; `what` names them in messages.

        Raises:
            InputError: A string holds NUL or a lone surrogate.
        """
        joined = check_text(what, filter(None, values))
        if joined.isascii() and None not in values:
            lengths: Iterable[int] = map(len, values)  # type: ignore[arg-type]  # no None
            return cls(joined.encode(), offsets_of(lengths, len(values)))
        parts = [_NONE if value is None else value.encode() for value in values]
        return cls(b"".join(parts), offsets_of(map(len, parts), len(parts)))

    @property
    def size_bytes(self) -> int:
        """Bytes that it holds."""
        return len(self._blob) + self._offsets.nbytes

    def extended(self, more: "PackedText") -> "PackedText":
        """These values and, after them, more."""
        offsets = np.concatenate(
            [self._offsets, more._offsets[1:].astype(np.int64) + len(self._blob)]
        )
        return PackedText(self._blob + more._blob, _narrow(offsets.astype(np.int64)))

    @overload
    def __getitem__(self, index: int) -> str | None: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str | None, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str | None, ...] | None:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        data = self.raw(index)
        return None if data == _NONE else data.decode()

    def raw(self, index: int) -> bytes:
        """The UTF-8 of one value; None is one NUL.

        Raises:
            IndexError: There is no such value.
        """
        n = len(self)
        if not -n <= index < n:
            raise IndexError(index)
        index %= n
        return self._blob[self._offsets.item(index) : self._offsets.item(index + 1)]

    def raw_many(self, indices: NDArray[np.int64]) -> list[bytes]:
        """The UTF-8 of some values, by indices of 0 to n - 1; None is one NUL."""
        starts, ends = self._offsets[indices].tolist(), self._offsets[indices + 1].tolist()
        blob = self._blob
        return [blob[start:end] for start, end in zip(starts, ends, strict=True)]

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __iter__(self) -> Iterator[str | None]:
        offsets, blob = self._offsets.tolist(), self._blob
        for start, end in pairwise(offsets):
            data = blob[start:end]
            yield None if data == _NONE else data.decode()

    def __eq__(self, other: object) -> bool:
        return same_values(self, other)

    __hash__ = None  # type: ignore[assignment]  # equal to sequences that hash otherwise


def offsets_of(lengths: Iterable[int], n: int) -> NDArray[Any]:
    """(n + 1,) where values of the given lengths start and end, in 4 bytes each where they fit."""
    offsets = np.zeros(n + 1, np.int64)
    np.cumsum(np.fromiter(lengths, np.int64, n), out=offsets[1:])
    return _narrow(offsets)


def _narrow(offsets: NDArray[np.int64]) -> NDArray[Any]:
    return offsets.astype(np.uint32) if offsets[-1] < 2**32 else offsets


def check_text(what: str, texts: Iterable[str]) -> str:
    """The strings, joined, where a bundle may hold them.

    Raises:
        InputError: One holds NUL or a lone surrogate.
    """
    joined = "".join(texts)
    if "\0" in joined:
        raise InputError(f"{what} hold a NUL character; remove it")
    try:
        joined.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{what} hold a lone surrogate; give text that UTF-8 can say") from error
    return joined


def same_values(mine: Sequence[Any], other: object) -> bool:
    """Whether another sequence, no string, holds equal values in the same order."""
    if not isinstance(other, Sequence) or isinstance(other, str | bytes):
        return False
    return len(mine) == len(other) and all(a == b for a, b in zip(mine, other, strict=True))
