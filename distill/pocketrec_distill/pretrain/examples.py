"""What continued pretraining reads: texts to continue, and pairs of items to draw together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.errors import DataError
from pocketrec_distill.models.base import History

# Of the texts of a step, how many are items on their own; the others are histories.
ITEM_SHARE = 0.5
HISTORY_HEAD = "One person chose, in this order:\n"


def text_batch(
    texts: Sequence[str],
    histories: Sequence[History],
    count: int,
    longest: int,
    rng: np.random.Generator,
) -> list[str]:
    """Texts for the causal LM loss: half of them items, half histories put into words.

    Args:
        texts: Item texts.
        histories: Training histories, oldest first.
        count: Texts wanted.
        longest: Items of a history, at most; a random stretch of a longer one.
        rng: Source of the choice.
    """
    items = round(ITEM_SHARE * count)
    chosen = [texts[item] for item in rng.integers(len(texts), size=items)]
    users = rng.integers(len(histories), size=count - items)
    return chosen + [_in_words(texts, histories[user], longest, rng) for user in users]


def _in_words(
    texts: Sequence[str], history: History, longest: int, rng: np.random.Generator
) -> str:
    start = int(rng.integers(max(1, len(history) - longest + 1)))
    return HISTORY_HEAD + "\n".join(texts[item] for item in history[start : start + longest])


def co_consumed(histories: Sequence[History], distance: int) -> NDArray[np.int32]:
    """Pairs of different items that one user chose within `distance` events, int32 (pairs, 2).

    A pair stands as often as it happened.

    Raises:
        DataError: There is no such pair.
    """
    pairs = [
        np.column_stack((history[:-step], history[step:]))
        for history in histories
        for step in range(1, min(distance, len(history) - 1) + 1)
    ]
    every = np.concatenate([*pairs, np.empty((0, 2), np.int32)]).astype(np.int32)
    found: NDArray[np.int32] = every[every[:, 0] != every[:, 1]]
    if not len(found):
        raise DataError("no user chose two different items; there is no behaviour to learn from")
    return found
