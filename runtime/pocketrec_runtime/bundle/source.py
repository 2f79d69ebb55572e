"""Where a bundle's bytes come from: a directory or a zip, listed first and read once."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pocketrec_runtime.bundle import names
from pocketrec_runtime.errors import BundleFormatError, BundleIntegrityError

# Absent on Windows, where a link is refused by its kind alone.
_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class Source(Protocol):
    """The files of one bundle."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Name -> length in bytes of every file; names follow the grammar."""

    def read(self, name: str) -> bytes:
        """The bytes of a file, exactly as many as `sizes` says."""


class DirectorySource:
    """The files of a directory bundle.

    Raises:
        BundleFormatError: The directory holds a link, a device, another directory than
            `catalogue`, a name outside the grammar, or too many files.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.sizes = _list(path, prefix="")

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            BundleFormatError: It is no regular file any more.
            BundleIntegrityError: Its length changed since it was listed.
        """
        return read_regular(self._path / name, self.sizes[name])


def read_regular(path: Path, size_bytes: int) -> bytes:
    """The bytes of a regular file that must be `size_bytes` long; links are not followed.

    Raises:
        BundleFormatError: It is no regular file.
        BundleIntegrityError: It is longer or shorter.
    """
    with os.fdopen(os.open(path, _OPEN_FLAGS), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise BundleFormatError(f"{path.name} is no regular file")
        # One byte more than promised shows a longer file without reading all of it.
        data = file.read(size_bytes + 1)
    if len(data) != size_bytes:
        raise BundleIntegrityError(f"{path.name} is not {size_bytes} bytes long any more")
    return data


def _list(folder: Path, prefix: str) -> dict[str, int]:
    sizes: dict[str, int] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False) and name == names.FOLDER:
                sizes |= _list(folder / entry.name, prefix=f"{names.FOLDER}/")
            elif entry.is_file(follow_symlinks=False):
                names.check_name(name)
                sizes[name] = entry.stat(follow_symlinks=False).st_size
            else:
                kind = "a link" if entry.is_symlink() else "no regular file"
                raise BundleFormatError(f"{name[:100]!r} is {kind}; a bundle holds files only")
            names.check_count(sizes)
    return sizes
