"""A writer of the protobuf wire format, enough for an ONNX graph.

Messages are lists of byte pieces, so that a large tensor is copied once, by the last join
(https://protobuf.dev/programming-guides/encoding/).
"""

from collections.abc import Iterable

Pieces = list[bytes | memoryview]


def varint(value: int) -> bytes:
    """A number of at least 0, seven bits a byte."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> Pieces:
    """An integer field; negative numbers take 64 bits in two's complement."""
    return [varint(field << 3), varint(value & 0xFFFF_FFFF_FFFF_FFFF)]


def payload(field: int, pieces: Iterable[bytes | memoryview]) -> Pieces:
    """A field of bytes, or of another message."""
    pieces = list(pieces)
    length = sum(len(piece) for piece in pieces)
    return [varint(field << 3 | 2), varint(length), *pieces]


def text(field: int, value: str) -> Pieces:
    """A string field."""
    return payload(field, [value.encode()])
