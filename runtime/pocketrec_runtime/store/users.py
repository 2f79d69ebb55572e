"""The store of users' states."""

import threading
from collections import Counter, OrderedDict
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
from pocketrec_runtime.store.folder import BoundedFolder
from pocketrec_runtime.store.record import (
    KeptUser,
    PackedUser,
    decode_user,
    encode_user,
    user_digest,
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


@dataclass(eq=False)
class _Entry:
    packed: PackedUser
    reader: HistoryReader
    size_bytes: int
    dirty: bool = True


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
        self._limit_bytes = memory_bytes
        self._folder = _open_folder(folder, disk_bytes, unwritable)
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._memory_bytes = 0
        self._counts: Counter[str] = Counter()
        self._forgotten = 0
        self._lock = threading.Lock()
        self._disk_lock = threading.Lock()

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
        return self._folder is not None

    @property
    def stats(self) -> StoreStats:
        """What the store did so far."""
        with self._lock:
            return StoreStats(
                users=len(self._entries), memory_bytes=self._memory_bytes, **self._counts
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
        forgotten = self._forgotten
        kept = self._kept(engine.reader, user, history, forgotten)
        if kept is None:
            state, vector = engine.reader.read(history)
        elif kept.events == len(history):
            return kept.state, kept.vector
        else:
            state, vector = engine.reader.extend(kept.state, history[kept.events :])
        self._keep(engine.reader, user, KeptUser(state, len(history), vector), forgotten)
        return state, vector

    def forget(self, user: str) -> None:
        """Removes all that is kept of a user, in memory and on disk.

        Raises:
            StateError: The file could not be removed.
        """
        with self._disk_lock:
            with self._lock:
                self._forgotten += 1
                self._drop(user)
            if self._folder is None:
                return
            try:
                self._folder.remove(user_digest(user))
            except OSError as error:
                raise StateError(f"the state of a user was not removed: {error}") from error

    def clear(self) -> None:
        """Removes all that is kept of all users, in memory and on disk.

        Raises:
            StateError: A file could not be removed.
        """
        with self._disk_lock:
            with self._lock:
                self._forgotten += 1
                self._entries.clear()
                self._memory_bytes = 0
            if self._folder is None:
                return
            try:
                self._folder.clear()
            except OSError as error:
                raise StateError(f"the states were not removed: {error}") from error

    def flush(self) -> None:
        """Writes every state that is newer than its file.

        Raises:
            StateError: The system could not write; states stay in memory.
        """
        if self._folder is None:
            return
        with self._lock:
            dirty = [user for user, entry in self._entries.items() if entry.dirty]
        try:
            for user in dirty:
                self._write(user)
            self._folder.trim()
        except OSError as error:
            raise StateError(f"states were not written: {error}") from error

    def _kept(
        self, reader: HistoryReader, user: str, history: Sequence[int], forgotten: int
    ) -> KeptUser | None:
        """What is kept of a user where it fits the history and the model; counts what happened."""
        with self._lock:
            entry = self._entries.get(user)
            if entry is not None:
                self._entries.move_to_end(user)
        data = None
        if entry is None and self._folder is not None:
            data = self._folder.read(user_digest(user))
        kept = _usable(entry, data, user, reader)
        if kept is not None and not kept.follows(history):
            kept = None
        with self._lock:
            self._counts["reused" if kept is not None else "built"] += 1
            self._counts["from_disk"] += kept is not None and entry is None
            self._counts["unusable"] += kept is None and (entry is not None or data is not None)
        if kept is not None and entry is None:
            self._keep(reader, user, kept, forgotten, dirty=False)
        return kept

    def _keep(
        self,
        reader: HistoryReader,
        user: str,
        kept: KeptUser,
        forgotten: int,
        *,
        dirty: bool = True,
    ) -> None:
        packed = PackedUser.pack(kept, reader)
        entry = _Entry(packed, reader, packed.size_bytes, dirty)
        with self._lock:
            # A user who was forgotten meanwhile must not come back.
            if forgotten != self._forgotten:
                return
            self._drop(user)
            self._entries[user] = entry
            self._memory_bytes += entry.size_bytes
        self._make_room()

    def _make_room(self) -> None:
        while True:
            with self._lock:
                if self._memory_bytes <= self._limit_bytes or not self._entries:
                    return
                user = next(iter(self._entries))
                must_write = self._entries[user].dirty and self._folder is not None
            try:
                if must_write:
                    self._write(user)
            except OSError:
                # The history still holds all of it; an answer must not fail for a full disk.
                with self._lock:
                    self._counts["failed_writes"] += 1
            with self._lock:
                self._counts["evicted"] += self._drop(user)

    def _write(self, user: str) -> None:
        if self._folder is None:
            return
        with self._disk_lock:
            with self._lock:
                entry = self._entries.get(user)
            if entry is None or not entry.dirty:
                return
            kept = entry.packed.unpack(entry.reader)
            self._folder.write(user_digest(user), encode_user(user, kept, entry.reader))
            entry.dirty = False

    def _drop(self, user: str) -> bool:
        entry = self._entries.pop(user, None)
        if entry is None:
            return False
        self._memory_bytes -= entry.size_bytes
        return True


def _usable(
    entry: _Entry | None, data: bytes | None, user: str, reader: HistoryReader
) -> KeptUser | None:
    try:
        if entry is not None:
            return entry.packed.unpack(reader)
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
