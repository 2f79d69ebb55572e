"""Held-out events that scorers are asked about."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.models.base import History


@dataclass(frozen=True)
class QuerySet:
    """Held-out events: what was seen before each, and what came next.

    Attributes:
        histories: Item indices, oldest first, of each query.
        targets: Item that came next, int64 (queries,).
        users: Id of each query's user; empty where nobody asks for it.
        following: All new items of the time asked about, the target first; empty where nobody asks
            for them.
    """

    histories: Sequence[History]
    targets: NDArray[np.int64]
    users: tuple[str, ...] = ()
    following: Sequence[History] = ()

    def __len__(self) -> int:
        return len(self.targets)

    def first(self, count: int) -> "QuerySet":
        """At most `count` queries spread evenly over all of them."""
        if count >= len(self):
            return self
        return self.take(np.linspace(0, len(self) - 1, count).astype(np.int64))

    def take(self, rows: NDArray[np.int64]) -> "QuerySet":
        """The queries at these places, in this order."""
        chosen = rows.tolist()
        return QuerySet(
            [self.histories[row] for row in chosen],
            self.targets[rows],
            tuple(self.users[row] for row in chosen) if self.users else (),
            [self.following[row] for row in chosen] if self.following else (),
        )

    def each(self, most: int) -> "QuerySet":
        """The new items of the time asked about as queries of their own, `most` of one history."""
        if not self.following:
            return self
        counts = [min(most, len(items)) for items in self.following]
        repeated = self.take(np.repeat(np.arange(len(self)), counts))
        asked = [items[:count] for items, count in zip(self.following, counts, strict=True)]
        return replace(repeated, targets=np.concatenate(asked).astype(np.int64))


@dataclass(frozen=True)
class ColdItems:
    """Items outside the catalogue, whose events were all held out.

    Attributes:
        item_ids: Their ids.
        texts: Their texts.
        queries: What users met next: histories are catalogue indices, targets places in `item_ids`.
    """

    item_ids: tuple[str, ...]
    texts: Sequence[str]
    queries: QuerySet
