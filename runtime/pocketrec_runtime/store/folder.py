"""Files of one folder, bounded in bytes: the oldest go first."""

import os
from pathlib import Path

from pocketrec_runtime.errors import BundleError, StateError
from pocketrec_runtime.storage import read_bounded, write_atomically

MAX_STATE_BYTES = 1024**3


class BoundedFolder:
    """Files by key. What it holds is a cache: anything in it may be deleted at any time.

    Args:
        path: The folder; it is made where it is missing.
        suffix: How its files end; others are left alone.
        limit_bytes: Bytes of all its files together.

    Raises:
        StateError: The folder cannot be made, or not be written to.
    """

    def __init__(self, path: Path, suffix: str, limit_bytes: int) -> None:
        self._path = path
        self._suffix = suffix
        self._limit_bytes = limit_bytes
        try:
            path.mkdir(parents=True, exist_ok=True)
            write_atomically(path / f"probe{suffix}.probe", b"")
            (path / f"probe{suffix}.probe").unlink()
        except OSError as error:
            raise StateError(
                f"{path} cannot be written: {error}; choose another folder, or keep states in "
                "memory only"
            ) from error

    def read(self, key: str) -> bytes | None:
        """The bytes of a key, None where there are none that can be read."""
        try:
            return read_bounded(self._file(key), MAX_STATE_BYTES)
        except (OSError, BundleError):
            return None

    def write(self, key: str, data: bytes) -> None:
        """Writes a key's bytes, whole or not at all.

        Raises:
            OSError: The system could not write.
        """
        write_atomically(self._file(key), data)

    def remove(self, key: str) -> None:
        """Removes a key's bytes; there may be none.

        Raises:
            OSError: The system could not remove them.
        """
        self._file(key).unlink(missing_ok=True)

    def clear(self) -> None:
        """Removes every file.

        Raises:
            OSError: The system could not list or remove them.
        """
        for file in self._path.glob(f"*{self._suffix}"):
            file.unlink(missing_ok=True)

    def trim(self) -> None:
        """Removes files, oldest first, until the rest is within the limit.

        Raises:
            OSError: The system could not list or remove them.
        """
        with os.scandir(self._path) as entries:
            files = [
                (entry.stat().st_mtime_ns, entry.name, entry.stat().st_size)
                for entry in entries
                if entry.name.endswith(self._suffix) and entry.is_file(follow_symlinks=False)
            ]
        total = sum(size for _, _, size in files)
        for _, name, size in sorted(files):
            if total <= self._limit_bytes:
                return
            (self._path / name).unlink(missing_ok=True)
            total -= size

    def _file(self, key: str) -> Path:
        return self._path / f"{key}{self._suffix}"
