"""What was learned of users, by name: in memory, and in files that outlive the process."""

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
from pocketrec_runtime.store.cache import UserCache
from pocketrec_runtime.store.folder import BoundedFolder

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
        self._cache: UserCache[Learned] = UserCache(
            None if folder is None else BoundedFolder(Path(folder), SUFFIX, disk_bytes),
            encode_learned,
            lambda _: 1,
            max_users,
            "learned tastes",
        )

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
        return len(self._cache)

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
        epoch = self._cache.epoch
        before = self._cache.get(user)
        if before is None:
            before = self._read(user, len(vector))
        learned = learner.follow(before, history)
        self._cache.put(user, learned, epoch, dirty=learned is not before)
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
        self._cache.renew(user, learner.blank(history))

    def forget(self, user: str) -> None:
        """Removes what is kept of a user, in memory and on disk.

        Raises:
            StateError: The file could not be removed.
        """
        self._cache.forget(user)

    def clear(self) -> None:
        """Removes what was learned of all users, in memory and on disk.

        Raises:
            StateError: A file could not be removed.
        """
        self._cache.clear()

    def flush(self) -> None:
        """Writes what is newer than its file.

        Raises:
            StateError: The system could not write; it stays in memory.
        """
        self._cache.flush()

    def _read(self, user: str, width: int) -> Learned | None:
        data = self._cache.read(user)
        if data is None:
            return None
        try:
            return decode_learned(data, user, width)
        except StateError:
            return None  # learned again from the history, and the file replaced
