"""What the runtime remembers of one user between events."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import StateError

KV = tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]
"""Per block a key and a value, each float32 (batch, kv_heads, positions, head_dim)."""


class HeldCache(Protocol):
    """Cached positions that a backend holds in memory of its own, such as llama.cpp's."""

    @property
    def batch(self) -> int:
        """Histories in it."""
        ...

    @property
    def positions(self) -> int:
        """Positions of each history in it."""
        ...

    @property
    def size_bytes(self) -> int:
        """Bytes that its positions take."""
        ...


Cache = KV | HeldCache
"""What a user tower gives and takes; only the tower that made it, or its `load`, knows more."""


def cached_positions(cache: Cache) -> int:
    """Positions of each history in a cache.

    Raises:
        StateError: The arrays of a cache disagree.
    """
    if not isinstance(cache, tuple):
        return cache.positions
    lengths = {array.shape[2] for pair in cache for array in pair if array.ndim == 4}
    if len(lengths) != 1:
        raise StateError(
            f"the cache holds {sorted(lengths)} positions; rebuild the state with Engine.prefill"
        )
    (positions,) = lengths
    return int(positions)


def cache_bytes(cache: Cache) -> int:
    """Bytes that a cache's positions take."""
    if not isinstance(cache, tuple):
        return cache.size_bytes
    return sum(array.nbytes for pair in cache for array in pair)


@dataclass(frozen=True, eq=False)
class UserState:
    """One user's cached positions; a value: `Engine.append` returns a new one.

    Attributes:
        items: Item indices whose positions stand in the cache, oldest first.
        kv: The cache, batch 1, `len(items)` positions; a backend may hold it out of sight.
        seen: Item indices of the whole history, longer than the window or not.
        fingerprint: Fingerprint of the model that made it.
    """

    items: tuple[int, ...]
    kv: Cache
    seen: frozenset[int]
    fingerprint: str

    def __post_init__(self) -> None:
        positions = cached_positions(self.kv)
        if positions != len(self.items):
            raise StateError(
                f"the cache holds [{positions}] positions for {len(self.items)} items; "
                "rebuild the state with Engine.prefill"
            )
