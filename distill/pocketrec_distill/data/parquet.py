"""Parquet: one file, or a folder of parts as Spark, Dask and polars write a table."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

ENDINGS = (".parquet", ".pq")

# `part-00000-UUID.snappy.parquet` (Spark), `part.0.parquet` (Dask), `00000000.parquet` (polars).
_PART = re.compile(r"(part[-_.].*|\d+)\.(parquet|pq)", re.IGNORECASE)
# `train-00000-of-00002.parquet`, as Hugging Face's datasets are kept.
_ONE_OF = re.compile(r"(.+)-\d+-of-(\d+)\.(parquet|pq)", re.IGNORECASE)
# A folder of the parts with one value of a column, as Hive names it: `day=2026-01-31`.
_OF_A_VALUE = re.compile(r"[^=]+=.*")


def is_folder_of_parts(path: Path) -> bool:
    """Whether a folder is one table: parts, or folders of them, and nothing else to see.

    In a folder whose own name ends like a Parquet file's the parts may have any name.
    """
    if not path.is_dir():
        return False
    shown = [inner for inner in path.iterdir() if not inner.name.startswith(("_", "."))]
    named = path.suffix.lower() in ENDINGS
    if not named and _are_one_table([inner.name for inner in shown]):
        return True
    return bool(shown) and all(_is_part(inner, named) for inner in shown)


def _are_one_table(names: Sequence[str]) -> bool:
    """Whether files are called the first of so many, the second and so on, none missing."""
    found = [_ONE_OF.fullmatch(name) for name in names]
    tables = {part.groups() for part in found if part}
    return all(found) and len(tables) == 1 and len(names) == int(next(iter(tables))[1])


def _is_part(path: Path, any_name: bool) -> bool:
    if path.is_dir():
        return bool(_OF_A_VALUE.fullmatch(path.name))
    if any_name:
        return path.suffix.lower() in ENDINGS
    return bool(_PART.fullmatch(path.name))


def read_parquet(path: Path) -> "pa.Table":
    """The table of a file, plain or `.gz`, or of a folder of parts in the order of their names.

    Values that stand in the names of a folder's folders are columns. A column that a part lacks is
    empty there.

    Raises:
        DataError: Parts of a folder give a column different types.
        pyarrow.ArrowException, OSError: What is there is no Parquet.
    """
    import pyarrow as pa
    from pyarrow import dataset, parquet

    if path.is_dir():
        opened = partial(dataset.dataset, path, format="parquet", partitioning="hive")
        parts = opened()
        schemas = [part.physical_schema for part in parts.get_fragments()]
        try:
            schema = pa.unify_schemas(schemas, promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError(
                f"the parts of {path.name} do not fit together: {error}; give a column one type "
                "in all of them"
            ) from error
        missing = [field for field in parts.schema if field.name not in schema.names]
        return opened(schema=pa.schema([*schema, *missing])).to_table()
    if path.suffix.lower() == ".gz":
        with pa.input_stream(str(path), compression="gzip") as stream:
            return parquet.read_table(pa.BufferReader(stream.read()))
    return parquet.ParquetFile(path).read()
