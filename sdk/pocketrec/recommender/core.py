"""What a recommender and its users share: engine, store, states, and what follows from all."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from pocketrec.events import EventStore
from pocketrec.recommender.additions import delta_of, merged
from pocketrec.recommender.histories import Histories, ReadHistory
from pocketrec.recommender.history import EventKinds
from pocketrec.recommender.view import UserView
from pocketrec_runtime import Engine, NewItem, Recommendation, StateStore, TextVectorCache
from pocketrec_runtime.adaptation import AdaptationSettings, Learner, TasteStore
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.lookup import Filters

if TYPE_CHECKING:
    from pocketrec.fallback import Deadline, FallbackClient, FallbackSettings

TEXTS_NAME = "texts.sqlite"


class Core:
    """The state of a `Recommender`, which documents the arguments. Safe to share among threads."""

    def __init__(
        self,
        engine: Engine,
        store: EventStore,
        *,
        kinds: EventKinds | None = None,
        fallback: "FallbackSettings | None" = None,
        adaptation: AdaptationSettings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.kinds = EventKinds() if kinds is None else kinds
        self.fallback = None if fallback is None else _client(fallback)
        self.clock = clock
        self._bundle = engine
        # A state names items: beside an encrypted store it may stand in memory only.
        folder = None if store.is_encrypted else store.states_folder
        self._states = StateStore(folder)
        self._adaptation = adaptation
        # Also where nothing is learned: files of earlier days are to be erased.
        self._tastes = TasteStore(folder)
        self._histories = Histories(store, self.kinds)
        self._texts: TextVectorCache | None = None
        self._lock = threading.Lock()
        self._is_closed = False
        self._revision = store.revision()
        self._engine = self._with_items(store.items())

    def sync(self) -> tuple[Engine, int]:
        """The engine, and how often events were removed: after what other processes did."""
        revision = self.store.revision()
        with self._lock:
            if revision.removals != self._revision.removals:
                # States and histories may hold what was erased, and no file says whose.
                self._states.clear()
                self._tastes.clear()
                self._histories.clear()
            if revision.items != self._revision.items:
                self._engine = self._with_items(self.store.items())
            self._revision = revision
            return self._engine, revision.removals

    def history(self, user_id: str) -> ReadHistory:
        """A user's history up to now."""
        return self._histories.read(user_id, *self.sync())

    def view(self, user_id: str) -> UserView:
        """What an answer to a user starts from."""
        read = self.history(user_id)
        vector = None
        if read.known:
            vector = self._states.follow(read.engine, user_id, read.known)[1]
            if self._adaptation is not None:
                learner = Learner(read.engine, self._adaptation)
                vector = self._tastes.adapted(learner, user_id, read.known, vector)
            if self._revision.removals != read.removals:
                # Erased while it was read: what was read must not stay.
                self._states.forget(user_id)
                self._tastes.forget(user_id)
        return UserView(read, vector)

    def erase(self, user_id: str) -> int:
        """Removes all that is kept of a user; gives the number of events."""
        removed = self.store.erase(user_id)
        self._states.forget(user_id)
        self._tastes.forget(user_id)
        self._histories.clear()
        return removed

    def reset_adaptation(self, user_id: str) -> None:
        """As `User.reset_adaptation`."""
        read = self.history(user_id)
        if self._adaptation is not None and read.known:
            self._tastes.reset(Learner(read.engine, self._adaptation), user_id, read.known)

    def add_items(self, items: Iterable[NewItem], retire: Sequence[str]) -> None:
        """As `Recommender.add_items`."""
        with self._lock:
            before = self.store.items()
            changed = merged(before, items, retire, self._bundle.manifest.fingerprint)
            engine = self._with_items({**before, **changed})
            self.store.put_items(changed)
            self._engine = engine

    def deadline(self, deadline_ms: float | None) -> "Deadline | None":
        """The deadline that lies so many milliseconds from now; None where no server is asked.

        Raises:
            InputError: It is no finite number of at least 0.
        """
        if deadline_ms is not None and not 0 <= deadline_ms < math.inf:
            raise InputError(f"deadline_ms is {deadline_ms}; give a finite number of at least 0")
        if deadline_ms is None or self.fallback is None:
            return None
        from pocketrec.fallback import Deadline

        return Deadline.after_ms(deadline_ms)

    def improved(
        self,
        view: UserView,
        k: int,
        answer: Recommendation,
        deadline: "Deadline",
        filters: Filters | None,
    ) -> Recommendation:
        """The server's answer in place of the device's, where it comes in time and holds."""
        if self.fallback is None:
            return answer
        from pocketrec.recommender.server import improved

        return improved(self.fallback, view, k, answer, deadline, filters)

    def close(self) -> None:
        """Keeps states for the next start and closes what is open; once."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self.sync()
            self._states.flush()
            self._tastes.flush()
            self.sync()  # what was erased meanwhile may just have been written
        finally:
            self.store.close()
            if self._texts is not None:
                self._texts.close()
            if self.fallback is not None:
                self.fallback.close()

    def _with_items(self, entries: dict[str, str]) -> Engine:
        if not entries:
            return self._bundle
        if self._texts is None:
            self._texts = TextVectorCache(self.store.folder / TEXTS_NAME, unwritable="memory")
        delta = delta_of(self._bundle, entries, self._texts)
        return self._bundle if delta is None else self._bundle.with_delta(delta)


def _client(settings: "FallbackSettings") -> "FallbackClient":
    from pocketrec.fallback import FallbackClient  # a third of the start, which most do not need

    return FallbackClient(settings)
