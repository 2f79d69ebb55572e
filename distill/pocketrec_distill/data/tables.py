"""Reading any common table into Arrow: CSV, TSV, RecBole's files, JSON, Parquet, data frames."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketrec_distill.data.columns import listed, on_missing_header
from pocketrec_distill.data.delimited import RECBOLE_TYPE, read_delimited
from pocketrec_distill.data.json_objects import JSON_ENDINGS
from pocketrec_distill.data.json_table import read_json
from pocketrec_distill.data.parquet import ENDINGS as PARQUET_ENDINGS
from pocketrec_distill.data.parquet import is_folder_of_parts, read_parquet
from pocketrec_distill.errors import DataError
from pocketrec_runtime.errors import MissingExtraError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RECBOLE_TYPE", "TEXT_ENDINGS", "arrow", "read_table"]

_RECBOLE = (".inter", ".item", ".user", ".kg", ".link")
_DELIMITED = (".csv", ".tsv", ".txt", ".dat", *_RECBOLE)
# Kinds of files whose encoding matters.
TEXT_ENDINGS = (*_DELIMITED, *JSON_ENDINGS)
# What to do with files that hold a table, but are none.
_ADVICE = {
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "save its sheet as CSV (UTF-8)"),
    **dict.fromkeys((".zip", ".7z", ".tar", ".tgz", ".rar"), "unpack it"),
}

# What pandas calls row labels that have no name.
_ROW_LABELS = re.compile(r"__index_level_\d+__")


def arrow() -> Any:
    """The pyarrow package.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtraError("pyarrow", "distill") from error
    return pyarrow


def read_table(source: Any, encoding: str = "utf-8") -> "pa.Table":
    """A table from a path, a pandas or polars frame, or anything that speaks Arrow.

    Delimited files and JSON give strings only, so that ids such as `007` stay what they are; gzip
    is read by its extension. A folder of Parquet parts is a table. Tab-separated files have no
    quoting, as RecBole, MIND and HetRec publish them, unless all names of the columns are quoted.
    Unnamed row labels of a pandas frame are left out; a named index is a column.

    Raises:
        DataError: No such file, an unknown kind of file, one that is not what its name says, or a
            column named twice.
        OSError: The system refuses to read the file.
    """
    if isinstance(source, str | os.PathLike):
        name, table = Path(source).name, _from_file(Path(source), encoding)
    else:
        name, table = f"the {type(source).__name__}", _from_frame(source)
    table = table.select(
        [i for i, column in enumerate(table.column_names) if not _ROW_LABELS.fullmatch(column)]
    )
    if len(set(table.column_names)) != table.num_columns:
        advice = on_missing_header(table.column_names)
        raise DataError(
            f"{name} names a column twice: {listed(table.column_names)}; "
            f"{advice or 'the first line of a text file must name the columns'}"
        )
    return table


def _from_frame(source: Any) -> "pa.Table":
    pa = arrow()
    if isinstance(source, pa.Table):
        return source
    try:
        if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
            return pa.table(source)
    except (pa.ArrowException, UnicodeError, TypeError, ValueError) as error:
        raise DataError(
            f"the {type(source).__name__} cannot be read as a table: {error}. Give each column "
            "one type, and text without lone surrogates"
        ) from error
    raise DataError(
        f"cannot read a table from a {type(source).__name__}; give a path, a pandas or polars "
        "frame, or an Arrow table"
    )


def _from_file(path: Path, encoding: str) -> "pa.Table":
    pa = arrow()
    parts = is_folder_of_parts(path)
    if not parts and not path.is_file():
        raise DataError(f"no file at {str(path)!r}; give the path of a table")
    kind = (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()
    if not parts:
        with path.open("rb"):
            pass  # a refusal by the system says so itself; what Arrow says is about the content
    try:
        if parts or kind in PARQUET_ENDINGS:
            return read_parquet(path)
        if kind in _DELIMITED:
            return read_delimited(path, recbole=kind in _RECBOLE, encoding=encoding)
        if kind in JSON_ENDINGS:
            return read_json(path, encoding)
    except DataError:
        raise
    except (pa.ArrowException, OSError, EOFError, ValueError, LookupError) as error:
        raise DataError(
            f"{path.name} cannot be read: {error}. Mend the file, or set [data] encoding if it is "
            f"not {encoding}"
        ) from error
    advice = f"{_ADVICE[kind]}, or " if kind in _ADVICE else ""
    known = ", ".join((*TEXT_ENDINGS, *PARQUET_ENDINGS))
    raise DataError(f"{path.name} is of no known kind; {advice}give {known}, plain or .gz")
