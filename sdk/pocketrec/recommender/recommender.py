"""The recommender that an app embeds: a bundle, a store of events, and what follows from both."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pocketrec.events import EventStore, EventStoreSettings
from pocketrec.recommender.additions import delta_of, merged
from pocketrec.recommender.history import EventKinds, history_of
from pocketrec.recommender.user import User
from pocketrec.recommender.view import UserView
from pocketrec_runtime import (
    Engine,
    NewItem,
    Recommendation,
    StateStore,
    TextVectorCache,
)
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.lookup import Filters, resolve

if TYPE_CHECKING:
    from pocketrec.fallback import Deadline, FallbackClient, FallbackSettings

TEXTS_NAME = "texts.sqlite"


class Recommender:
    """Recommendations for an app's users, from their own events, on this device.

    Safe to share among threads. Several processes may open the same store; each sees what the
    others record, erase and add. `with` or `close` keeps users' states for the next start.

    Args:
        engine: The bundle.
        store: What users did. Closed with the recommender.
        kinds: Which words of the app's events mean what.
        fallback: A server that may improve answers; None never asks one.
        clock: Seconds since 1970, for limits of exposure.

    Raises:
        StateError: The store's folder cannot be written.
    """

    def __init__(
        self,
        engine: Engine,
        store: EventStore,
        *,
        kinds: EventKinds | None = None,
        fallback: "FallbackSettings | None" = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bundle = engine
        self._store = store
        self._kinds = EventKinds() if kinds is None else kinds
        self._fallback = None if fallback is None else _client(fallback)
        self._clock = clock
        # A state names items: beside an encrypted store it may stand in memory only.
        self._states = StateStore(None if store.is_encrypted else store.states_folder)
        self._texts: TextVectorCache | None = None
        self._lock = threading.Lock()
        self._is_closed = False
        self._revision = store.revision()
        self._engine = self._with_items(store.items())

    @classmethod
    def open(
        cls,
        bundle: str | PathLike[str],
        *,
        store: str | PathLike[str],
        key: str | None = None,
        settings: EventStoreSettings | None = None,
        kinds: EventKinds | None = None,
        fallback: "FallbackSettings | None" = None,
    ) -> Self:
        """Opens a bundle and a store of events.

        Args:
            bundle: A directory or zip bundle; every byte is verified.
            store: Folder of what users did; it is made where it is missing.
            key: Encrypts the store, see `EventStore`.
            settings: What the store keeps, and how.
            kinds: As in `Recommender`.
            fallback: As in `Recommender`; off until its `url` is set.

        Raises:
            BundleError: As `Engine.open`.
            EventStoreError: As `EventStore`.
            MissingExtraError: A package for a key or for the bundle is not installed.
        """
        events = EventStore(store, settings=settings, key=key)
        try:
            return cls(Engine.open(bundle), events, kinds=kinds, fallback=fallback)
        except BaseException:
            events.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def engine(self) -> Engine:
        """The bundle with the items that were added."""
        return self._sync()[0]

    @property
    def store(self) -> EventStore:
        """What users did."""
        return self._store

    @property
    def kinds(self) -> EventKinds:
        """Which words of the app's events mean what."""
        return self._kinds

    @property
    def fallback(self) -> "FallbackClient | None":
        """The client of the server: what left the device stands in its ledger."""
        return self._fallback

    def user(self, user_id: str) -> User:
        """A user by the app's own name for them; known before or not.

        Raises:
            InputError: The name is no storable text, see `Event`.
        """
        return User(self, user_id)

    def add_items(self, items: Iterable[NewItem], *, retire: Sequence[str] = ()) -> None:
        """Adds or changes items of the catalogue, and retires others, for every process and start.

        They are kept in the store as the app gives them: a later bundle reads their texts anew, and
        what it holds by itself counts more than what was said to an older one.

        Args:
            items: As in `make_delta`.
            retire: Ids that are not recommended any more; adding one again brings it back.

        Raises:
            InputError, DeltaError: An item does not fit the bundle; nothing was kept.
            EventStoreError: Nothing was kept.
        """
        with self._lock:
            before = self._store.items()
            changed = merged(before, items, retire, self._bundle.manifest.fingerprint)
            engine = self._with_items({**before, **changed})
            self._store.put_items(changed)
            self._engine = engine

    def view(self, user_id: str) -> UserView:
        """What an answer to a user starts from.

        Raises:
            EventStoreError: The store cannot be read.
        """
        engine, removals = self._sync()
        history = history_of(self._store.events(user_id), self._kinds)
        known, unknown = resolve(engine.catalogue, history.items, "history")
        disliked = engine.catalogue.indices_of(sorted(history.disliked))
        vector = None
        if known:
            vector = self._states.follow(engine, user_id, known)[1]
            if self._revision.removals != removals:
                # Erased while it was read: what was read must not stay.
                self._states.forget(user_id)
        return UserView(
            engine,
            history,
            tuple(known),
            unknown,
            frozenset(index for index in disliked if index >= 0),
            vector,
        )

    def erase(self, user_id: str) -> int:
        """As `User.erase`."""
        removed = self._store.erase(user_id)
        self._states.forget(user_id)
        return removed

    def deadline(self, deadline_ms: float | None) -> "Deadline | None":
        """The deadline that lies so many milliseconds from now; None where no server is asked.

        Raises:
            InputError: It is no finite number of at least 0.
        """
        if deadline_ms is not None and not 0 <= deadline_ms < math.inf:
            raise InputError(f"deadline_ms is {deadline_ms}; give a finite number of at least 0")
        if deadline_ms is None or self._fallback is None:
            return None
        from pocketrec.fallback import Deadline

        return Deadline.after_ms(deadline_ms)

    def improved(
        self,
        view: UserView,
        k: int,
        answer: Recommendation,
        deadline: "Deadline",
        *,
        filters: Filters | None,
    ) -> Recommendation:
        """The server's answer in place of the device's, where it comes in time and holds."""
        if self._fallback is None:
            return answer
        from pocketrec.recommender.server import improved

        return improved(self._fallback, view, k, answer, deadline, filters)

    def now_s(self) -> float:
        """The present, in seconds since 1970."""
        return self._clock()

    def close(self) -> None:
        """Keeps users' states for the next start and closes the store.

        Raises:
            StateError: States could not be written; nothing but time is lost.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._sync()
            self._states.flush()
            self._sync()  # what was erased meanwhile may just have been written
        finally:
            self._store.close()
            if self._texts is not None:
                self._texts.close()
            if self._fallback is not None:
                self._fallback.close()

    def _sync(self) -> tuple[Engine, int]:
        """The engine, and how often events were removed: after what other processes did."""
        revision = self._store.revision()
        with self._lock:
            if revision.removals != self._revision.removals:
                # States may hold what was erased, and no file says whose.
                self._states.clear()
            if revision.items != self._revision.items:
                self._engine = self._with_items(self._store.items())
            self._revision = revision
            return self._engine, revision.removals

    def _with_items(self, entries: dict[str, str]) -> Engine:
        if not entries:
            return self._bundle
        if self._texts is None:
            self._texts = TextVectorCache(self._store.folder / TEXTS_NAME, unwritable="memory")
        delta = delta_of(self._bundle, entries, self._texts)
        return self._bundle if delta is None else self._bundle.with_delta(delta)


def _client(settings: "FallbackSettings") -> "FallbackClient":
    from pocketrec.fallback import FallbackClient  # a third of the start that most do not need

    return FallbackClient(settings)
