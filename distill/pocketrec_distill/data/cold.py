"""Cold items: some items lose all their events, which become questions about the unknown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.data.interactions import Interactions
from pocketrec_distill.data.split import History
from pocketrec_distill.errors import DataError


@dataclass(frozen=True, eq=False)
class ColdQueries:
    """First meetings of users with items that no training event names.

    Attributes:
        items: Codes of the cold items, int64, ascending.
        histories: Codes of the warm items that the user met before, oldest first; never empty.
        targets: Code of the cold item that came next, int64 (queries,).
        users: Code of each query's user, int64 (queries,).
    """

    items: NDArray[np.int64]
    histories: Sequence[History]
    targets: NDArray[np.int64]
    users: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)


def hold_out_items(
    interactions: Interactions, share: float, seed: int
) -> tuple[Interactions, ColdQueries]:
    """The interactions without those of a random share of the items, and these as queries.

    Each user is asked once per cold item, at their first event with it, with all their warm events
    of earlier times as history (events at the same time count as earlier where times are positions
    of a table, and never otherwise, so that baskets do not leak). Codes stay as they are.

    Raises:
        DataError: The share leaves no warm or no cold item, or no query.
    """
    with_events = np.unique(interactions.items).astype(np.int64)
    count = round(share * len(with_events))
    if not 0 < count < len(with_events):
        raise DataError(
            f"a share of {share} of {len(with_events)} items is {count}; at least one item must be "
            "cold, and one warm"
        )
    drawn = np.random.default_rng(seed).permutation(with_events)[:count]
    cold = np.zeros(len(interactions.item_ids), dtype=bool)
    cold[drawn] = True
    is_cold = cold[interactions.items]
    queries = _queries(interactions, is_cold, np.sort(drawn))
    if not len(queries):
        raise DataError(f"none of the {count} cold items has a user with warm events before it")
    kept = ~is_cold
    fields = ("users", "items", "times", "weights", "events")
    warm = replace(interactions, **{name: getattr(interactions, name)[kept] for name in fields})
    return warm, queries


def _queries(
    interactions: Interactions, is_cold: NDArray[np.bool_], items: NDArray[np.int64]
) -> ColdQueries:
    offsets, codes = interactions.histories()
    users, histories, targets = [], [], []
    for place in np.flatnonzero(is_cold).tolist():
        user = int(interactions.users[place])
        start = int(offsets[user])
        if (codes[start:place] == codes[place]).any():
            continue
        earlier = slice(start, place)
        fits = ~is_cold[earlier] & (interactions.times[earlier] < interactions.times[place])
        if fits.any():
            users.append(user)
            histories.append(codes[earlier][fits])
            targets.append(int(codes[place]))
    return ColdQueries(
        items, histories, np.array(targets, dtype=np.int64), np.array(users, dtype=np.int64)
    )
