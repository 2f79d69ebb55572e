"""The histories of a bundle's golden queries."""

from collections.abc import Sequence

import numpy as np

_QUERIES, _EVENTS = 5, 8


def golden_histories(item_ids: Sequence[str], window: int, seed: int) -> list[list[str]]:
    """Made-up histories of random items: no user's history ever stands in a bundle."""
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(item_ids), (_QUERIES, min(_EVENTS, window)))
    return [[item_ids[item] for item in draw] for draw in draws]
