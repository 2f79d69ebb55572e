"""The tables of a store, as numbered migrations. A number that was released is never edited."""

import sqlite3

from pocketrec.errors import EventStoreError, EventStoreVersionError

APPLICATION_ID = 0x706B5265
"""Marks a SQLite file as ours: "pkRe"."""

_V1 = """
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL,
    item TEXT NOT NULL,
    event TEXT NOT NULL,
    time_s REAL NOT NULL
) STRICT;
CREATE INDEX events_by_user ON events (user, sequence);
"""

# Events age on the store's own clock; marks are its clock and counters; items are what the app
# added to the catalogue, as JSON.
_V2 = """
ALTER TABLE events ADD COLUMN age_s REAL NOT NULL DEFAULT 0;
CREATE TABLE marks (name TEXT PRIMARY KEY, value REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE items (item TEXT PRIMARY KEY, entry TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""

MIGRATIONS: tuple[str, ...] = (_V1, _V2)
"""Statements that lead from schema n to schema n + 1, from the empty file on."""


def migrate(connection: sqlite3.Connection, *, upto: int = len(MIGRATIONS)) -> None:
    """Brings a file to the newest schema, whole or not at all; returns at once where it is there.

    Args:
        connection: In autocommit mode.
        upto: The schema to stop at.

    Raises:
        EventStoreVersionError: The file has a newer schema.
        EventStoreError: The file is a database of something else.
    """
    if _version(connection) == upto:
        return
    connection.execute("BEGIN EXCLUSIVE")
    try:
        # Asked again: another process may have been faster.
        for number in range(_version(connection), upto):
            for statement in filter(str.strip, MIGRATIONS[number].split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection) -> int:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or version or tables):
        raise EventStoreError("the file is a SQLite database of something else; choose another")
    if version > len(MIGRATIONS):
        raise EventStoreVersionError(
            f"the store has schema {version}, this pocketrec knows 1 to {len(MIGRATIONS)}; "
            "upgrade pocketrec"
        )
    return int(version)
