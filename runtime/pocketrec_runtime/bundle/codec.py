"""Contents to files and back; no file is touched here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.bundle import deferral_file, names, strict_json
from pocketrec_runtime.bundle.contents import BundleContents
from pocketrec_runtime.bundle.golden import Golden, GoldenQuery
from pocketrec_runtime.bundle.manifest import Manifest
from pocketrec_runtime.bundle.strict_json import Fields
from pocketrec_runtime.calibration import Calibration, Curve
from pocketrec_runtime.catalogue import Catalogue
from pocketrec_runtime.errors import BundleFormatError, InputError
from pocketrec_runtime.packed import Column, ColumnValue, PackedIds, pack_column
from pocketrec_runtime.quantize import pack_nibbles, unpack_nibbles
from pocketrec_runtime.shape import ModelShape

_INT8 = np.dtype("i1")
_UINT8 = np.dtype("u1")
_FLOAT32 = np.dtype("<f4")


def encode(contents: BundleContents) -> dict[str, bytes]:
    """File name -> bytes; equal contents give equal bytes.

    Raises:
        InputError: Items are retired, or a value cannot be written.
    """
    catalogue = contents.catalogue
    if catalogue.active is not None:
        raise InputError("a bundle holds no retired items; keep the delta that retired them")
    blobs = {
        names.IDS: strict_json.dump(list(catalogue.ids), names.IDS),
        names.COLUMNS: encode_columns(catalogue.columns),
        names.BIAS: encode_array(catalogue.bias, _FLOAT32),
        names.POPULARITY: encode_array(catalogue.popularity, _FLOAT32),
        names.CALIBRATION: _encode_calibration(contents.calibration),
        names.GOLDEN: _encode_golden(contents.golden),
    }
    if contents.deferral is not None:
        blobs[names.DEFERRAL] = deferral_file.encode(contents.deferral)
    for name, tower in (
        (names.USER_TOWER, contents.user_tower),
        (names.USER_TOWER_GGUF, contents.user_tower_gguf),
    ):
        if tower is not None:
            blobs[name] = tower
    if catalogue.scales is None:
        blobs[names.ROWS_FLOAT32] = encode_array(catalogue.rows, _FLOAT32)
    else:
        if contents.model.rows == "int4":
            rows = np.ascontiguousarray(catalogue.rows, _INT8)
            blobs[names.ROWS_INT4] = encode_array(pack_nibbles(rows), _UINT8)
        else:
            blobs[names.ROWS_INT8] = encode_array(catalogue.rows, _INT8)
        blobs[names.SCALES] = encode_array(catalogue.scales, _FLOAT32)
    if contents.item_tower is not None and contents.tokenizer is not None:
        blobs[names.ITEM_TOWER] = contents.item_tower
        blobs[names.TOKENIZER] = contents.tokenizer
    return blobs


def decode(manifest: Manifest, blobs: Mapping[str, bytes]) -> BundleContents:
    """Contents of verified files.

    Raises:
        BundleFormatError: A file's length, JSON or values do not agree with the format or with
            the manifest's sizes.
    """
    has_item_tower = manifest.model.item_tower is not None
    try:
        return BundleContents(
            model=manifest.model,
            catalogue=_decode_catalogue(manifest, blobs),
            calibration=_decode_calibration(blobs[names.CALIBRATION]),
            golden=_decode_golden(blobs[names.GOLDEN]),
            deferral=deferral_file.decode(blobs[names.DEFERRAL])
            if names.DEFERRAL in blobs
            else None,
            user_tower=blobs[names.USER_TOWER] if manifest.model.user_tower == "onnx" else None,
            user_tower_gguf=blobs.get(names.USER_TOWER_GGUF),
            item_tower=blobs[names.ITEM_TOWER] if has_item_tower else None,
            tokenizer=blobs[names.TOKENIZER] if has_item_tower else None,
            metrics=manifest.metrics,
            license=manifest.license,
            provenance=manifest.provenance,
        )
    except InputError as error:
        raise BundleFormatError(str(error)) from error


def _decode_catalogue(manifest: Manifest, blobs: Mapping[str, bytes]) -> Catalogue:
    n, width = manifest.model.items, manifest.model.width
    # Lengths first: a wrong one is found before any JSON is read.
    if manifest.model.rows != "float32":
        rows = _decode_rows(manifest.model, blobs)
        scales = decode_array(blobs, names.SCALES, _FLOAT32, (n,))
    else:
        rows, scales = decode_array(blobs, names.ROWS_FLOAT32, _FLOAT32, (n, width)), None
    bias = decode_array(blobs, names.BIAS, _FLOAT32, (n,))
    popularity = decode_array(blobs, names.POPULARITY, _FLOAT32, (n,))
    ids = decode_ids(blobs[names.IDS], n)
    columns = decode_columns(blobs[names.COLUMNS])
    return Catalogue(ids, rows, scales, bias, popularity, columns)


def _decode_rows(model: ModelShape, blobs: Mapping[str, bytes]) -> NDArray[np.int8]:
    if model.rows == "int8":
        return decode_array(blobs, names.ROWS_INT8, _INT8, (model.items, model.width))
    packed = decode_array(blobs, names.ROWS_INT4, _UINT8, (model.items, (model.width + 1) // 2))
    return unpack_nibbles(packed, model.width)


def encode_columns(columns: Mapping[str, Sequence[ColumnValue]]) -> bytes:
    """The bytes of a columns file.

    Raises:
        InputError: A value is no JSON.
    """
    values = {name: list(column) for name, column in columns.items()}
    return strict_json.dump(values, names.COLUMNS)


def decode_ids(data: bytes, n: int) -> PackedIds:
    """The ids of a file that must hold n of them.

    Raises:
        BundleFormatError, InputError: It does not, or they are no item ids.
    """
    ids = strict_json.parse(data, names.IDS, bounded=False)
    if not isinstance(ids, list) or len(ids) != n:
        raise BundleFormatError(f"{names.IDS} is no list of the manifest's {n} items")
    return PackedIds.pack(ids)


def decode_columns(data: bytes) -> dict[str, Column]:
    """The columns of a file, packed.

    Raises:
        BundleFormatError, InputError: It holds something else.
    """
    columns: dict[str, Column] = {}
    for name, values in strict_json.members(data, names.COLUMNS):
        if not isinstance(values, list):
            raise BundleFormatError(f"{names.COLUMNS} is no object of lists")
        columns[name] = pack_column(name, values)
    return columns


def _encode_calibration(calibration: Calibration) -> bytes:
    return strict_json.dump(calibration.as_dict(), names.CALIBRATION)


def _decode_calibration(data: bytes) -> Calibration:
    fields = Fields(strict_json.parse(data, names.CALIBRATION), names.CALIBRATION)
    return Calibration(
        slope=fields.number("slope"),
        intercept=fields.number("intercept"),
        fitted_on=fields.text("fitted_on"),
        method=fields.text("method"),  # type: ignore[arg-type]  # Calibration checks the value
        curve=_decode_curve(fields.fields("curve")) if fields.has("curve") else None,
    )


def _decode_curve(fields: Fields) -> Curve:
    scores, probabilities = fields.array("scores"), fields.array("probabilities")
    if not all(type(value) in (int, float) for value in (*scores, *probabilities)):
        raise BundleFormatError(f"{names.CALIBRATION} has a curve of something else than numbers")
    return Curve(tuple(map(float, scores)), tuple(map(float, probabilities)))


def _encode_golden(golden: Golden) -> bytes:
    fields = {"tolerance": golden.tolerance, "queries": [vars(query) for query in golden.queries]}
    if golden.gguf_tolerance is not None:
        fields["gguf_tolerance"] = golden.gguf_tolerance
    return strict_json.dump(fields, names.GOLDEN)


def _decode_golden(data: bytes) -> Golden:
    fields = Fields(strict_json.parse(data, names.GOLDEN), names.GOLDEN)
    queries = tuple(_decode_query(query) for query in fields.array("queries"))
    if not queries:
        raise BundleFormatError(f"{names.GOLDEN} has no queries; a bundle needs at least one")
    return Golden(
        queries,
        tolerance=fields.number("tolerance"),
        gguf_tolerance=fields.number("gguf_tolerance") if fields.has("gguf_tolerance") else None,
    )


def _decode_query(value: object) -> GoldenQuery:
    fields = Fields(value, f"{names.GOLDEN}: query")
    history, item_ids, scores = (fields.array(key) for key in ("history", "item_ids", "scores"))
    if not all(isinstance(item_id, str) for item_id in (*history, *item_ids)):
        raise BundleFormatError(f"{names.GOLDEN} holds an item id that is no string")
    if not all(type(score) in (int, float) for score in scores):
        raise BundleFormatError(f"{names.GOLDEN} holds a score that is no number")
    return GoldenQuery(
        history=tuple(history),
        k=fields.integer("k"),
        item_ids=tuple(item_ids),
        scores=tuple(map(float, scores)),
    )


def encode_array(values: NDArray[Any], dtype: np.dtype[Any]) -> bytes:
    """Raw values in a file's byte order."""
    return np.ascontiguousarray(values, dtype).tobytes()


def decode_array(
    blobs: Mapping[str, bytes], name: str, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    """A read-only view of a raw file, in the machine's byte order.

    Raises:
        BundleFormatError: The file is not as long as this shape needs.
    """
    expected = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if len(blobs[name]) != expected:
        raise BundleFormatError(
            f"{name} has {len(blobs[name])} bytes; {shape} {dtype.name} needs {expected}"
        )
    values = np.frombuffer(blobs[name], dtype).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)
