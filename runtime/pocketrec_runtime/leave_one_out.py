"""A history read again and again, each time without one of its events."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.towers import UserTower

GROUP = 8
"""Shortened histories of one run: a larger group reads more events that its prefix could hold."""


def user_vectors_without_each(
    tower: UserTower,
    vectors_of: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    items: Sequence[int],
) -> NDArray[np.float32]:
    """User vectors float32 (events, width): row p is that of the history without its event p.

    Events behind the one left out move up by one position, so that they are computed anew, exactly
    as a fresh prefill would; those before it are not. Neighbouring events form a group whose
    common prefix is read once and shared, and whose shortened histories, all of one length, are
    one batch. For n events n^2 / 2 positions are computed and a little more, in n / 8 runs.

    Args:
        tower: Reads the histories.
        vectors_of: Item indices (length,) -> item vectors (length, width).
        items: Item indices, oldest first, at least two and at most `window + 1`.
    """
    events = vectors_of(np.array(items, np.int64))
    found = np.empty((len(items), events.shape[1]), np.float32)
    # The last group starts before the last event: a run reads one event at least.
    starts = range(0, len(items) - 1, GROUP)
    prefix = None
    for start in starts:
        stop = len(items) if start == starts[-1] else start + GROUP
        places = np.arange(start, len(items))
        kept = np.stack([np.delete(places, out) for out in range(stop - start)])
        shared = None if prefix is None else tower.repeat(prefix, len(kept))
        found[start:stop] = tower.run(events[kept], shared)[0]
        if start != starts[-1]:
            prefix = tower.run(events[None, start:stop], prefix)[1]
    return found
