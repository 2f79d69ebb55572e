"""What leaves a store by itself: what is older than its time to live, and what is too much."""

import sqlite3
from collections.abc import Mapping

from pocketrec.events.clock import DAY_S, StoreClock

LOOK_EVERY_S = 3600.0
"""How far the wall clock may move before the store's own clock is wound on."""

_CLOCK = ("age_s", "wall_s", "pending_s", "steady_s")
_TRIMMED_SHARE = 50  # one event of so many goes when the store is full


def read_marks(connection: sqlite3.Connection) -> dict[str, float]:
    """Every mark by name; one that was never set is not there."""
    return dict(connection.execute("SELECT name, value FROM marks").fetchall())


def add_to_mark(connection: sqlite3.Connection, name: str) -> None:
    """Counts one more of a mark."""
    connection.execute(
        "INSERT INTO marks VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1",
        (name,),
    )


def clock_of(marks: Mapping[str, float]) -> StoreClock:
    """The store's clock as it was last kept."""
    return StoreClock(**{name: marks.get(name, 0.0) for name in _CLOCK})


def wind(connection: sqlite3.Connection, now_s: float) -> StoreClock:
    """Moves the store's clock on and keeps it."""
    clock = clock_of(read_marks(connection)).at(now_s)
    connection.executemany(
        "INSERT OR REPLACE INTO marks VALUES (?, ?)",
        [(name, getattr(clock, name)) for name in _CLOCK],
    )
    return clock


def expire(connection: sqlite3.Connection, clock: StoreClock, ttl_days: float | None) -> None:
    """Removes the events that are older than `ttl_days` on the store's clock."""
    if ttl_days is None:
        return
    # Ages rise with places, so that only what goes is looked at.
    kept = connection.execute(
        "SELECT sequence FROM events WHERE age_s >= ? ORDER BY sequence LIMIT 1",
        (clock.age_s - ttl_days * DAY_S,),
    ).fetchone()
    if kept is None:
        _remove(connection, "DELETE FROM events", ())
    else:
        _remove(connection, "DELETE FROM events WHERE sequence < ?", kept)


def trim(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Removes the oldest events while the pages in use are more than `max_bytes`."""
    while _used_bytes(connection) > max_bytes:
        (count,) = connection.execute("SELECT count(*) FROM events").fetchone()
        if count < 2:
            return
        _remove(
            connection,
            "DELETE FROM events WHERE sequence <= (SELECT sequence FROM events ORDER BY sequence "
            "LIMIT 1 OFFSET ?)",
            (count // _TRIMMED_SHARE,),
        )


def _remove(connection: sqlite3.Connection, statement: str, values: tuple[int, ...]) -> None:
    if connection.execute(statement, values).rowcount:
        add_to_mark(connection, "removals")


def _used_bytes(connection: sqlite3.Connection) -> int:
    # SQLCipher gives some of these as texts.
    pages, free, page_bytes = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * page_bytes
