"""Item ids and where they stand, without a dict of Python objects."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import InputError
from pocketrec_runtime.packed.text import PackedText, same_values


class PackedIds(Sequence[str]):
    """n unique, non-empty strings, and the way back from a string to its place.

    A lookup is a binary search among sorted 64-bit hashes, then a comparison with the id itself:
    20 bytes per id where a dict takes 150, and a whole history is looked up at once.

    Args:
        text: The ids.
        hashes: (n,) int64, `hash` of each.
    """

    __slots__ = ("_hashes", "_order", "_text")

    def __init__(self, text: PackedText, hashes: NDArray[np.int64]) -> None:
        order = np.argsort(hashes, kind="stable")
        self._text = text
        self._hashes = hashes[order]
        self._order = order.astype(np.int32)

    @classmethod
    def pack(cls, ids: Sequence[str]) -> Self:
        """Packs item ids.

        Raises:
            InputError: An id is no string, empty, holds NUL or a lone surrogate, or stands twice.
        """
        if isinstance(ids, cls):
            return ids
        if set(map(type, ids)) - {str} or "" in ids:
            index, wrong = next(
                (i, x) for i, x in enumerate(ids) if not isinstance(x, str) or not x
            )
            raise InputError(f"item id {index} is {wrong!r}; ids are non-empty strings")
        text = PackedText.pack(ids, "item ids")
        if len(set(ids)) != len(ids):
            (twice, _), *_ = Counter(ids).most_common(1)
            raise InputError(f"item id {twice!r} stands twice; ids are unique")
        return cls(text, _hashes(ids))

    @property
    def text(self) -> PackedText:
        """The ids as packed text."""
        return self._text

    @property
    def size_bytes(self) -> int:
        """Bytes that it holds."""
        return self._text.size_bytes + self._hashes.nbytes + self._order.nbytes

    def extended(self, ids: Sequence[str]) -> "PackedIds":
        """These ids and, after them, more.

        Raises:
            InputError: As `pack`; also where an id is already here.
        """
        more = PackedIds.pack(ids)
        for item_id, index in zip(more, self.indices_of(more), strict=True):
            if index >= 0:
                raise InputError(f"item id {item_id!r} stands twice; ids are unique")
        hashes = np.empty(len(self), np.int64)
        hashes[self._order] = self._hashes
        return PackedIds(self._text.extended(more.text), np.concatenate([hashes, _hashes(more)]))

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        return self._text.raw(index).decode()

    def __len__(self) -> int:
        return len(self._text)

    def __iter__(self) -> Iterator[str]:
        return map(str, self._text)

    def __contains__(self, item_id: object) -> bool:
        return isinstance(item_id, str) and self.index_of(item_id) is not None

    def __eq__(self, other: object) -> bool:
        return same_values(self, other)

    __hash__ = None  # type: ignore[assignment]  # equal to sequences that hash otherwise

    def index_of(self, item_id: str) -> int | None:
        """The place of an id, or None where it is unknown."""
        (index,) = self.indices_of([item_id])
        return None if index < 0 else index

    def indices_of(self, item_ids: Sequence[str]) -> list[int]:
        """The place of each id, -1 where it is unknown."""
        if len(self) == 0:
            return [-1] * len(item_ids)
        hashes = _hashes(item_ids)
        places = np.searchsorted(self._hashes, hashes)
        # An unknown id ends here, in bulk: only equal hashes are compared one by one.
        known = self._hashes[np.minimum(places, len(self) - 1)] == hashes
        hits = np.flatnonzero(known)
        found = np.full(len(item_ids), -1, np.int64)
        found[hits] = self._order[places[hits]]
        same = self._text.raw_many(found[hits])
        for hit, data in zip(hits.tolist(), same, strict=True):
            if data != _encoded(item_ids[hit]):
                found[hit] = self._among_equal_hashes(item_ids[hit], int(places[hit]))
        indices: list[int] = found.tolist()
        return indices

    def _among_equal_hashes(self, item_id: str, place: int) -> int:
        """The index of an id among those whose hash stands at `place` and after it, or -1."""
        value, wanted = self._hashes[place], _encoded(item_id)
        while place < len(self) and self._hashes[place] == value:
            if self._text.raw(index := int(self._order[place])) == wanted:
                return index
            place += 1
        return -1


def _encoded(item_id: str) -> bytes:
    # A lone surrogate becomes bytes that no id has.
    return item_id.encode("utf-8", "surrogatepass")


def _hashes(ids: Sequence[str]) -> NDArray[np.int64]:
    return np.fromiter(map(hash, ids), np.int64, len(ids))
