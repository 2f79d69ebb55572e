"""What SQLite's errors mean for the caller."""

import errno
from pathlib import Path

from pocketrec.errors import (
    EventStoreBusyError,
    EventStoreError,
    EventStoreFullError,
    EventStoreKeyError,
    EventStoreReadOnlyError,
)

_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_SHORT_READ", "SQLITE_IOERR_DATA")
# A file that may not grow (RLIMIT_FSIZE, a file system's limit) is refused as a failed write.
_FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_TRUNCATE")

_READ_ONLY = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")


def error_name(error: BaseException) -> str:
    """SQLite's own name of an error, for example SQLITE_FULL; "" where it has none."""
    return str(getattr(error, "sqlite_errorname", ""))


def is_busy(error: BaseException) -> bool:
    """Whether another connection is in the way, for now."""
    return error_name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def is_damage(error: BaseException) -> bool:
    """Whether the bytes of the file are to blame."""
    # SQLite quotes a damaged schema in its messages, which then are no UTF-8.
    return error_name(error).startswith(_DAMAGE) or isinstance(error, UnicodeDecodeError)


def explained(error: BaseException, path: Path) -> EventStoreError:
    """The error to raise in place of SQLite's."""
    name = error_name(error)
    if is_busy(error):
        return EventStoreBusyError(
            f"{path} was held by another process for longer than busy_timeout_ms; try again"
        )
    number = error.errno if isinstance(error, OSError) else None
    if name.startswith(_FULL) or number in _FULL_ERRORS:
        return EventStoreFullError(
            f"{path} cannot grow, the disk is full or a limit is reached ({error}); nothing was "
            "changed; free some space and try again"
        )
    if name.startswith(_READ_ONLY) or number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return EventStoreReadOnlyError(
            f"{path} cannot be opened for writing ({error}); choose a folder that this user may "
            "write to"
        )
    return EventStoreError(f"{path}: {name or type(error).__name__}: {error}")


def wrong_key(path: Path) -> EventStoreKeyError:
    """What a file that does not open with its key says: the two causes cannot be told apart."""
    return EventStoreKeyError(
        f"{path} does not open: the key is another one, or the file is damaged; it was left as "
        "it is (move it away to start anew)"
    )
