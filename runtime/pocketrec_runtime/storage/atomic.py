"""One file, replaced as a whole."""

import os
import secrets
from pathlib import Path

from pocketrec_runtime.bundle.source import read_regular


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file that is, at every moment, the old one, absent, or the new one whole.

    The bytes are flushed to the disk as `.<name>.tmp-<random>` beside the target and then renamed.
    Any failure removes that; only a killed process leaves it behind.

    Raises:
        OSError: The system could not write.
    """
    temporary = path.with_name(f".{path.name}.tmp-{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    flush_directory(path.parent)


def flush_directory(path: Path) -> None:
    """Flushes the names of a directory to the disk."""
    if os.name != "posix":  # Windows opens no directory, and flushes names by itself.
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_bounded(path: Path, limit_bytes: int) -> bytes:
    """The bytes of a regular file of at most so many bytes; links are not followed.

    Raises:
        OSError: The system could not read; FileNotFoundError where nothing stands there.
        BundleFormatError: It is no regular file.
        BundleIntegrityError: It is too long, or changes while it is read.
    """
    size_bytes = path.lstat().st_size
    return read_regular(path, min(size_bytes, limit_bytes))
