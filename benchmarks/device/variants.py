"""Bundles of one student in every precision, made from a bundle: what a grid or a run compares.

The student is recovered from the bundle's float32 user tower, so that no run directory is needed.
Item vectors are those of the bundle: where its rows are int8, float32 rows hold the same values.

    python benchmarks/device/variants.py BUNDLE --out FOLDER
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from pocketrec_distill.export import export_gguf, export_user_tower
from pocketrec_distill.export.gguf import Precision as GgufPrecision
from pocketrec_distill.export.weight_only import Bits, weight_only
from pocketrec_distill.models.student import Student
from pocketrec_distill.update.recover import check_recovered, recovered_student
from pocketrec_runtime import (
    BundleContents,
    quantize_rows,
    read_bundle,
    record_golden,
    write_bundle,
)
from pocketrec_runtime.shape import RowFormat

# Bits of the tower's matrices, and how rows are stored.
ONNX: dict[str, tuple[Bits | None, RowFormat]] = {
    "onnx-fp32": (None, "float32"),
    "onnx-int8": (8, "int8"),
    "onnx-int4": (4, "int4"),
}
GGUF = ("F16", "Q8_0", "Q4_0")


def with_rows(contents: BundleContents, rows: RowFormat) -> BundleContents:
    """The contents with rows in another precision."""
    if rows == contents.model.rows:
        return contents
    stored: np.ndarray[Any, Any] = np.array(contents.catalogue.vectors)
    scales = None
    if rows != "float32":
        stored, scales = quantize_rows(stored, 8 if rows == "int8" else 4)
    return replace(
        contents,
        catalogue=replace(contents.catalogue, rows=stored, scales=scales),
        model=replace(contents.model, rows=rows),
    )


def variants(contents: BundleContents, student: Student) -> Iterator[tuple[str, BundleContents]]:
    """Name and contents of each precision, ONNX first."""
    tower = export_user_tower(student)
    for name, (bits, rows) in ONNX.items():
        data = tower if bits is None else weight_only(tower, bits)
        yield name, replace(with_rows(contents, rows), user_tower=data, user_tower_gguf=None)
    for precision in GGUF:
        data = export_gguf(student, contents.model.window, cast(GgufPrecision, precision))
        yield (
            f"gguf-{precision}",
            replace(
                with_rows(contents, "int8"),
                model=replace(contents.model, user_tower="gguf", rows="int8"),
                user_tower=None,
                user_tower_gguf=data,
            ),
        )


def main() -> None:
    """Read the arguments, write `FOLDER/NAME.bundle` for every precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    contents = read_bundle(given.bundle).contents
    student = recovered_student(contents, np.empty((0, contents.model.width), np.float32), 0.0)
    check_recovered(student, contents)
    histories = [query.history for query in contents.golden.queries]
    given.out.mkdir(parents=True, exist_ok=True)
    for name, made in variants(contents, student):
        path = given.out / f"{name}.bundle"
        write_bundle(path, record_golden(made, histories))
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        sys.stdout.write(f"{path}  {size:,} bytes\n")


if __name__ == "__main__":
    main()
