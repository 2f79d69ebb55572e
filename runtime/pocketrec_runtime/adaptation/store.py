"""What was learned of users, by name: in memory, and in files that outlive the process."""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.adaptation.file import decode_learned, encode_learned
from pocketrec_runtime.adaptation.learner import Learned, Learner
from pocketrec_runtime.errors import InputError, StateError
from pocketrec_runtime.store.folder import BoundedFolder
from pocketrec_runtime.store.record import user_digest

SUFFIX = ".taste"


class TasteStore:
    """What a device has learned of its users. Safe to share among threads.

    It is a cache of what their histories say: what is missing, stale or damaged is learned again.
    A damaged file is not used and replaced. No lock is held while a model runs.

    Args:
        folder: Where it outlives the process; None keeps it in memory only.
        max_users: Users in memory; the least recently used leave, their files stay.
        disk_bytes: Bytes of all files.

    Raises:
        InputError: A limit is below 1.
        StateError: The folder cannot be written.
    """

    def __init__(
        self,
        folder: str | PathLike[str] | None = None,
        *,
        max_users: int = 4096,
        disk_bytes: int = 64 * 1024**2,
    ) -> None:
        if max_users < 1 or disk_bytes < 1:
            raise InputError(f"limits are {max_users} and {disk_bytes}; give at least 1")
        self._folder = None if folder is None else BoundedFolder(Path(folder), SUFFIX, disk_bytes)
        self._max_users = max_users
        self._users: OrderedDict[str, Learned] = OrderedDict()
        self._dirty: set[str] = set()
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

    def __len__(self) -> int:
        return len(self._users)

    def adapted(
        self, learner: Learner, user: str, history: Sequence[int], vector: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """A user vector with what was learned of the user up to now, float32 (width,).

        Args:
            learner: Learns what is new of the history.
            user: The user's name, any string.
            history: Item indices of the whole history, oldest first, at least one.
            vector: The model's user vector after it.

        Raises:
            InputError: As `Engine.prefill`.
        """
        forgotten = self._forgotten
        with self._lock:
            kept = self._users.get(user)
        before = kept if kept is not None else self._read(user, len(vector))
        learned = learner.follow(before, history)
        with self._lock:
            # Who was forgotten meanwhile must not come back.
            if forgotten == self._forgotten:
                self._users[user] = learned
                self._users.move_to_end(user)
                if learned is not before:
                    self._dirty.add(user)
        self._make_room()
        return learner.adapted(vector, learned)

    def reset(self, learner: Learner, user: str, history: Sequence[int]) -> None:
        """Starts a user anew: the model as it is, and only events from now on are learned from.

        Where the history is changed before this point, not only grown, all of it is learned from
        again; erase the history to be rid of it for good.

        Args:
            learner: Whose model it is.
            user: The user's name.
            history: Item indices of the whole history up to now, oldest first, at least one.

        Raises:
            InputError: As `Engine.prefill`.
            StateError: It could not be written; it holds until the process ends.
        """
        blank = learner.blank(history)
        with self._lock:
            self._forgotten += 1  # what is being learned right now must not come after it
            self._users[user] = blank
            self._users.move_to_end(user)
            self._dirty.add(user)
        self._make_room()
        try:
            self._write(user)
        except OSError as error:
            raise StateError(f"the reset of a user was not written: {error}") from error

    def forget(self, user: str) -> None:
        """Removes what is kept of a user, in memory and on disk.

        Raises:
            StateError: The file could not be removed.
        """
        with self._disk_lock:
            with self._lock:
                self._forgotten += 1
                self._users.pop(user, None)
                self._dirty.discard(user)
            if self._folder is None:
                return
            try:
                self._folder.remove(user_digest(user))
            except OSError as error:
                raise StateError(f"what was learned was not removed: {error}") from error

    def clear(self) -> None:
        """Removes what was learned of all users, in memory and on disk.

        Raises:
            StateError: A file could not be removed.
        """
        with self._disk_lock:
            with self._lock:
                self._forgotten += 1
                self._users.clear()
                self._dirty.clear()
            if self._folder is None:
                return
            try:
                self._folder.clear()
            except OSError as error:
                raise StateError(f"what was learned was not removed: {error}") from error

    def flush(self) -> None:
        """Writes what is newer than its file.

        Raises:
            StateError: The system could not write; it stays in memory.
        """
        if self._folder is None:
            return
        with self._lock:
            dirty = list(self._dirty)
        try:
            for user in dirty:
                self._write(user)
            self._folder.trim()
        except OSError as error:
            raise StateError(f"what was learned was not written: {error}") from error

    def _read(self, user: str, width: int) -> Learned | None:
        data = None if self._folder is None else self._folder.read(user_digest(user))
        if data is None:
            return None
        try:
            return decode_learned(data, user, width)
        except StateError:
            return None  # learned again from the history, and the file replaced

    def _write(self, user: str) -> None:
        if self._folder is None:
            return
        with self._disk_lock:
            with self._lock:
                learned = self._users.get(user) if user in self._dirty else None
            if learned is None:
                return
            self._folder.write(user_digest(user), encode_learned(user, learned))
            with self._lock:
                if self._users.get(user) is learned:
                    self._dirty.discard(user)

    def _make_room(self) -> None:
        while True:
            with self._lock:
                if len(self._users) <= self._max_users:
                    return
                user = next(iter(self._users))
            # The history holds all of it; an answer must not fail for a full disk.
            with contextlib.suppress(OSError):
                self._write(user)
            with self._lock:
                self._users.pop(user, None)
                self._dirty.discard(user)
