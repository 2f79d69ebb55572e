"""What the runtime remembers of one user between events."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import StateError

KV = tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]
"""Per block a key and a value, each float32 (batch, kv_heads, positions, head_dim)."""


@dataclass(frozen=True, eq=False)
class UserState:
    """One user's cached positions; a value: `Engine.append` returns a new one.

    Attributes:
        items: Item indices whose positions stand in the cache, oldest first.
        kv: The cache, batch 1, `len(items)` positions.
        seen: Item indices of the whole history, longer than the window or not.
        fingerprint: Fingerprint of the model that made it.
    """

    items: tuple[int, ...]
    kv: KV
    seen: frozenset[int]
    fingerprint: str

    def __post_init__(self) -> None:
        lengths = {array.shape[2] for pair in self.kv for array in pair if array.ndim == 4}
        if lengths != {len(self.items)}:
            raise StateError(
                f"the cache holds {sorted(lengths)} positions for {len(self.items)} items; "
                "rebuild the state with Engine.prefill"
            )
