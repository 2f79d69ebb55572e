"""The two splits of the protocol, leave-one-out and global temporal, and none at all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.data.interactions import Interactions
from pocketrec_distill.errors import DataError

MIN_EVENTS = 4

History = NDArray[np.int32]
Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Queries:
    """Held-out events: what was seen before each, and what came next.

    Attributes:
        users: Code of each query's user, int64 (queries,).
        histories: Item codes, oldest first, of each query; never empty.
        targets: Item that came next, int64 (queries,); never in the query's own history.
        following: Items that came in the time asked about and were new, each once, oldest first;
            the target is the first of them.
        repeats: Held-out events left out because their item stood in the history already.
    """

    users: NDArray[np.int64]
    histories: Sequence[History]
    targets: NDArray[np.int64]
    following: Sequence[History]
    repeats: int

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, eq=False)
class Split:
    """Training histories and the queries for choices and for the report.

    Attributes:
        train: Item codes, oldest first, of every user with a training event.
        train_weights: Weight of each of these events, float32, in the same shape.
        train_times: Time of each, seconds, float64, in the same shape.
        train_users: Code of each training history's user, int64 (histories,).
        validation: Queries for every choice.
        test: Queries to be touched once.
        gap: Seconds from the time that validation begins to the time that the test does; 0 where
            users have times of their own.
    """

    train: Sequence[History]
    train_weights: Sequence[NDArray[np.float32]]
    train_times: Sequence[NDArray[np.float64]]
    train_users: NDArray[np.int64]
    validation: Queries
    test: Queries
    gap: float = 0.0


def _queries(candidates: Sequence[tuple[int, History, History]]) -> Queries:
    """Queries from (user, history, new items), without those that nothing new came to."""
    asked = [c for c in candidates if len(c[1])]
    fresh = [c for c in asked if len(c[2])]
    return Queries(
        np.array([user for user, _, _ in fresh], dtype=np.int64),
        [history for _, history, _ in fresh],
        np.array([new[0] for _, _, new in fresh], dtype=np.int64),
        [new for _, _, new in fresh],
        len(asked) - len(fresh),
    )


def leave_one_out(
    interactions: Interactions, min_events: int = MIN_EVENTS, *, baskets: bool = False
) -> Split:
    """Last event = test, second last = validation, the rest = training.

    Users with fewer than `min_events` events train only. An event whose item already stands in
    its history is not evaluated. Test histories hold all before the last event.

    With `baskets`, all events of a user at one time are one: the whole last basket is held out,
    the first item in it that is new to the user is asked for, and no item of it stands in the
    history. A user then needs `min_events` baskets.

    Raises:
        DataError: `min_events` is below 3, so that a query could have no history.
    """
    if min_events < 3:
        raise DataError(f"min_events is {min_events}; leave-one-out needs at least 3 events")
    offsets, items = interactions.histories()
    ends, validation, test = offsets[1:].copy(), [], []
    for user, (start, end) in enumerate(pairwise(offsets.tolist())):
        starts = _basket_starts(interactions.times[start:end]) if baskets else range(end - start)
        if len(starts) < min_events:
            continue
        last_but_one, last = start + starts[-2], start + starts[-1]
        ends[user] = last_but_one
        validation.append((user, *_asked(items, start, last_but_one, last)))
        test.append((user, *_asked(items, start, last, end)))
    return Split(*_training(interactions, offsets[:-1], ends), _queries(validation), _queries(test))


def all_of(interactions: Interactions) -> Split:
    """Every event trains, and none is asked for."""
    offsets, _ = interactions.histories()
    return Split(*_training(interactions, offsets[:-1], offsets[1:]), _queries([]), _queries([]))


def _basket_starts(times: NDArray[np.float64]) -> Sequence[int]:
    """Place of the first event of each basket among one user's times."""
    starts: list[int] = np.flatnonzero(np.diff(times, prepend=-np.inf)).tolist()
    return starts


def _asked(items: History, start: int, opens: int, closes: int) -> tuple[History, History]:
    """History before `opens`, and the items up to `closes` that are new, each once, in order."""
    history = items[start:opens]
    seen = set(history.tolist())
    during = dict.fromkeys(items[opens:closes].tolist())
    return history, np.array([item for item in during if item not in seen], dtype=items.dtype)


def global_temporal(
    interactions: Interactions, validation: float = 0.1, test: float = 0.1
) -> Split:
    """Everything before one moment trains; what users do next after two moments is asked.

    The moments are time quantiles of all events. Each user gives at most one query per period:
    the first event in it whose item is new to them, with all their events before the period as
    history. No query sees an event of its own period, so that baskets sharing one time never leak.

    Raises:
        DataError: The shares, or times that are nearly all equal, leave nothing to train on.
    """
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise DataError(f"shares {validation} and {test} must be above 0 and sum below 1")
    moments = np.quantile(interactions.times, [1 - validation - test, 1 - test])
    offsets, items = interactions.histories()
    opens, closes = (_events_before(interactions, offsets, moment) for moment in moments)
    training = _training(interactions, offsets[:-1], opens)
    if not training[0]:
        raise DataError(
            f"no event lies before the first cut at {moments[0]:g} (all times: "
            f"{interactions.times.min():g} to {interactions.times.max():g}); take smaller shares, "
            "or leave-one-out"
        )
    first = _period(items, offsets[:-1], opens, closes)
    second = _period(items, offsets[:-1], closes, offsets[1:])
    gap = float(moments[1] - moments[0])
    return Split(*training, _queries(list(first)), _queries(list(second)), gap)


def _training(
    interactions: Interactions, starts: Places, ends: Places
) -> tuple[list[History], list[NDArray[np.float32]], list[NDArray[np.float64]], NDArray[np.int64]]:
    """Items, weights and times of each user's events from `starts` to `ends`, and who has any."""
    users = np.flatnonzero(ends > starts)
    kept = list(zip(starts[users], ends[users], strict=True))
    return (
        [interactions.items[start:end] for start, end in kept],
        [interactions.weights[start:end] for start, end in kept],
        [interactions.times[start:end] for start, end in kept],
        users.astype(np.int64),
    )


def _events_before(interactions: Interactions, offsets: Places, moment: float) -> Places:
    """Place of each user's first event at or after a moment, int64 (users,)."""
    counted = np.concatenate(([0], np.cumsum(interactions.times < moment)))
    before: Places = offsets[:-1] + counted[offsets[1:]] - counted[offsets[:-1]]
    return before


def _period(
    items: History, starts: Places, opens: Places, closes: Places
) -> Iterator[tuple[int, History, History]]:
    """One candidate per user with events before and in a period: the new items in it."""
    asked = np.flatnonzero((opens > starts) & (closes > opens))
    for user in asked.tolist():
        yield user, *_asked(items, int(starts[user]), int(opens[user]), int(closes[user]))


def split_by(name: str, interactions: Interactions, *, baskets: bool = False) -> Split:
    """The split of a name: leave-one-out, or temporal, which baskets cannot leak through.

    Raises:
        DataError: No split has this name, or it leaves nothing to train on.
    """
    if name == "leave-one-out":
        return leave_one_out(interactions, baskets=baskets)
    if name == "temporal":
        return global_temporal(interactions)
    raise DataError(f"no split is called {name!r}; choose leave-one-out or temporal")


def shared_times(interactions: Interactions) -> float:
    """Share of the events that have another event of the same user at the same time."""
    same = (np.diff(interactions.users) == 0) & (np.diff(interactions.times) == 0)
    beside = np.concatenate(([False], same)) | np.concatenate((same, [False]))
    return float(beside.mean()) if len(interactions) else 0.0
