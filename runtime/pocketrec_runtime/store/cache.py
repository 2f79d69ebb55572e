"""What is kept of users, by name: the most recently used in memory, the rest in files.

Everything in it can be made anew from a user's history, so that whatever is missing, stale or
damaged is no loss. Being forgotten is what must not fail: a value that was being made while its
user was forgotten does not come back.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pocketrec_runtime.errors import StateError
from pocketrec_runtime.store.folder import BoundedFolder
from pocketrec_runtime.store.record import user_digest

Value = TypeVar("Value")


@dataclass(eq=False)
class _Entry(Generic[Value]):
    value: Value
    cost: int
    dirty: bool


class UserCache(Generic[Value]):
    """Values by user, bounded in memory and on disk. Safe to share among threads.

    No lock is held while a value is made. To keep one, take the `epoch` before making it and give
    it to `put`.

    Args:
        folder: Where values outlive the process; None keeps them in memory only.
        encode: A user's name and value to the bytes of a file.
        cost: What a value counts in memory.
        limit: What all values in memory may count together.
        what: What the values are, in the plural, for messages.
    """

    def __init__(
        self,
        folder: BoundedFolder | None,
        encode: Callable[[str, Value], bytes],
        cost: Callable[[Value], int],
        limit: int,
        what: str,
    ) -> None:
        self._folder, self._encode = folder, encode
        self._cost, self._limit, self._what = cost, limit, what
        self._entries: OrderedDict[str, _Entry[Value]] = OrderedDict()
        self._lock = threading.Lock()
        # Held while a file is written or removed, so that neither undoes the other.
        self._disk_lock = threading.Lock()
        self.epoch = 0
        self.held = 0
        self.evicted = 0
        self.failed_writes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_durable(self) -> bool:
        """Whether values outlive the process."""
        return self._folder is not None

    def get(self, user: str) -> Value | None:
        """The value in memory; it becomes the most recently used one."""
        with self._lock:
            entry = self._entries.get(user)
            if entry is None:
                return None
            self._entries.move_to_end(user)
            return entry.value

    def read(self, user: str) -> bytes | None:
        """The bytes of the user's file, None where there are none that can be read."""
        return None if self._folder is None else self._folder.read(user_digest(user))

    def put(self, user: str, value: Value, epoch: int, *, dirty: bool = True) -> None:
        """Keeps a value, unless somebody was forgotten since `epoch`; others leave for it.

        Args:
            user: The user's name.
            value: What is kept from now on.
            epoch: `epoch` before the value was made.
            dirty: Whether it is newer than the file.
        """
        entry = _Entry(value, self._cost(value), dirty)
        with self._lock:
            if epoch != self.epoch:
                return
            before = self._drop(user)
            entry.dirty |= before is not None and before.dirty and before.value is value
            self._add(user, entry)
        self._make_room()

    def renew(self, user: str, value: Value) -> None:
        """Keeps and writes a value that what is being made right now must not replace.

        Raises:
            StateError: It could not be written; it holds until the process ends.
        """
        entry = _Entry(value, self._cost(value), dirty=True)
        with self._lock:
            self.epoch += 1
            self._drop(user)
            self._add(user, entry)
        self._make_room()
        try:
            self._write(user)
        except OSError as error:
            raise StateError(f"{self._what} were not written: {error}") from error

    def forget(self, user: str) -> None:
        """Removes what is kept of a user, in memory and on disk.

        Raises:
            StateError: The file could not be removed.
        """
        with self._disk_lock:
            with self._lock:
                self.epoch += 1
                self._drop(user)
            self._remove(user)

    def clear(self) -> None:
        """Removes what is kept of all users, in memory and on disk.

        Raises:
            StateError: A file could not be removed.
        """
        with self._disk_lock:
            with self._lock:
                self.epoch += 1
                self._entries.clear()
                self.held = 0
            self._remove(None)

    def flush(self) -> None:
        """Writes every value that is newer than its file.

        Raises:
            StateError: The system could not write; values stay in memory.
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
            raise StateError(f"{self._what} were not written: {error}") from error

    def _remove(self, user: str | None) -> None:
        """Removes the file of a user, or all files."""
        if self._folder is None:
            return
        try:
            if user is None:
                self._folder.clear()
            else:
                self._folder.remove(user_digest(user))
        except OSError as error:
            raise StateError(f"{self._what} were not removed: {error}") from error

    def _write(self, user: str) -> None:
        if self._folder is None:
            return
        with self._disk_lock:
            with self._lock:
                entry = self._entries.get(user)
            if entry is None or not entry.dirty:
                return
            self._folder.write(user_digest(user), self._encode(user, entry.value))
            entry.dirty = False

    def _make_room(self) -> None:
        while True:
            with self._lock:
                if self.held <= self._limit or not self._entries:
                    return
                user, entry = next(iter(self._entries.items()))
            try:
                self._write(user)
            except OSError:
                # The history still holds all of it; an answer must not fail for a full disk.
                with self._lock:
                    self.failed_writes += 1
            with self._lock:
                # A newer value of the same user is no longer the least recently used one.
                if self._entries.get(user) is entry:
                    self._drop(user)
                    self.evicted += 1

    def _add(self, user: str, entry: _Entry[Value]) -> None:
        self._entries[user] = entry
        self.held += entry.cost

    def _drop(self, user: str) -> _Entry[Value] | None:
        entry = self._entries.pop(user, None)
        if entry is not None:
            self.held -= entry.cost
        return entry
