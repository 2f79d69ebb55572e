"""The zip transport: members stored, in one spelling, the whole file sealed by its comment."""

import hashlib
import io
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from pocketrec_runtime import limits
from pocketrec_runtime.bundle import names
from pocketrec_runtime.bundle.source import read_regular
from pocketrec_runtime.errors import BundleFormatError, BundleIntegrityError, InputError

SEAL_PREFIX = b"pocketrec-sha256:"
SEAL_BYTES = len(SEAL_PREFIX) + 64
_EPOCH = (1980, 1, 1, 0, 0, 0)
_CHUNK_BYTES = 1024**2


class ArchiveSource:
    """The files of a zip bundle; its seal is checked before the zip is parsed.

    Raises:
        BundleFormatError: No sealed zip, too large, or members that the format does not allow.
        BundleIntegrityError: The bytes are not the sealed bytes.
    """

    def __init__(self, path: Path) -> None:
        data = _read_sealed(path)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            members = self._zip.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            raise BundleFormatError(f"{path.name} is no zip: {error}") from error
        self.sizes = _checked_sizes(members, len(data))

    def read(self, name: str) -> bytes:
        """The bytes of a member.

        Raises:
            BundleFormatError: The zip contradicts itself about the member.
        """
        try:
            with self._zip.open(name) as member:
                data = member.read()
        except (
            zipfile.BadZipFile,
            NotImplementedError,
            RuntimeError,
            EOFError,
            struct.error,
        ) as error:
            raise BundleFormatError(f"zip member {name} cannot be read: {error}") from error
        if len(data) != self.sizes[name]:
            raise BundleFormatError(f"zip member {name} is not {self.sizes[name]} bytes long")
        return data


def write_archive(file: BinaryIO, blobs: Mapping[str, bytes]) -> None:
    """Writes a sealed zip; equal blobs give equal bytes.

    Args:
        file: Empty, open for writing and reading.
        blobs: Member name -> bytes.

    Raises:
        InputError: The zip would be larger than the format allows.
    """
    try:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
            for name in sorted(blobs):
                member = zipfile.ZipInfo(name, date_time=_EPOCH)
                member.create_system = 3
                member.external_attr = (stat.S_IFREG | 0o644) << 16
                archive.writestr(member, blobs[name])
            archive.comment = bytes(SEAL_BYTES)
    except zipfile.LargeZipFile as error:
        raise InputError("the bundle is too large for a zip; write a directory") from error
    sealed_bytes = file.tell() - SEAL_BYTES
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(min(_CHUNK_BYTES, sealed_bytes - file.tell())):
        digest.update(chunk)
    file.write(SEAL_PREFIX + digest.hexdigest().encode())


def is_sealed(path: Path) -> bool:
    """Whether a file ends like a zip bundle; nothing is verified."""
    with path.open("rb") as file:
        size_bytes = file.seek(0, io.SEEK_END)
        file.seek(max(0, size_bytes - SEAL_BYTES))
        return file.read(SEAL_BYTES).startswith(SEAL_PREFIX)


def _read_sealed(path: Path) -> bytes:
    size_bytes = path.stat().st_size
    if size_bytes > limits.MAX_ARCHIVE_BYTES:
        raise BundleFormatError(
            f"{path.name} has {size_bytes} bytes; the limit is {limits.MAX_ARCHIVE_BYTES}"
        )
    data = read_regular(path, size_bytes)
    if not data[-SEAL_BYTES:].startswith(SEAL_PREFIX):
        raise BundleFormatError(
            f"{path.name} does not end with a pocketrec seal; it is cut off or no zip bundle"
        )
    digest = hashlib.sha256(memoryview(data)[:-SEAL_BYTES]).hexdigest().encode()
    if data[-SEAL_BYTES:] != SEAL_PREFIX + digest:
        raise BundleIntegrityError(f"{path.name} is not what was sealed; obtain it again")
    return data


def _checked_sizes(members: list[zipfile.ZipInfo], archive_bytes: int) -> dict[str, int]:
    names.check_count([member.filename for member in members])
    sizes: dict[str, int] = {}
    for member in members:
        _check_member(member)
        if member.filename in sizes:
            raise BundleFormatError(f"zip member {member.filename} stands twice")
        sizes[member.filename] = member.file_size
    # Members that overlap could otherwise promise more than the file holds.
    if sum(sizes.values()) > archive_bytes:
        raise BundleFormatError("zip members are larger together than the zip")
    return sizes


def _check_member(member: zipfile.ZipInfo) -> None:
    # The name as it stands in the file: zipfile cuts at NUL and rewrites separators.
    names.check_name(member.orig_filename)
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise BundleFormatError(f"zip member {member.filename} is a link or no regular file")
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & ~0x800:
        raise BundleFormatError(
            f"zip member {member.filename} is compressed or encrypted; members are stored"
        )
    if member.compress_size != member.file_size or member.file_size > limits.MAX_FILE_BYTES:
        raise BundleFormatError(f"zip member {member.filename} has {member.file_size} bytes")
