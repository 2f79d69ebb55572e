"""Histories read by the user tower: whole, many at once, or one event more."""

import copy
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.catalogue import Catalogue
from pocketrec_runtime.errors import InputError, StateError
from pocketrec_runtime.leave_one_out import user_vectors_without_each
from pocketrec_runtime.lookup import checked_history, checked_index
from pocketrec_runtime.prefill import read_histories
from pocketrec_runtime.process import HomeProcess
from pocketrec_runtime.shape import ModelShape
from pocketrec_runtime.state import UserState
from pocketrec_runtime.towers import UserTower
from pocketrec_runtime.towers.contract import Counter

Read = tuple[UserState, NDArray[np.float32]]
"""A user's state, and the user vector, float32 (width,)."""


def context_events(events: int, window: int) -> int:
    """Events that stand in the cache after so many appends to an empty state.

    A full window starts again from its newest half, so that the length of the context depends on
    the length of the history alone, and a state built anew ranks as one that was kept.
    """
    if events <= window:
        return events
    half = max(1, window // 2)
    return half + (events - window - 1) % (window - half + 1)


class HistoryReader:
    """Item indices in, states and user vectors out. Safe to share among threads.

    Args:
        tower: The user tower.
        shape: Its sizes.
        catalogue: Whose items the histories hold.
        fingerprint: Identity of tower and catalogue: states carry it.
    """

    def __init__(
        self, tower: UserTower, shape: ModelShape, catalogue: Catalogue, fingerprint: str
    ) -> None:
        self._tower = tower
        self._shape = shape
        self._catalogue = catalogue
        self._fingerprint = fingerprint
        self._readable = frozenset({fingerprint})
        self._process = HomeProcess()
        self._reused = Counter()

    @property
    def reused_positions(self) -> int:
        """Positions that `append` took from the cache, so far."""
        return self._reused.value

    def after(self, catalogue: Catalogue, fingerprint: str, *, moved: bool) -> Self:
        """A reader of the same tower over the catalogue after a delta.

        Args:
            catalogue: The items; those that were there keep their indices.
            fingerprint: Identity of tower and catalogue.
            moved: Whether an old item has another vector, so that older states are stale.
        """
        reader = copy.copy(self)
        reader._catalogue = catalogue
        reader._fingerprint = fingerprint
        reader._readable = frozenset({fingerprint}) | (frozenset() if moved else self._readable)
        return reader

    def check_process(self) -> None:
        """Returns in the process that opened the models.

        Raises:
            ForkError: This process was forked from it.
        """
        self._process.check()

    def prefill(self, items: Sequence[int]) -> Read:
        """As `Engine.prefill`."""
        checked = checked_history(items, len(self._catalogue))
        return self._prefill(tuple(checked[-self._shape.window :]), frozenset(checked))

    def prefill_many(self, histories: Sequence[Sequence[int]]) -> list[Read]:
        """As `Engine.prefill_many`."""
        self._process.check()
        checked = [checked_history(items, len(self._catalogue)) for items in histories]
        newest = [tuple(items[-self._shape.window :]) for items in checked]
        answers: dict[int, Read] = {}
        for place, kv, vector in read_histories(self._tower, self._catalogue.vectors_of, newest):
            seen = frozenset(checked[place])
            state = UserState(newest[place], kv, seen, self._fingerprint)
            answers[place] = state, vector.copy()
        return [answers[place] for place in range(len(checked))]

    def append(self, state: UserState, item: int) -> Read:
        """As `Engine.append`."""
        item = checked_index(item, len(self._catalogue))
        self.check_state(state)
        items = (*state.items, item)
        # Copying a long history's set for an item it already holds would be for nothing.
        seen = state.seen if item in state.seen else state.seen | {item}
        window = self._shape.window
        if len(items) > window:
            return self._prefill(items[-max(1, window // 2) :], seen)
        self._process.check()
        event = self._catalogue.vectors_of([[item]])
        vector, kv = self._tower.run(event, state.kv)
        self._reused.add(len(state.items))
        return UserState(items, kv, seen, self._fingerprint), vector[0]

    def user_vector(self, item_vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `Engine.user_vector`."""
        if item_vectors.ndim != 2 or not len(item_vectors):
            raise InputError(f"item vectors have shape {item_vectors.shape}; give (events, width)")
        self._process.check()
        vector: NDArray[np.float32] = self._tower.run(item_vectors[None])[0][0]
        return vector

    def read(self, items: Sequence[int]) -> Read:
        """State and user vector of a history, as if its events had been appended one by one.

        Raises:
            InputError: As `Engine.prefill`.
        """
        checked = checked_history(items, len(self._catalogue))
        newest = checked[-context_events(len(checked), self._shape.window) :]
        return self._prefill(tuple(newest), frozenset(checked))

    def extend(self, state: UserState, items: Sequence[int]) -> Read:
        """State and user vector after more events, as by `append` of each but in one run.

        Raises:
            InputError: As `Engine.prefill`.
            StateError: As `Engine.append`.
        """
        checked = checked_history(items, len(self._catalogue))
        self.check_state(state)
        seen = state.seen | frozenset(checked)
        items = (*state.items, *checked)
        kept = context_events(len(items), self._shape.window)
        if kept < len(items):
            return self._prefill(items[-kept:], seen)
        self._process.check()
        events = self._catalogue.vectors_of([checked])
        vector, kv = self._tower.run(events, state.kv)
        self._reused.add(len(state.items))
        return UserState(items, kv, seen, self._fingerprint), vector[0]

    def without_each(self, items: Sequence[int]) -> NDArray[np.float32]:
        """User vectors of a history without one of its events, float32 (events, width).

        One row for each of the newest `window` events, oldest first; each is `prefill` of the
        history without it, within float error: the window of a longer history then reaches one
        event further back.

        Raises:
            InputError: Fewer than two items, or as `Engine.prefill`.
        """
        checked = checked_history(items, len(self._catalogue))
        if len(checked) < 2:
            raise InputError("a history of one event has no vector without it")
        self._process.check()
        window = self._shape.window
        newest = checked[-(window + 1) :]
        found = user_vectors_without_each(self._tower, self._catalogue.vectors_of, newest)
        return found[-window:]

    @property
    def width(self) -> int:
        """Length of a user vector."""
        return self._shape.width

    @property
    def fingerprint(self) -> str:
        """Identity of tower and catalogue, as states carry it."""
        return self._fingerprint

    @property
    def cache_kind(self) -> str:
        """What `save` writes: backend, model file and precision of the cache."""
        account = self._tower.account
        return f"{account.backend} {account.file} {account.cache}"

    def save(self, state: UserState) -> bytes:
        """A state's cache as bytes, for `load`."""
        return self._tower.save(state.kv)

    def load(
        self, data: bytes, items: Sequence[int], seen: Sequence[int], fingerprint: str
    ) -> UserState:
        """A state from its parts.

        Raises:
            StateError: It is of another model or backend, or its parts do not fit together.
        """
        n = len(self._catalogue)
        if not 0 < len(items) <= self._shape.window:
            raise StateError(f"the state holds {len(items)} positions; the window is shorter")
        if min(seen, default=-1) < 0 or max(seen) >= n or not frozenset(items) <= frozenset(seen):
            raise StateError("the state holds an item that is not in the catalogue or not seen")
        if fingerprint not in self._readable:
            raise StateError(f"the state is of model {fingerprint[:12]}; rebuild it with prefill")
        cache = self._tower.load(data, len(items))
        return UserState(tuple(items), cache, frozenset(seen), fingerprint)

    def can_read(self, state: UserState) -> bool:
        """Whether `append` takes a state: its model and item vectors are those of this reader."""
        return state.fingerprint in self._readable

    def check_state(self, state: UserState) -> None:
        """Returns where `append` can go on from a state.

        Raises:
            StateError: It is of another model or backend.
        """
        if not self.can_read(state):
            raise StateError(
                f"the state is of model {state.fingerprint[:12]}, this is "
                f"{self._fingerprint[:12]}; rebuild it with prefill"
            )
        if not self._tower.fits(state.kv, len(state.items)):
            shape = self._shape
            expected = (1, shape.kv_heads, len(state.items), shape.head_dim)
            raise StateError(
                f"the state's cache is not {shape.blocks} blocks of {expected} of this backend; "
                "rebuild it with prefill"
            )

    def _prefill(self, items: tuple[int, ...], seen: frozenset[int]) -> Read:
        self._process.check()
        vector, kv = self._tower.run(self._catalogue.vectors_of([items]))
        return UserState(items, kv, seen, self._fingerprint), vector[0]
