"""A damaged file is moved aside; what can still be read of it goes into the new one."""

import contextlib
import logging
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pocketrec.events.encryption import Driver, unlock
from pocketrec.events.event import Event
from pocketrec_runtime.errors import InputError

log = logging.getLogger("pocketrec.events")
_PARTS = ("-wal", "-shm", "-journal")
_DAMAGED = ".damaged-"
_FROM_START = "SELECT user, item, event, time_s, sequence FROM events NOT INDEXED ORDER BY sequence"
_FROM_END = f"{_FROM_START} DESC"


def move_aside(path: Path) -> Path:
    """Renames a damaged file and those that SQLite keeps beside it; gives the new path.

    Raises:
        OSError: The system could not rename.
    """
    target = path.with_name(f"{path.name}{_DAMAGED}{secrets.token_hex(4)}")
    # The log first: laid over a new file it would damage that one too.
    for part in (*_PARTS, ""):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{part}").replace(f"{target}{part}")
    return target


def readable_events(path: Path, driver: Driver) -> list[Event]:
    """The events of a damaged file that can still be read, from its start and from its end."""
    found: dict[int, Event] = {}
    for query in (_FROM_START, _FROM_END):
        with contextlib.suppress(driver.error, InputError, OSError, UnicodeDecodeError):
            for event in (Event(*row) for row in _rows(path, driver, query)):
                if event.sequence in found:
                    break
                found[event.sequence] = event
    return [found[sequence] for sequence in sorted(found)]


def readable_items(path: Path, driver: Driver) -> list[tuple[str, str]]:
    """What a damaged file says of items, as far as it can be read."""
    found: list[tuple[str, str]] = []
    with contextlib.suppress(driver.error, OSError, UnicodeDecodeError):
        for row in _rows(path, driver, "SELECT item, entry FROM items"):
            found.append(row)
    return found


def take_over(
    connection: sqlite3.Connection, events: list[Event], items: list[tuple[str, str]]
) -> None:
    """Puts events into a fresh store, in their old places, and what was said of items."""
    rows = [(e.sequence, e.user, e.item, e.event, e.time_s) for e in events]
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO events (sequence, user, item, event, time_s) VALUES (?, ?, ?, ?, ?)", rows
    )
    connection.executemany("INSERT OR IGNORE INTO items VALUES (?, ?)", items)
    connection.execute("COMMIT")


def remove_quarantined(path: Path) -> None:
    """Deletes every file that was moved aside from a path: they cannot be searched for a user.

    Raises:
        OSError: The system could not remove one.
    """
    for file in path.parent.glob(f"{path.name}{_DAMAGED}*"):
        file.unlink(missing_ok=True)


def _rows(path: Path, driver: Driver, query: str) -> Iterator[Any]:
    connection = driver.connect(str(path), isolation_level=None)
    try:
        unlock(connection, driver.key)
        connection.execute("PRAGMA trusted_schema = OFF")
        yield from connection.execute(query)
    finally:
        connection.close()
