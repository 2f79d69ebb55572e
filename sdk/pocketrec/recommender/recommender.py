"""The recommender that an app embeds: a bundle, a store of events, and what follows from both."""

import time
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pocketrec.events import EventStore, EventStoreSettings
from pocketrec.opening import open_engine
from pocketrec.recommender.core import Core
from pocketrec.recommender.history import EventKinds
from pocketrec.recommender.user import User
from pocketrec_runtime import Engine, NewItem
from pocketrec_runtime.adaptation import AdaptationSettings

if TYPE_CHECKING:
    from pocketrec.fallback import FallbackClient, FallbackSettings


class Recommender:
    """Recommendations for an app's users, from their own events, on this device.

    Safe to share among threads. Several processes may open the same store; each sees what the
    others record, erase and add. `with` or `close` keeps users' states for the next start.

    Args:
        engine: The bundle.
        store: What users did. Closed with the recommender.
        kinds: Which words of the app's events mean what.
        fallback: A server that may improve answers; None never asks one.
        adaptation: What is learned of each user beside the model, see docs/adaptation.md; None,
            the default, is nothing.
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
        adaptation: AdaptationSettings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._core = Core(
            engine, store, kinds=kinds, fallback=fallback, adaptation=adaptation, clock=clock
        )

    @classmethod
    def open(
        cls,
        bundle: str | PathLike[str],
        *,
        store: str | PathLike[str],
        deltas: Sequence[str | PathLike[str]] = (),
        key: str | None = None,
        settings: EventStoreSettings | None = None,
        kinds: EventKinds | None = None,
        fallback: "FallbackSettings | None" = None,
        adaptation: AdaptationSettings | None = None,
    ) -> Self:
        """Opens a bundle and a store of events.

        Args:
            bundle: A directory or zip bundle; every byte is verified.
            store: Folder of what users did; it is made where it is missing.
            deltas: Delta files that are laid over the bundle, in this order, see docs/deltas.md.
            key: Encrypts the store, see `EventStore`.
            settings: What the store keeps, and how.
            kinds: As in `Recommender`.
            fallback: As in `Recommender`; off until its `url` is set.
            adaptation: As in `Recommender`.

        Raises:
            BundleError: As `Engine.open` and `read_delta`.
            DeltaError: A delta is for another bundle, or does not fit it.
            EventStoreError: As `EventStore`.
            MissingExtraError: A package for a key or for the bundle is not installed.
        """
        events = EventStore(store, settings=settings, key=key)
        try:
            return cls(
                open_engine(bundle, deltas),
                events,
                kinds=kinds,
                fallback=fallback,
                adaptation=adaptation,
            )
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
        return self._core.sync()[0]

    @property
    def store(self) -> EventStore:
        """What users did."""
        return self._core.store

    @property
    def fallback(self) -> "FallbackClient | None":
        """The client of the server: what left the device stands in its ledger."""
        return self._core.fallback

    def user(self, user_id: str) -> User:
        """A user by the app's own name for them; known before or not.

        Raises:
            InputError: The name is no storable text, see `Event`.
        """
        return User(self._core, user_id)

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
        self._core.add_items(items, retire)

    def close(self) -> None:
        """Keeps users' states for the next start and closes the store.

        Raises:
            StateError: States could not be written; nothing but time is lost.
        """
        self._core.close()
