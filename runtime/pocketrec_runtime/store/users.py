"""The store of users' states."""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.engine import Engine
from pocketrec_runtime.errors import InputError, StateError
from pocketrec_runtime.history import HistoryReader
from pocketrec_runtime.state import UserState
from pocketrec_runtime.store.cache import UserCache
from pocketrec_runtime.store.folder import BoundedFolder
from pocketrec_runtime.store.record import (
    KeptUser,
    PackedUser,
    decode_user,
    encode_user,
)

MEBIBYTE = 1024**2
SUFFIX = ".state"


@dataclass(frozen=True)
class StoreStats:
    """What a store did so far.

    Attributes:
        users: Users in memory now.
        memory_bytes: Bytes that they take.
        reused: States that were there and went on.
        from_disk: How many of those came from the disk.
        built: States read from the start: new users, and the next two.
        unusable: States that were there and were of another model or history, cut off or altered.
        evicted: Users that left memory for others.
        failed_writes: States that could not be written when they left memory.
    """

    users: int = 0
    memory_bytes: int = 0
    reused: int = 0
    from_disk: int = 0
    built: int = 0
    unusable: int = 0
    evicted: int = 0
    failed_writes: int = 0


@dataclass(frozen=True, eq=False)
class _Packed:
    """A packed user, and who can unpack it."""

    user: PackedUser
    reader: HistoryReader


class StateStore:
    """Users' states by name, the most recently used in memory, the rest on disk or forgotten.

    A state is a cache of what the user's history says: the caller keeps the history, and whatever
    is missing, stale or damaged here is built again from it. No lock is held while a model runs.
    Safe to share among threads.

    Args:
        folder: Where states outlive the process; None keeps them in memory only.
        memory_bytes: Bytes of states in memory, counted with Python's own.
        disk_bytes: Bytes of state files.
        unwritable: Whether a folder that cannot be written raises, or is done without.

    Raises:
        InputError: A limit is below 1, or `unwritable` is neither "raise" nor "memory".
        StateError: The folder cannot be written.
    """

    def __init__(
        self,
        folder: str | PathLike[str] | None = None,
        *,
        memory_bytes: int = 64 * MEBIBYTE,
        disk_bytes: int = 256 * MEBIBYTE,
        unwritable: Literal["raise", "memory"] = "raise",
    ) -> None:
        if memory_bytes < 1 or disk_bytes < 1:
            raise InputError(f"limits are {memory_bytes} and {disk_bytes} bytes; give at least 1")
        if unwritable not in ("raise", "memory"):
            raise InputError(f"unwritable is {unwritable!r}; give 'raise' or 'memory'")
        self._cache: UserCache[_Packed] = UserCache(
            _open_folder(folder, disk_bytes, unwritable),
            lambda user, kept: encode_user(user, kept.user.unpack(kept.reader), kept.reader),
            lambda kept: kept.user.size_bytes,
            memory_bytes,
            "states",
        )
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flush()

    @property
    def is_durable(self) -> bool:
        """Whether states outlive the process."""
        return self._cache.is_durable

    @property
    def stats(self) -> StoreStats:
        """What the store did so far."""
        cache = self._cache
        with self._lock:
            return StoreStats(
                users=len(cache),
                memory_bytes=cache.held,
                evicted=cache.evicted,
                failed_writes=cache.failed_writes,
                **self._counts,
            )

    def follow(
        self, engine: Engine, user: str, history: Sequence[int]
    ) -> tuple[UserState, NDArray[np.float32]]:
        """State and user vector, float32 (width,), of a user's history, from what is kept of it.

        The answer depends on the history alone, not on what is kept: see `HistoryReader.read`.

        Args:
            engine: Reads what is new.
            user: The user's name, any string.
            history: Item indices of the whole history, oldest first, at least one.

        Raises:
            InputError: As `Engine.prefill`.
        """
        epoch = self._cache.epoch
        kept = self._kept(engine.reader, user, history, epoch)
        if kept is None:
            state, vector = engine.reader.read(history)
        elif kept.events == len(history):
            return kept.state, kept.vector
        else:
            state, vector = engine.reader.extend(kept.state, history[kept.events :])
        self._keep(engine.reader, user, KeptUser(state, len(history), vector), epoch)
        return state, vector

    def forget(self, user: str) -> None:
        """Removes all that is kept of a user, in memory and on disk.

        Raises:
            StateError: The file could not be removed.
        """
        self._cache.forget(user)

    def clear(self) -> None:
        """Removes all that is kept of all users, in memory and on disk.

        Raises:
            StateError: A file could not be removed.
        """
        self._cache.clear()

    def flush(self) -> None:
        """Writes every state that is newer than its file.

        Raises:
            StateError: The system could not write; states stay in memory.
        """
        self._cache.flush()

    def _kept(
        self, reader: HistoryReader, user: str, history: Sequence[int], epoch: int
    ) -> KeptUser | None:
        """What is kept of a user where it fits the history and the model; counts what happened."""
        packed = self._cache.get(user)
        data = self._cache.read(user) if packed is None else None
        kept = _usable(packed, data, user, reader)
        if kept is not None and not kept.follows(history):
            kept = None
        with self._lock:
            self._counts["reused" if kept is not None else "built"] += 1
            self._counts["from_disk"] += kept is not None and packed is None
            self._counts["unusable"] += kept is None and (packed is not None or data is not None)
        if kept is not None and packed is None:
            self._keep(reader, user, kept, epoch, dirty=False)
        return kept

    def _keep(
        self, reader: HistoryReader, user: str, kept: KeptUser, epoch: int, *, dirty: bool = True
    ) -> None:
        packed = _Packed(PackedUser.pack(kept, reader), reader)
        self._cache.put(user, packed, epoch, dirty=dirty)


def _usable(
    packed: _Packed | None, data: bytes | None, user: str, reader: HistoryReader
) -> KeptUser | None:
    try:
        if packed is not None:
            return packed.user.unpack(reader)
        return None if data is None else decode_user(data, user, reader)
    except StateError:
        return None


def _open_folder(
    folder: str | PathLike[str] | None, disk_bytes: int, unwritable: str
) -> BoundedFolder | None:
    if folder is None:
        return None
    try:
        return BoundedFolder(Path(folder), SUFFIX, disk_bytes)
    except StateError:
        if unwritable == "raise":
            raise
        return None
