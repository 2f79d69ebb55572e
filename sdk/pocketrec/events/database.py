"""One file, opened once in each process and shared by its threads."""

import contextlib
import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pocketrec.errors import EventStoreError
from pocketrec.events.encryption import Driver
from pocketrec.events.failures import explained, is_busy, is_damage, wrong_key
from pocketrec.events.opening import alone, connected
from pocketrec.events.quarantine import move_aside, readable_events, readable_items, take_over
from pocketrec.events.settings import EventStoreSettings
from pocketrec_runtime.errors import ForkError

T = TypeVar("T")
log = logging.getLogger("pocketrec.events")
_ATTEMPTS = 3
_SHORTEST_WAIT_S = 0.0001
_LONGEST_WAIT_S = 0.005


class Database:
    """Transactions on one SQLite file. Safe to share among threads, which take turns.

    A fork closes the file before and opens it after, in both processes: SQLite's own record of
    the locks that it holds would be wrong in the child. A damaged file is moved aside and a new
    one takes its place; a file that another process moved aside is left.

    Args:
        path: The file; it is made at the first use.
        driver: Plain or encrypted.
        settings: Waiting and writing.
    """

    def __init__(self, path: Path, driver: Driver, settings: EventStoreSettings) -> None:
        self._path = path
        self._driver = driver
        self._settings = settings
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self._identity: tuple[int, int] | None = None
        self._closed = False
        _watch_forks(self)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def read(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """What an action gives in one transaction that changes nothing.

        Raises:
            EventStoreError: The store cannot be read.
            ForkError: This process was forked behind Python's back.
        """
        return self._run(action, "BEGIN")

    def write(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """What an action gives in one transaction: all of it is kept, or nothing.

        Raises:
            EventStoreError: Nothing was changed.
            ForkError: As `read`.
        """
        return self._run(action, "BEGIN IMMEDIATE")

    def outside(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """What an action gives outside of a transaction, where VACUUM and checkpoints run.

        Raises:
            EventStoreError, ForkError: As `read`.
        """

        def waiting(connection: sqlite3.Connection) -> T:
            connection.execute(f"PRAGMA busy_timeout = {self._settings.busy_timeout_ms}")
            try:
                return action(connection)
            finally:
                connection.execute("PRAGMA busy_timeout = 0")

        return self._run(waiting, None)

    def close(self) -> None:
        """Closes the file; every later call raises."""
        with self._lock:
            self._closed = True
            self._disconnect()

    def pause(self) -> None:
        """Closes the file and keeps every thread out until `resume`."""
        self._lock.acquire()
        self._disconnect()

    def resume(self) -> None:
        """Lets threads in again; the next one opens the file."""
        self._lock.release()

    def _run(self, action: Callable[[sqlite3.Connection], T], begin: str | None) -> T:
        with self._lock:
            for _ in range(_ATTEMPTS):
                try:
                    connection = self._opened()
                    result = self._patiently(connection, action, begin)
                except (self._driver.error, UnicodeDecodeError, OSError) as error:
                    self._recover(error)
                    continue
                # Written into a file that another process just moved aside is not yet kept.
                if self._is_in_place():
                    return result
                self._disconnect()
        raise EventStoreError(
            f"{self._path} is replaced or damaged again and again; check the disk"
        )

    def _patiently(
        self,
        connection: sqlite3.Connection,
        action: Callable[[sqlite3.Connection], T],
        begin: str | None,
    ) -> T:
        """What an action gives, once other processes leave room for it.

        SQLite's own waiting sleeps for up to 100 ms where a writer holds the file for 0.1 ms.
        """
        deadline_s = time.monotonic() + self._settings.busy_timeout_ms / 1000
        wait_s = _SHORTEST_WAIT_S
        while True:
            try:
                return _transaction(connection, action, begin)
            except self._driver.error as error:
                if not is_busy(error) or time.monotonic() + wait_s > deadline_s:
                    raise
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _opened(self) -> sqlite3.Connection:
        if self._closed:
            raise EventStoreError(f"{self._path} was closed; open the store again")
        if self._connection is not None:
            if self._process != os.getpid():
                raise ForkError(
                    f"{self._path} was opened in process {self._process}, of which this one is a "
                    "fork made without os.fork; open the store in each process"
                )
            if self._is_in_place():
                return self._connection
            self._disconnect()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with alone(self._path.parent):
            self._connection = connected(self._path, self._driver, self._settings)
            self._identity = _identity(self._path)
        self._process = os.getpid()
        return self._connection

    def _is_in_place(self) -> bool:
        return self._identity is not None and _identity(self._path) == self._identity

    def _recover(self, error: Exception) -> None:
        """Returns where it is worth to try again: a damaged file was moved aside."""
        if not is_damage(error):
            raise explained(error, self._path) from error
        if self._driver.key is not None and self._connection is None:
            raise wrong_key(self._path) from error
        damaged = self._identity or _identity(self._path)
        self._disconnect()
        try:
            self._replace(damaged)
        except (self._driver.error, OSError) as failure:
            raise explained(failure, self._path) from failure

    def _replace(self, damaged: tuple[int, int] | None) -> None:
        with alone(self._path.parent):
            if _identity(self._path) != damaged:
                return  # another process was faster
            aside = move_aside(self._path)
            events = readable_events(aside, self._driver)
            items = readable_items(aside, self._driver)
            connection = connected(self._path, self._driver, self._settings)
            try:
                take_over(connection, events, items)
            finally:
                connection.close()
        log.warning(
            "%s is damaged; it was moved to %s, and %d events that could be read are in the new "
            "store",
            self._path,
            aside.name,
            len(events),
        )

    def _disconnect(self) -> None:
        connection, self._connection, self._identity = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(self._driver.error):
                connection.close()


def _transaction(
    connection: sqlite3.Connection, action: Callable[[sqlite3.Connection], T], begin: str | None
) -> T:
    if begin is None:
        return action(connection)
    connection.execute(begin)
    try:
        result = action(connection)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return result


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path, None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


_open: "weakref.WeakSet[Database]" = weakref.WeakSet()
_paused: list[Database] = []
_hooked: list[bool] = []


def _watch_forks(database: Database) -> None:
    _open.add(database)
    if not _hooked and hasattr(os, "register_at_fork"):
        _hooked.append(True)
        os.register_at_fork(before=_pause_all, after_in_parent=_resume, after_in_child=_resume)


def _pause_all() -> None:
    for database in list(_open):
        database.pause()
        _paused.append(database)


def _resume() -> None:
    while _paused:
        _paused.pop().resume()
