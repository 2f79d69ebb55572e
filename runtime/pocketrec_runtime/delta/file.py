"""Delta files: sealed, fingerprinted, checked before use. The format is docs/deltas.md."""

import hashlib
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime import limits
from pocketrec_runtime.bundle import strict_json
from pocketrec_runtime.delta.delta import CatalogueDelta
from pocketrec_runtime.errors import (
    BundleError,
    BundleFormatError,
    BundleNotFoundError,
    BundleVersionError,
    InputError,
)
from pocketrec_runtime.packed import Column, pack_column
from pocketrec_runtime.storage import read_bounded, seal, unseal, write_atomically

MAGIC = b"pocketrec-delta\n"
FORMAT_VERSION = "1.0"
# What a file is that tells of the items a catalogue begins with.
_TOLD_VERSION = "1.1"
_TOLD = {"known_bias.f32": "known_bias", "known_popularity.f32": "known_popularity"}
_FLOAT32 = np.dtype("<f4")
_FLAG = np.dtype("u1")


def encode_delta(delta: CatalogueDelta) -> bytes:
    """The bytes of a delta file; equal deltas give equal bytes."""
    columns = {name: list(values) for name, values in delta.columns.items()}
    told = {key: getattr(delta, name) for key, name in _TOLD.items()}
    told = {key: values for key, values in told.items() if values is not None}
    header = {
        "format_version": _TOLD_VERSION if told else FORMAT_VERSION,
        "model": delta.model,
        "items": len(delta),
        "width": delta.vectors.shape[1],
    }
    sections = {
        "ids.json": strict_json.dump(list(delta.ids), "ids.json"),
        "retired.json": strict_json.dump(list(delta.retired), "retired.json"),
        "columns.json": strict_json.dump(columns, "columns.json"),
        "vectors.f32": np.ascontiguousarray(delta.vectors, _FLOAT32).tobytes(),
        "bias.f32": np.ascontiguousarray(delta.bias, _FLOAT32).tobytes(),
        "popularity.f32": np.ascontiguousarray(delta.popularity, _FLOAT32).tobytes(),
        "kept.u8": np.ascontiguousarray(delta.kept, _FLAG).tobytes(),
        **{key: np.ascontiguousarray(v, _FLOAT32).tobytes() for key, v in told.items()},
    }
    return seal(MAGIC, header, sections)


def delta_fingerprint(delta: CatalogueDelta) -> str:
    """SHA-256 of the delta's file, 64 hexadecimal digits: its identity."""
    return hashlib.sha256(encode_delta(delta)).hexdigest()


def next_fingerprint(before: str, delta: CatalogueDelta) -> str:
    """Identity of a catalogue after a delta: SHA-256 of the two fingerprints, a line each."""
    lines = f"{before}\n{delta_fingerprint(delta)}\n"
    return hashlib.sha256(lines.encode()).hexdigest()


def decode_delta(data: bytes, name: str = "delta") -> CatalogueDelta:
    """The delta of a file's bytes.

    Raises:
        BundleFormatError: The bytes break the format.
        BundleIntegrityError: They are cut off, or not what was sealed.
        BundleVersionError: Another major version.
    """
    header, sections = unseal(data, MAGIC, name)
    version = header.text("format_version")
    if not version.startswith("1."):
        raise BundleVersionError(f"{name} has format version {version[:20]}; this reads 1.x")
    m, width = header.integer("items"), header.integer("width")
    if not (0 <= m <= limits.MAX_ITEMS and 1 <= width <= limits.MAX_WIDTH):
        raise BundleFormatError(f"{name} says {m} items of width {width}; out of bounds")
    try:
        return CatalogueDelta(
            model=header.text("model"),
            ids=_strings(sections, "ids.json", name),
            vectors=_array(sections, "vectors.f32", (m, width), name),
            bias=_array(sections, "bias.f32", (m,), name),
            kept=_flags(sections, m, name),
            popularity=_array(sections, "popularity.f32", (m,), name),
            columns=_columns(sections, name),
            retired=_strings(sections, "retired.json", name),
            **{field: _known(sections, key, name) for key, field in _TOLD.items()},
        )
    except InputError as error:
        raise BundleFormatError(f"{name}: {error}") from error


def read_delta(path: str | PathLike[str]) -> CatalogueDelta:
    """Reads and verifies a delta file.

    Raises:
        BundleNotFoundError: Nothing stands there.
        BundleError: As `decode_delta`; or the system could not read it.
    """
    path = Path(path)
    try:
        data = read_bounded(path, limits.MAX_FILE_BYTES)
    except FileNotFoundError as error:
        raise BundleNotFoundError(f"no delta at {str(path)!r}") from error
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
    return decode_delta(data, path.name)


def write_delta(path: str | PathLike[str], delta: CatalogueDelta) -> str:
    """Writes a delta file, whole or not at all, and gives its fingerprint.

    Raises:
        BundleError: The system could not write.
    """
    path = Path(path)
    data = encode_delta(delta)
    try:
        write_atomically(path, data)
    except OSError as error:
        raise BundleError(f"{path.name} was not written: {error}") from error
    return hashlib.sha256(data).hexdigest()


def _section(sections: dict[str, bytes], key: str, name: str) -> bytes:
    if key not in sections:
        raise BundleFormatError(f"{name} lacks the section {key}")
    return sections[key]


def _array(
    sections: dict[str, bytes], key: str, shape: tuple[int, ...], name: str
) -> NDArray[np.float32]:
    data = _section(sections, key, name)
    expected = int(np.prod(shape, dtype=object)) * _FLOAT32.itemsize
    if len(data) != expected:
        raise BundleFormatError(f"{name}: {key} has {len(data)} bytes; {shape} needs {expected}")
    return np.frombuffer(data, _FLOAT32).reshape(shape).astype(np.float32, copy=False)


def _known(sections: dict[str, bytes], key: str, name: str) -> NDArray[np.float32] | None:
    """What is told of the first items; None where nothing is."""
    if key not in sections:
        return None
    n = len(sections[key]) // _FLOAT32.itemsize
    if n > limits.MAX_ITEMS:
        raise BundleFormatError(
            f"{name}: {key} tells of {n} items; the limit is {limits.MAX_ITEMS}"
        )
    return _array(sections, key, (n,), name)


def _flags(sections: dict[str, bytes], m: int, name: str) -> NDArray[np.bool_]:
    flags = np.frombuffer(_section(sections, "kept.u8", name), _FLAG)
    if len(flags) != m or (flags > 1).any():
        raise BundleFormatError(f"{name}: kept.u8 is not {m} bytes of 0 and 1")
    return flags.astype(np.bool_)


def _strings(sections: dict[str, bytes], key: str, name: str) -> list[str]:
    values = strict_json.parse(_section(sections, key, name), f"{name}: {key}")
    if not isinstance(values, list):
        raise BundleFormatError(f"{name}: {key} is no list")
    return values


def _columns(sections: dict[str, bytes], name: str) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    data = _section(sections, "columns.json", name)
    for key, values in strict_json.members(data, f"{name}: columns.json"):
        if not isinstance(values, list):
            raise BundleFormatError(f"{name}: columns.json is no object of lists")
        columns[key] = pack_column(key, values)
    return columns
