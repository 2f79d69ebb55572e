"""Histories to be answered: held-out ones, or ones drawn from what is popular."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pocketrec_runtime import Catalogue
from pocketrec_runtime.errors import InputError

QuerySource = Literal["interactions", "popularity"]


@dataclass(frozen=True)
class Queries:
    """Histories as item indices of one catalogue, oldest event first.

    Attributes:
        histories: At least one, none empty.
        targets: The held-out item of each; None where nothing is known of what comes next.
        source: Where they come from.
    """

    histories: tuple[tuple[int, ...], ...]
    targets: tuple[int, ...] | None
    source: QuerySource

    def __post_init__(self) -> None:
        if not self.histories or not all(self.histories):
            raise InputError("there are no histories to answer, or one is empty")
        if self.targets is not None and len(self.targets) != len(self.histories):
            raise InputError(
                f"{len(self.histories)} histories have {len(self.targets)} held-out items"
            )

    def __len__(self) -> int:
        return len(self.histories)

    def first(self, count: int) -> "Queries":
        """At most the first `count` of them."""
        targets = None if self.targets is None else self.targets[:count]
        return Queries(self.histories[:count], targets, self.source)

    def check_fit(self, items: int) -> None:
        """Returns where every index is one of a catalogue of so many items.

        Raises:
            InputError: One is not.
        """
        largest = max(max(history) for history in self.histories)
        smallest = min(min(history) for history in self.histories)
        ends = (smallest, largest, *(self.targets or ()))
        if min(ends) < 0 or max(ends) >= items:
            raise InputError(f"a query holds an item outside of 0 to {items - 1}")


def held_out(histories: Sequence[Sequence[int]], targets: Sequence[int]) -> Queries:
    """Queries of held-out events.

    Raises:
        InputError: None, an empty history, or not one target for each.
    """
    plain = tuple(tuple(int(item) for item in history) for history in histories)
    return Queries(plain, tuple(int(target) for target in targets), "interactions")


def drawn(catalogue: Catalogue, *, count: int, events: int, seed: int) -> Queries:
    """Histories of one length, each item drawn by its popularity; uniform where that is all 0.

    An item may stand twice in a history, as it may in a user's.

    Args:
        catalogue: Whose items are drawn.
        count: How many histories.
        events: Events in each.
        seed: Of the drawing.
    """
    shares = catalogue.popularity.astype(np.float64)
    if not shares.sum():
        shares = np.ones(len(catalogue))
    ends = np.cumsum(shares)
    points = np.random.default_rng(seed).random((count, events)) * ends[-1]
    found = np.searchsorted(ends, points, side="right").clip(max=len(catalogue) - 1)
    return Queries(tuple(map(tuple, found.tolist())), None, "popularity")
