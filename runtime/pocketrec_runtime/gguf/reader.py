"""A bounded GGUF reader: every count is checked before a byte of what it counts is read.

Stricter than the format, and never lenient: only what a bundle's tower needs is understood, and
tensors stand one after the other without gaps or overlaps. llama.cpp sees a file only after this.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from pocketrec_runtime import limits
from pocketrec_runtime.errors import BundleFormatError
from pocketrec_runtime.gguf.blocks import ENCODINGS, Encoding

MAGIC = b"GGUF"
VERSION = 3
ALIGNMENT = 32
MAX_METADATA = 64
MAX_TENSORS = 16 * limits.MAX_BLOCKS
MAX_STRING_BYTES = 256
MAX_ARRAY = limits.MAX_WIDTH * limits.MAX_WIDTH
_UINT32, _FLOAT32, _STRING, _ARRAY = 4, 6, 8, 9

Value = int | float | str | memoryview
"""A metadata value; a float array stays little-endian bytes."""


@dataclass(frozen=True)
class GgufTensor:
    """One tensor.

    Attributes:
        name: Its name.
        shape: Outermost axis first, as NumPy says it: (outputs, inputs) or (length,).
        encoding: How its numbers are stored.
        data: Its bytes.
    """

    name: str
    shape: tuple[int, ...]
    encoding: Encoding
    data: memoryview


@dataclass(frozen=True)
class GgufFile:
    """A GGUF file.

    Attributes:
        metadata: Key -> value.
        tensors: Name -> tensor.
    """

    metadata: Mapping[str, Value]
    tensors: Mapping[str, GgufTensor]


def read_gguf(data: bytes, name: str) -> GgufFile:
    """The metadata and tensors of a GGUF file; time and memory grow with its length only.

    Args:
        data: The file's bytes.
        name: The file's name, for messages.

    Raises:
        BundleFormatError: It is none, or holds what a tower does not need; see
            docs/bundle-format.md.
    """
    cursor = _Cursor(memoryview(data), name)
    if cursor.take(4) != MAGIC:
        raise BundleFormatError(f"{name} does not begin with GGUF; it is no model")
    version = cursor.uint32()
    if version != VERSION:
        raise BundleFormatError(f"{name} has GGUF version {version}; export it as {VERSION}")
    tensors = cursor.count("tensors", MAX_TENSORS)
    metadata = _read_metadata(cursor, cursor.count("metadata keys", MAX_METADATA))
    return GgufFile(metadata, _read_tensors(cursor, tensors))


class _Cursor:
    """A place in the bytes that only moves forward and never past the end."""

    def __init__(self, data: memoryview, name: str) -> None:
        self.data, self.name, self.at = data, name, 0

    def take(self, size: int) -> memoryview:
        if size > len(self.data) - self.at:
            raise BundleFormatError(f"{self.name} ends in the middle of a field; it was cut off")
        self.at += size
        return self.data[self.at - size : self.at]

    def uint32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def uint64(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def count(self, what: str, limit: int) -> int:
        number = self.uint64()
        if number > limit:
            raise BundleFormatError(f"{self.name} has {number} {what}; the limit is {limit}")
        return number

    def string(self) -> str:
        data = self.take(self.count("bytes in a string", MAX_STRING_BYTES))
        try:
            return bytes(data).decode("ascii")
        except UnicodeDecodeError as error:
            raise BundleFormatError(f"{self.name} has a string that is not ASCII") from error

    def value(self, key: str) -> Value:
        kind = self.uint32()
        if kind == _UINT32:
            return self.uint32()
        if kind == _FLOAT32:
            number: float = struct.unpack("<f", self.take(4))[0]
            return number
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY and self.uint32() == _FLOAT32:
            return self.take(4 * self.count(f"numbers in {key}", MAX_ARRAY))
        raise BundleFormatError(
            f"{self.name}: {key} is of type {kind}; a tower has uint32, float32, strings and "
            "arrays of float32"
        )


def _read_metadata(cursor: _Cursor, count: int) -> dict[str, Value]:
    metadata: dict[str, Value] = {}
    for _ in range(count):
        key = cursor.string()
        if key in metadata:
            raise BundleFormatError(f"{cursor.name} has the key {key!r} twice")
        metadata[key] = cursor.value(key)
    return metadata


def _read_tensors(cursor: _Cursor, count: int) -> dict[str, GgufTensor]:
    described = [_read_description(cursor) for _ in range(count)]
    cursor.take(-cursor.at % ALIGNMENT)
    tensors: dict[str, GgufTensor] = {}
    expected = 0
    for name, shape, encoding, offset in described:
        if name in tensors:
            raise BundleFormatError(f"{cursor.name} has the tensor {name!r} twice")
        if offset != expected:
            raise BundleFormatError(
                f"{cursor.name}: {name} lies at {offset}; the tensor before it ends at {expected}"
            )
        size = encoding.size_bytes(_product(shape))
        tensors[name] = GgufTensor(name, shape, encoding, cursor.take(size))
        cursor.take(-size % ALIGNMENT)
        expected += size + -size % ALIGNMENT
    if cursor.at != len(cursor.data):
        raise BundleFormatError(
            f"{cursor.name} has {len(cursor.data) - cursor.at} bytes after its last tensor"
        )
    return tensors


def _read_description(cursor: _Cursor) -> tuple[str, tuple[int, ...], Encoding, int]:
    name = cursor.string()
    axes = cursor.uint32()
    if axes not in (1, 2):
        raise BundleFormatError(f"{cursor.name}: {name} has {axes} axes; a tower has 1 or 2")
    # GGUF names the innermost axis first.
    shape = tuple(cursor.count("numbers in a row", 1 << 31) for _ in range(axes))[::-1]
    number = cursor.uint32()
    encoding = ENCODINGS.get(number)
    if encoding is None:
        raise BundleFormatError(
            f"{cursor.name}: {name} is of tensor type {number}; export it as "
            f"{', '.join(each.name for each in ENCODINGS.values())}"
        )
    if 0 in shape or shape[-1] % encoding.block:
        raise BundleFormatError(
            f"{cursor.name}: {name} has rows of {shape[-1]}, which {encoding.name} cannot hold"
        )
    return name, shape, encoding, cursor.uint64()


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product
