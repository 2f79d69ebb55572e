"""The ledger of what left the device: one line of JSON per request, for the user to read."""

import json
import os
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pocketrec.fallback.faults import ServerFault

_KEPT_IN_MEMORY = 1_000


@dataclass(frozen=True)
class LedgerEntry:
    """One request that was sent, noted down before its first byte left.

    Which items they were stands in no entry: that is the user's history, and is erased with it.

    Attributes:
        at: The device's time of day, ISO 8601 in UTC.
        host: Where it went.
        port: Likewise.
        path: What was asked, for example "/v1/recommend".
        history_items: Item ids of the user's history in it.
        other_items: Other item ids in it: candidates, or what may not be recommended.
        body_bytes: Length of the body.
        with_token: Whether a bearer token was sent; never which.
        encrypted: Whether it went by TLS.
    """

    at: str
    host: str
    port: int
    path: str
    history_items: int
    other_items: int
    body_bytes: int
    with_token: bool
    encrypted: bool


class Ledger:
    """Entries in a file, or in memory; threads and processes may share the file.

    A file that has reached `max_bytes` becomes FILE.1, in place of the one before, so that the
    newest requests always stand there.

    Args:
        path: The file; None keeps the newest 1,000 entries in memory.
        max_bytes: When a new file is begun.
    """

    def __init__(self, path: Path | None = None, max_bytes: int = 1_000_000) -> None:
        self._path, self._max_bytes = path, max_bytes
        self._kept: deque[LedgerEntry] = deque(maxlen=_KEPT_IN_MEMORY)
        self._lock = threading.Lock()

    def note(self, entry: LedgerEntry) -> None:
        """Write an entry down.

        Raises:
            ServerFault: "ledger": it cannot be written, so that the request must not be sent.
        """
        with self._lock:
            if self._path is None:
                self._kept.append(entry)
                return
            try:
                self._append(self._path, entry)
            except OSError as error:
                raise ServerFault("ledger", f"{self._path} cannot be written: {error}") from error

    def entries(self) -> list[LedgerEntry]:
        """All entries that are kept, oldest first; lines that are no entries are left out.

        Raises:
            OSError: The file cannot be read.
        """
        if self._path is None:
            return list(self._kept)
        return [entry for path in (self._older(self._path), self._path) for entry in _read(path)]

    def erase(self) -> None:
        """Forget all entries.

        Raises:
            OSError: The file cannot be removed.
        """
        with self._lock:
            self._kept.clear()
            if self._path is not None:
                for path in (self._older(self._path), self._path):
                    path.unlink(missing_ok=True)

    def _append(self, path: Path, entry: LedgerEntry) -> None:
        if path.exists() and path.stat().st_size >= self._max_bytes:
            path.replace(self._older(path))
        line = json.dumps(asdict(entry)).encode() + b"\n"
        # One write to a file opened for appending: lines of several processes do not mix. For the
        # user's eyes alone.
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError("the disk took a part of the line only")
        finally:
            os.close(descriptor)

    @staticmethod
    def _older(path: Path) -> Path:
        return path.with_name(path.name + ".1")


def now_utc() -> str:
    """The time of day, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read(path: Path) -> Iterator[LedgerEntry]:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            values: Any = json.loads(line)
            yield LedgerEntry(**values)
        except (ValueError, TypeError):
            # A line that was cut off when the disk was full.
            continue
