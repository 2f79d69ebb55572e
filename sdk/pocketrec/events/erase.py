"""Deleting so that no byte stays behind."""

import sqlite3

from pocketrec.errors import EventStoreBusyError, EventStoreFullError
from pocketrec.events.database import Database


def scrub(database: Database) -> None:
    """Rewrites the file and empties its log, so that deleted content stands in neither.

    `secure_delete` overwrites deleted rows, but a page that was split keeps copies of the rows that
    it gave away, and the log keeps older pages: VACUUM and a truncating checkpoint end both.

    Raises:
        EventStoreBusyError: Another process read for so long that the log could not be emptied.
        EventStoreFullError: There is no room to rewrite the file.
    """
    try:
        database.outside(lambda connection: connection.execute("VACUUM").close())
    except EventStoreFullError as error:
        raise EventStoreFullError(
            f"{database.path} could not be rewritten ({error}): what was erased is deleted, but "
            "copies of it may stand in free pages; free some space and call erase again"
        ) from error
    if not database.outside(_empty_log):
        raise EventStoreBusyError(
            f"{database.path}-wal could not be emptied while another process reads the store: what "
            "was erased is deleted, but its bytes may stand in the log; call erase again"
        )


def _empty_log(connection: sqlite3.Connection) -> bool:
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
