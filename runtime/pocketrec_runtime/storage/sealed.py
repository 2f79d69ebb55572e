"""The container of small files: a magic, a JSON header, raw sections, a SHA-256 at the end.

16 bytes   magic, ASCII, ending in a newline
4 bytes    length of the header, little-endian
header     JSON object; "sections" is [[name, bytes], ...] in the order in which they stand
sections   one after the other, nothing between
32 bytes   SHA-256 of all bytes before it
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from pocketrec_runtime.bundle import strict_json
from pocketrec_runtime.bundle.strict_json import Fields
from pocketrec_runtime.errors import BundleFormatError, BundleIntegrityError

MAGIC_BYTES = 16
_LENGTH_BYTES = 4
_DIGEST_BYTES = 32
_MAX_HEADER_BYTES = 1024**2


def seal(magic: bytes, header: Mapping[str, Any], sections: Mapping[str, bytes]) -> bytes:
    """The bytes of a sealed file.

    Raises:
        InputError: The header is no JSON.
    """
    listed = [[name, len(data)] for name, data in sections.items()]
    described = strict_json.dump({**header, "sections": listed}, "header")
    length = len(described).to_bytes(_LENGTH_BYTES, "little")
    body = b"".join([magic, length, described, *sections.values()])
    return body + hashlib.sha256(body).digest()


def unseal(data: bytes, magic: bytes, name: str) -> tuple[Fields, dict[str, bytes]]:
    """Header and sections of a sealed file; nothing is parsed before the hash holds.

    Raises:
        BundleFormatError: It starts with another magic, or its header is not as described above.
        BundleIntegrityError: It is cut off, or its bytes are not the bytes that were sealed.
    """
    if data[:MAGIC_BYTES] != magic[: len(data)]:
        raise BundleFormatError(f"{name} is no {magic.decode().strip()} file")
    start = MAGIC_BYTES + _LENGTH_BYTES
    body = memoryview(data)[:-_DIGEST_BYTES]
    if len(body) < start or hashlib.sha256(body).digest() != data[-_DIGEST_BYTES:]:
        raise BundleIntegrityError(f"{name} is cut off or altered; obtain or make it again")
    size_bytes = int.from_bytes(body[MAGIC_BYTES:start], "little")
    if size_bytes > _MAX_HEADER_BYTES:
        raise BundleFormatError(f"{name} has a header of {size_bytes} bytes")
    header = strict_json.parse(bytes(body[start : start + size_bytes]), f"{name}: header")
    fields = Fields(header, f"{name}: header")
    return fields, _sections(fields.array("sections"), body[start + size_bytes :], name)


def _sections(listed: list[Any], body: memoryview, name: str) -> dict[str, bytes]:
    sections: dict[str, bytes] = {}
    at = 0
    for entry in listed:
        match entry:
            case [str(key), int(length)] if 0 <= length <= len(body) - at and key not in sections:
                sections[key] = bytes(body[at : at + length])
                at += length
            case _:
                raise BundleFormatError(f"{name} lists a section {str(entry)[:60]} that it lacks")
    if at != len(body):
        raise BundleFormatError(f"{name} has {len(body) - at} bytes after its sections")
    return sections
