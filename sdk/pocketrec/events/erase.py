"""Deleting so that no byte stays behind."""

import sqlite3

from pocketrec.errors import EventStoreBusyError
from pocketrec.events.database import Database


def make_room(database: Database) -> None:
    """Lets the log be written from its start again: deleting needs space, a full disk has none."""
    database.outside(lambda connection: _checkpoint(connection, "RESTART"))


def scrub(database: Database) -> None:
    """Rewrites the file and empties its log, so that deleted content stands in neither.

    `secure_delete` overwrites deleted rows, but a page that was split keeps copies of the rows that
    it gave away, and the log keeps older pages: VACUUM and a truncating checkpoint end both.

    Raises:
        EventStoreBusyError: Another process read for so long that the log could not be emptied.
        EventStoreError: The file could not be rewritten.
    """
    database.outside(lambda connection: connection.execute("VACUUM").close())
    if not database.outside(lambda connection: _checkpoint(connection, "TRUNCATE")):
        raise EventStoreBusyError(
            f"{database.path}-wal could not be emptied while another process reads the store: what "
            "was erased is deleted, but its bytes may stand in the log; call erase again"
        )


def _checkpoint(connection: sqlite3.Connection, mode: str) -> bool:
    busy, _, _ = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    return not busy
