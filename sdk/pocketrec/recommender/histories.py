"""Users' histories in memory: each is read once, and from then on only what is new."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from pocketrec.events import EventStore
from pocketrec.recommender.history import EventKinds, UserHistory, history_of
from pocketrec_runtime import Engine
from pocketrec_runtime.lookup import resolve

MAX_EVENTS = 500_000


@dataclass(frozen=True, eq=False)
class ReadHistory:
    """A history, what of it the catalogue holds, and how far it was read.

    Attributes:
        history: What the events come to.
        known: Indices of its items that the catalogue holds, oldest first.
        unknown: Ids that it does not hold, each once.
        disliked: Indices of disliked items that it holds.
        engine: Whose catalogue.
        last: Place of the newest event that was read, 0 for none.
        removals: `Revision.removals` when it was read: after another one it is stale.
    """

    history: UserHistory
    known: tuple[int, ...]
    unknown: tuple[str, ...]
    disliked: frozenset[int]
    engine: Engine
    last: int
    removals: int

    @property
    def size(self) -> int:
        """Events that it holds in memory."""
        return 1 + len(self.history.items) + sum(map(len, self.history.shown.values()))


class Histories:
    """Histories of the users who came last. Safe to share among threads.

    Args:
        store: Where events stand.
        kinds: What they mean.
        max_events: Events in memory, of all users together.
    """

    def __init__(
        self, store: EventStore, kinds: EventKinds, *, max_events: int = MAX_EVENTS
    ) -> None:
        self._store, self._kinds, self._max_events = store, kinds, max_events
        self._kept: OrderedDict[str, ReadHistory] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def read(self, user: str, engine: Engine, removals: int) -> ReadHistory:
        """A user's history up to now.

        Args:
            user: The user's name.
            engine: Whose catalogue it is looked up in.
            removals: How often events were removed so far, asked before this call.

        Raises:
            EventStoreError: The store cannot be read.
        """
        with self._lock:
            kept = self._kept.get(user)
            if kept is not None:
                self._kept.move_to_end(user)
        if kept is not None and kept.removals != removals:
            kept = None
        events = self._store.events(user, after=0 if kept is None else kept.last)
        if kept is not None and not events and kept.engine is engine:
            return kept
        history = history_of(events, self._kinds, UserHistory() if kept is None else kept.history)
        known, unknown = _resolved(history, engine, kept)
        disliked = engine.catalogue.indices_of(sorted(history.disliked))
        found = ReadHistory(
            history,
            known,
            unknown,
            frozenset(index for index in disliked if index >= 0),
            engine,
            events[-1].sequence if events else 0 if kept is None else kept.last,
            removals,
        )
        self._keep(user, found)
        return found

    def clear(self) -> None:
        """Forgets all of them."""
        with self._lock:
            self._kept.clear()
            self._size = 0

    def _keep(self, user: str, found: ReadHistory) -> None:
        with self._lock:
            before = self._kept.pop(user, None)
            self._size += found.size - (0 if before is None else before.size)
            self._kept[user] = found
            while self._size > self._max_events:
                _, gone = self._kept.popitem(last=False)
                self._size -= gone.size


def _resolved(
    history: UserHistory, engine: Engine, kept: ReadHistory | None
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Indices of known items and ids of unknown ones; what was looked up before is taken over."""
    done = 0
    if kept is not None and kept.engine is engine:
        done = len(kept.history.items)
    if kept is None or done == 0 or history.items[:done] != kept.history.items:
        known, unknown = resolve(engine.catalogue, history.items, "history")
        return tuple(known), unknown
    known, unknown = resolve(engine.catalogue, history.items[done:], "history")
    return (*kept.known, *known), tuple(dict.fromkeys((*kept.unknown, *unknown)))
