"""The durable store of what users did, shared by threads and processes."""

import logging
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

from pocketrec.errors import EventStoreError, EventStoreFullError, EventStoreKeyError
from pocketrec.events.clock import StoreClock
from pocketrec.events.database import Database
from pocketrec.events.encryption import KEY_VARIABLE, driver_for
from pocketrec.events.erase import scrub
from pocketrec.events.event import Event, check_text
from pocketrec.events.keeping import (
    LOOK_EVERY_S,
    add_to_mark,
    expire,
    read_marks,
    trim,
    wind,
)
from pocketrec.events.quarantine import remove_quarantined
from pocketrec.events.settings import EventStoreSettings
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.store.record import user_digest

log = logging.getLogger("pocketrec.events")
PLAIN_NAME = "events.sqlite"
ENCRYPTED_NAME = "events.sqlcipher"
_INSERT = "INSERT INTO events (user, item, event, time_s, age_s) VALUES (?, ?, ?, ?, ?)"
_SELECT = "SELECT user, item, event, time_s, sequence FROM events"


@dataclass(frozen=True)
class Revision:
    """How often a store changed in ways that what was made from it does not show.

    Attributes:
        removals: Times that events were removed: erased, too old or too many.
        items: Times that items were added to the catalogue.
    """

    removals: int
    items: int


class EventStore:
    """Events of users in one SQLite file of a folder, in the order in which they were recorded.

    What `record` returned is there after `kill -9`; a power cut may take the last moments unless
    `settings.power_safe`. Safe to share among threads, processes and forks. A damaged file is
    moved aside, what can be read of it is kept, and a warning says so on the log
    `pocketrec.events`.

    Args:
        folder: Where events and users' states stand; it is made where it is missing.
        settings: What is kept, and how it is written.
        key: Encrypts the file with SQLCipher (extra `encryption`); by default what
            `POCKETREC_STORE_KEY` holds. It is never written anywhere.
        clock: Seconds since 1970, for events that come without a time and for `ttl_days`.

    Raises:
        EventStoreError: The store cannot be opened; its subclasses say why.
        MissingExtraError: There is a key, but no SQLCipher.
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        *,
        settings: EventStoreSettings | None = None,
        key: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = Path(folder)
        self._settings = EventStoreSettings() if settings is None else settings
        self._clock = clock
        driver = driver_for(key)
        self._database = Database(
            _file_in(self._folder, encrypted=driver.key is not None), driver, self._settings
        )
        self._store_clock = StoreClock()
        self._database.write(self._look_at_clock)  # what is wrong shows now

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self._database.read(_count)

    @property
    def folder(self) -> Path:
        """The folder that holds all of it."""
        return self._folder

    @property
    def is_encrypted(self) -> bool:
        """Whether the file is encrypted."""
        return self._database.path.name == ENCRYPTED_NAME

    @property
    def states_folder(self) -> Path:
        """Where users' KV states and vectors stand, for a `StateStore`."""
        return self._folder / "states"

    def record(self, user: str, item: str, event: str, time_s: float | None = None) -> Event:
        """Keeps one event; it survives the death of the process from when this returns.

        Args:
            user: As in `Event`, like the next two.
            item: What the event is about.
            event: What happened.
            time_s: When; None is now.

        Raises:
            InputError: As `Event`.
            EventStoreError: Nothing was kept: the disk is full, another process is in the way.
        """
        made = Event(user, item, event, self._clock() if time_s is None else time_s)
        (kept,) = self.record_many([made])
        return kept

    def record_many(self, events: Sequence[Event]) -> list[Event]:
        """Keeps events in their order, all of them or none, and gives them their places.

        Raises:
            EventStoreError: As `record`.
        """

        def insert(connection: sqlite3.Connection) -> list[int]:
            self._look_at_clock(connection)
            age_s = self._store_clock.age_s
            rows = [(e.user, e.item, e.event, e.time_s, age_s) for e in events]
            places = [connection.execute(_INSERT, row).lastrowid or 0 for row in rows]
            trim(connection, self._settings.max_bytes)
            return places

        places = self._database.write(insert)
        return [
            Event(e.user, e.item, e.event, e.time_s, place)
            for e, place in zip(events, places, strict=True)
        ]

    def events(self, user: str | None = None, *, after: int = 0) -> list[Event]:
        """The events of a user, or of all, in the order of recording.

        Args:
            user: Whose; None is everybody's.
            after: Only events whose place is behind this one.

        Raises:
            InputError: The user is no storable text.
            EventStoreError: The store cannot be read.
        """
        where: str = "sequence > ?"
        values: list[str | int] = [after]
        if user is not None:
            check_text("user", user)
            where, values = f"user = ? AND {where}", [user, after]
        query = f"{_SELECT} WHERE {where} ORDER BY sequence"
        rows = self._database.read(lambda connection: connection.execute(query, values).fetchall())
        return [Event(*row) for row in rows]

    def users(self) -> dict[str, int]:
        """Users by name, with the number of their events.

        Raises:
            EventStoreError: The store cannot be read.
        """
        query = "SELECT user, count(*) FROM events GROUP BY user ORDER BY user"
        return dict(self._database.read(lambda connection: connection.execute(query).fetchall()))

    def put_items(self, entries: Mapping[str, str]) -> None:
        """Keeps what an app says of items, a text for each id, in place of what it said before.

        Raises:
            InputError: An id is no storable text, or an entry no text.
            EventStoreError: Nothing was kept.
        """
        for item, entry in entries.items():
            check_text("item", item)
            if not isinstance(entry, str):
                raise InputError(f"the entry of {item!r} is a {type(entry).__name__}, no text")

        def put(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO items VALUES (?, ?)", list(entries.items())
            )
            (taken,) = connection.execute("SELECT sum(length(entry)) FROM items").fetchone()
            if (taken or 0) > self._settings.max_bytes // 2:
                raise EventStoreFullError(
                    f"items take {taken} characters, more than half of max_bytes "
                    f"{self._settings.max_bytes}; give the store more"
                )
            add_to_mark(connection, "items")

        self._database.write(put)

    def items(self) -> dict[str, str]:
        """What the app said of items, by id."""
        query = "SELECT item, entry FROM items ORDER BY item"
        return dict(self._database.read(lambda connection: connection.execute(query).fetchall()))

    def revision(self) -> Revision:
        """How often something was removed, or items were added, by any process.

        What is too old is removed first, so that a program that only reads forgets too.
        """
        if self._is_time_to_look():
            try:
                self._database.write(self._look_at_clock)
            except EventStoreError as error:
                log.warning("expired events were not removed, next try in an hour: %s", error)
                self._store_clock = replace(self._store_clock, wall_s=self._clock())
        marks = self._database.read(read_marks)
        return Revision(int(marks.get("removals", 0)), int(marks.get("items", 0)))

    def erase(self, user: str) -> int:
        """Removes all that is kept of a user, byte by byte; gives the number of events.

        Events, the KV state and vector on disk, copies in free pages and in SQLite's log, and every
        file that was moved aside as damaged. Where it raises, call it again: it goes on.

        Raises:
            InputError: The user is no storable text.
            EventStoreError: Something of it may be left; the message says what.
        """
        check_text("user", user)

        def delete(connection: sqlite3.Connection) -> int:
            add_to_mark(connection, "removals")
            return connection.execute("DELETE FROM events WHERE user = ?", (user,)).rowcount

        removed = self._database.write(delete)
        scrub(self._database)
        try:
            remove_quarantined(self._database.path)
            # States, and what a process that was killed left of writing one.
            for file in self.states_folder.glob(f"*{user_digest(user)}*"):
                file.unlink(missing_ok=True)
        except OSError as error:
            raise EventStoreError(
                f"a file in {self._folder} could not be removed ({error}); it may hold something "
                "of the user: delete it"
            ) from error
        return removed

    def close(self) -> None:
        """Closes the file; the store is of no use afterwards."""
        self._database.close()

    def _is_time_to_look(self) -> bool:
        return abs(self._clock() - self._store_clock.wall_s) >= LOOK_EVERY_S

    def _look_at_clock(self, connection: sqlite3.Connection) -> None:
        """Now and then: winds the store's clock on, and removes what is too old on it."""
        if not self._is_time_to_look():
            return
        self._store_clock = wind(connection, self._clock())
        expire(connection, self._store_clock, self._settings.ttl_days)


def _file_in(folder: Path, *, encrypted: bool) -> Path:
    """The store's file; a key must come with an encrypted one, and no key with a plain one."""
    plain, cipher = folder / PLAIN_NAME, folder / ENCRYPTED_NAME
    if encrypted and plain.exists():
        raise EventStoreKeyError(
            f"{plain} is not encrypted, but a key was given; choose another folder, or leave out "
            f"the key (and unset {KEY_VARIABLE})"
        )
    if not encrypted and cipher.exists():
        raise EventStoreKeyError(f"{cipher} is encrypted; give its key, or set {KEY_VARIABLE}")
    return cipher if encrypted else plain


def _count(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute("SELECT count(*) FROM events").fetchone()
    return int(count)
