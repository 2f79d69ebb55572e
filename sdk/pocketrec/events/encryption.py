"""Which SQLite opens the file: Python's own, or SQLCipher where a key is given."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module

from pocketrec.errors import EventStoreKeyError
from pocketrec_runtime.errors import MissingExtraError

KEY_VARIABLE = "POCKETREC_STORE_KEY"


@dataclass(frozen=True)
class Driver:
    """A DB-API module in the two names that are used of it, and the key that it opens files with.

    Attributes:
        connect: As `sqlite3.connect`.
        error: Base class of what it raises.
        key: The key, None for a plain file; stands in no file and no repr.
    """

    connect: Callable[..., sqlite3.Connection]
    error: type[Exception]
    key: str | None = field(default=None, repr=False)


def driver_for(key: str | None) -> Driver:
    """The driver for a key: the one given, else that of the environment, else none.

    Raises:
        EventStoreKeyError: The key is empty or no text.
        MissingExtraError: There is a key, but no SQLCipher.
    """
    key = os.environ.get(KEY_VARIABLE) if key is None else key
    if key is None:
        return Driver(sqlite3.connect, sqlite3.Error)
    if not isinstance(key, str) or not key or "\0" in key or not _is_encodable(key):
        raise EventStoreKeyError(
            f"the key of the store is empty or no text; give one, or none and unset {KEY_VARIABLE}"
        )
    try:
        cipher = import_module("sqlcipher3.dbapi2")
    except ImportError as error:
        raise MissingExtraError("sqlcipher3", "encryption") from error
    return Driver(cipher.connect, cipher.Error, key)


def unlock(connection: sqlite3.Connection, key: str | None) -> None:
    """Gives a fresh connection its key; whether it fits shows at the first read."""
    if key is None:
        return
    connection.execute("PRAGMA cipher_log_level = NONE")  # it would print to stderr
    # A PRAGMA takes no parameters.
    quoted = key.replace("'", "''")
    connection.execute(f"PRAGMA key = '{quoted}'")


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
