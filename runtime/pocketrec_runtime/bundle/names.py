"""The names of a bundle's files, and the one grammar they follow."""

import re
from collections.abc import Collection, Mapping

from pocketrec_runtime import limits
from pocketrec_runtime.errors import BundleFormatError
from pocketrec_runtime.shape import ModelShape, RowFormat

MANIFEST = "manifest.json"
SEAL = "manifest.sha256"
USER_TOWER = "user_tower.onnx"
USER_TOWER_GGUF = "user_tower.gguf"
ITEM_TOWER = "item_tower.onnx"
TOKENIZER = "tokenizer.model"
IDS = "catalogue/ids.json"
COLUMNS = "catalogue/columns.json"
ROWS_INT8 = "catalogue/rows.i8"
ROWS_INT4 = "catalogue/rows.i4"
ROWS_FLOAT32 = "catalogue/rows.f32"
SCALES = "catalogue/scales.f32"
BIAS = "catalogue/bias.f32"
POPULARITY = "catalogue/popularity.f32"
CALIBRATION = "calibration.json"
GOLDEN = "golden.json"
DEFERRAL = "deferral.json"

FOLDER = "catalogue"
_GRAMMAR = re.compile(r"(catalogue/)?[a-z0-9][a-z0-9_]*(\.[a-z0-9]+)+")

_ROWS: Mapping[RowFormat, Collection[str]] = {
    "int8": (ROWS_INT8, SCALES),
    "int4": (ROWS_INT4, SCALES),
    "float32": (ROWS_FLOAT32,),
}


def check_name(name: str) -> None:
    """Returns where a name may stand in a bundle.

    Raises:
        BundleFormatError: It is too long, or no flat lower-case name.
    """
    if len(name) > limits.MAX_NAME_CHARS or not _GRAMMAR.fullmatch(name):
        raise BundleFormatError(
            f"{name[:100]!r} is no bundle file name; names are lower-case, at most "
            f"{limits.MAX_NAME_CHARS} characters, and lie flat or in {FOLDER}/"
        )


def check_count(names: Collection[str]) -> None:
    """Returns where a bundle may hold that many files.

    Raises:
        BundleFormatError: Too many.
    """
    if len(names) > limits.MAX_FILES:
        raise BundleFormatError(f"more than {limits.MAX_FILES} files; a bundle holds fewer")


def required(shape: ModelShape) -> frozenset[str]:
    """The files that a manifest with this shape must list."""
    tower = USER_TOWER if shape.user_tower == "onnx" else USER_TOWER_GGUF
    names = {tower, IDS, COLUMNS, BIAS, POPULARITY, CALIBRATION, GOLDEN}
    names.update(_ROWS[shape.rows])
    if shape.item_tower is not None:
        names |= {ITEM_TOWER, TOKENIZER}
    return frozenset(names)
