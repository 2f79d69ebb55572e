"""Many histories read in few runs."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.state import Cache
from pocketrec_runtime.towers import UserTower

MAX_BATCH = 64
"""Histories of one run: more bring nothing on a CPU, and take memory."""

Read = tuple[int, Cache, NDArray[np.float32]]
"""A history's place, its cache, and its user vector, float32 (width,)."""


def read_histories(
    tower: UserTower,
    vectors_of: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    histories: Sequence[Sequence[int]],
) -> Iterator[Read]:
    """Each history's cache and user vector, histories of one length together.

    The graph takes no attention mask, so that nothing is padded: a run holds histories of one
    length only, and is exactly the runs of its histories. There are at most `window` lengths.

    Args:
        tower: Reads the histories.
        vectors_of: Item indices (batch, length) -> item vectors (batch, length, width).
        histories: Item indices, oldest first, each of 1 to `window` events.
    """
    by_length: dict[int, list[int]] = {}
    for place, history in enumerate(histories):
        by_length.setdefault(len(history), []).append(place)
    for places in by_length.values():
        for start in range(0, len(places), MAX_BATCH):
            batch = places[start : start + MAX_BATCH]
            items = np.array([histories[place] for place in batch], np.int64)
            user_vectors, cache = tower.run(vectors_of(items))
            yield from zip(batch, tower.split(cache), user_vectors, strict=True)
