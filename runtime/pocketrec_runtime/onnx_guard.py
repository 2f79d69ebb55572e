"""Refuses ONNX models that point outside their bytes or hold NaN, before ONNX Runtime sees them.

Walks the protobuf wire format (https://protobuf.dev/programming-guides/encoding/) along the few
fields of onnx.proto that can hold a tensor; no parser of the model itself is needed.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pocketrec_runtime.errors import BundleFormatError

_MAX_DEPTH = 32
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_ELSEWHERE_FIELDS = (13, 14)  # external_data, data_location
_DATA_TYPE_FIELD = 2
_DATA_FIELDS = (4, 9, 10)  # float_data, raw_data, double_data
_FLOAT_TYPES: Mapping[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    10: np.dtype("<f2"),
    11: np.dtype("<f8"),
}
_STORED: Mapping[int, str] = {
    1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 10: "float16", 11: "float64",
    16: "bfloat16", 21: "uint4", 22: "int4",
}  # fmt: skip
_Tensor = list[tuple[int, int | memoryview]]

# Message -> field number -> the message that stands in that field (onnx.proto, IR version 3 on).
_CHILDREN: Mapping[str, Mapping[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor",
                  23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}  # fmt: skip


def refuse_external_data(model: bytes, name: str) -> None:
    """Returns where every tensor of the ONNX model is stored inside the model.

    Args:
        model: The bytes of an ONNX ModelProto.
        name: The file's name, for messages.

    Raises:
        BundleFormatError: A tensor is stored in another file, or the bytes are no protobuf.
    """
    for tensor in _tensors(model, name):
        if any(value != 0 for number, value in tensor if number in _ELSEWHERE_FIELDS):
            raise BundleFormatError(
                f"{name} keeps tensors in another file; export it without external data"
            )


def refuse_nan_weights(model: bytes, name: str) -> None:
    """Returns where no float tensor of several numbers holds NaN.

    A weight that is NaN spoils only what passes through it: one row of an embedding may show years
    later. Single numbers may stand for a mask, and so may infinity; the golden queries hold those.

    Args:
        model: The bytes of an ONNX ModelProto.
        name: The file's name, for messages.

    Raises:
        BundleFormatError: One does, or the bytes are no protobuf.
    """
    for tensor in _tensors(model, name):
        kinds = [value for number, value in tensor if number == _DATA_TYPE_FIELD]
        dtype = _FLOAT_TYPES.get(kinds[-1]) if kinds and isinstance(kinds[-1], int) else None
        for number, data in tensor:
            if number not in _DATA_FIELDS or not isinstance(data, memoryview) or dtype is None:
                continue
            values = np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype)
            if values.size > 1 and np.isnan(values).any():
                raise BundleFormatError(f"{name} holds a weight that is NaN; export it again")


def weight_bytes(model: bytes, name: str) -> dict[str, int]:
    """Bytes of all tensors by how their numbers are stored, for example {"int8": 49152}.

    Raises:
        BundleFormatError: The bytes are no protobuf.
    """
    found: dict[str, int] = {}
    for tensor in _tensors(model, name):
        kinds = [value for number, value in tensor if number == _DATA_TYPE_FIELD]
        kind = kinds[-1] if kinds and isinstance(kinds[-1], int) else 0
        size = sum(
            len(data)
            for number, data in tensor
            if number in _DATA_FIELDS and isinstance(data, memoryview)
        )
        stored = _STORED.get(kind, "other")
        found[stored] = found.get(stored, 0) + size
    return found


def _tensors(model: bytes, name: str) -> Iterator[_Tensor]:
    """The fields of every tensor."""
    try:
        yield from _walk(memoryview(model), "Model", name, depth=0)
    except IndexError as error:
        raise BundleFormatError(f"{name} ends in the middle of a field; it is no model") from error


def _walk(data: memoryview, message: str, name: str, depth: int) -> Iterator[_Tensor]:
    if depth > _MAX_DEPTH:
        raise BundleFormatError(f"{name} nests deeper than {_MAX_DEPTH} messages; refused")
    children = _CHILDREN[message]
    if message == "Tensor":
        yield list(_fields(data, name))
        return
    for number, value in _fields(data, name):
        if number in children and isinstance(value, memoryview):
            yield from _walk(value, children[number], name, depth + 1)


def _fields(data: memoryview, name: str) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, varint value or payload) of each field of one message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        value: int | memoryview
        if wire == _VARINT:
            value, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
            value, at = data[at : at + size], at + size
        elif wire == _BYTES:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise BundleFormatError(f"{name} has wire type {wire} at byte {at}; it is no model")
        if at > len(data):
            raise IndexError
        yield tag >> 3, value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise IndexError
