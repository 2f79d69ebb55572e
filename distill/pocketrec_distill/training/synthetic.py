"""Synthetic histories: where a teacher is asked besides the histories that it was trained on.

A teacher's scores at its own training positions repeat what it has memorised: the event that came
next is among what it was fitted to, and a student of such labels alone learns no more than the hard
labels say. On histories that nobody had, the teacher shows its function, and there are as many of
those as one likes. Real histories are spliced, and their items swapped for near ones (data-free
distillation of recommenders: Yue et al., RecSys 2021, who sample the histories from the model).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.models.base import History

NEIGHBOURS = 20
# Shares: of histories that get the start of another one's events, of histories whose items are
# swapped, and of their items. Chosen on the validation events of Amazon Office.
SPLICED = 0.3
SWAPPED = 0.8
SWAPPED_ITEMS = 0.7
# Up to so many events more, since histories go on after the training: a student that was asked
# only where the training ends imitates its teacher less well one event later.
CONTINUED = 2


@dataclass(frozen=True)
class Neighbours:
    """Near items to swap an item for.

    Attributes:
        items: Item indices int32 (items, neighbours).
        cumulative: Cumulated shares float32 of the same shape; the last of each row is 1.
    """

    items: NDArray[np.int32]
    cumulative: NDArray[np.float32]

    @classmethod
    def from_weights(
        cls, weights: NDArray[np.float32], dense: NDArray[np.int64], items: int
    ) -> "Neighbours":
        """The items of highest weight, by weight; an item without any is its own neighbour.

        Args:
            weights: Item-item weights float32 (dense items, dense items).
            dense: Catalogue index of each row and column.
            items: Number of catalogue items.
        """
        count = min(NEIGHBOURS, len(dense))
        near = np.repeat(np.arange(items, dtype=np.int32)[:, None], count, axis=1)
        shares = np.full((items, count), 1 / count)
        best = np.argpartition(-weights, count - 1, axis=1)[:, :count]
        found = np.maximum(np.take_along_axis(weights, best, axis=1), 0).astype(np.float64)
        totals = found.sum(axis=1)
        known = totals > 0
        near[dense[known]] = dense[best[known]]
        shares[dense[known]] = found[known] / totals[known, None]
        cumulative = np.cumsum(shares, axis=1, dtype=np.float64)
        return cls(near, (cumulative / cumulative[:, -1:]).astype(np.float32))

    def draw(self, items: History, rng: np.random.Generator) -> History:
        """One neighbour of each item, in the same order."""
        points = rng.random((len(items), 1), dtype=np.float32)
        places = (self.cumulative[items] < points).sum(axis=1)
        drawn: History = self.items[items, np.minimum(places, self.items.shape[1] - 1)]
        return drawn


RECIPE = (NEIGHBOURS, SPLICED, SWAPPED, SWAPPED_ITEMS, CONTINUED)
"""What decides which histories a seed makes; labels of others do not fit them."""


def synthetic_histories(
    histories: Sequence[History],
    neighbours: Neighbours,
    positions: int,
    window: int,
    rng: np.random.Generator,
) -> list[History]:
    """Histories that nobody had, of at most `window + 1` events, as many as `positions` allows.

    The last event of each is the target that nothing is learned from, as in training sequences.

    Args:
        histories: Real ones, oldest event first.
        neighbours: What items are swapped for.
        positions: Positions (events but the last of each history) in all.
        window: Longest history that a user tower reads.
        rng: Source of every choice.
    """
    made: list[History] = []
    left = positions
    while left > 0:
        history = _synthetic(histories, neighbours, window, rng)
        made.append(history)
        left -= len(history) - 1
    return made


def _synthetic(
    histories: Sequence[History], neighbours: Neighbours, window: int, rng: np.random.Generator
) -> History:
    history = histories[int(rng.integers(len(histories)))]
    if rng.random() < SPLICED:
        other = histories[int(rng.integers(len(histories)))]
        start, cut = rng.integers(len(other)), rng.integers(1, len(history) + 1)
        history = np.concatenate((history[:cut], other[start : start + len(history)]))
    history = history[-window:].copy()
    if rng.random() < SWAPPED:
        swapped = rng.random(len(history)) < SWAPPED_ITEMS
        history[swapped] = neighbours.draw(history[swapped], rng)
    for _ in range(rng.integers(CONTINUED + 1)):
        # What comes next is near one of the newest events, mostly the last.
        before = min(rng.geometric(0.5), len(history))
        history = np.concatenate((history, neighbours.draw(history[[-before]], rng)))
    history = history[-window:]
    return np.concatenate((history, neighbours.draw(history[-1:], rng)))
