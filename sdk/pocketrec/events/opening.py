"""A file opened for use: pragmas set, schema brought up to date."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pocketrec.errors import EventStoreError
from pocketrec.events.encryption import Driver, unlock
from pocketrec.events.schema import migrate
from pocketrec.events.settings import EventStoreSettings

_PRAGMAS = (
    "trusted_schema = OFF",  # a file may come from anywhere
    "cell_size_check = ON",
    "secure_delete = ON",  # what is deleted is overwritten with zeros
    "temp_store = MEMORY",  # no event stands in a temporary file
    "mmap_size = 0",  # a mapped file that is cut short would kill the process
    # The log goes into the file every 2000 pages (8 MiB), about 650 records: that one waits.
    "wal_autocheckpoint = 2000",
    "journal_size_limit = 8388608",
)


def connected(path: Path, driver: Driver, settings: EventStoreSettings) -> sqlite3.Connection:
    """A connection in autocommit mode to the store's file, which is made where it is missing.

    Raises:
        EventStoreError: The file is of something else, of a newer pocketrec, or its file system
            cannot do WAL.
        driver.error, OSError: As they come.
    """
    _make_private(path)
    connection = driver.connect(
        str(path),
        timeout=settings.busy_timeout_ms / 1000,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        unlock(connection, driver.key)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise EventStoreError(
                f"{path} cannot be kept in WAL mode ({mode}); choose a local disk"
            )
        synchronous = "FULL" if settings.power_safe else "NORMAL"
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        migrate(connection)
        connection.execute("PRAGMA busy_timeout = 0")  # from now on `Database` waits
    except BaseException:
        with contextlib.suppress(driver.error):
            connection.close()
        raise
    return connection


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lets one process at a time open, migrate or replace the store of a folder.

    The lock goes with the process, however it ends.
    """
    descriptor = os.open(folder / "opening.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.name == "posix":
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Elsewhere SQLite's own locks order the migration, and an open file cannot be moved.
        yield
    finally:
        os.close(descriptor)


def _make_private(path: Path) -> None:
    """What a user did is nobody else's business; SQLite gives its other files the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
