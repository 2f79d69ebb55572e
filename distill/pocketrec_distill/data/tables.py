"""Reading any common table into Arrow: CSV, TSV, RecBole atomic files, Parquet, data frames."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketrec_distill.errors import DataError
from pocketrec_runtime.errors import MissingExtraError

if TYPE_CHECKING:
    import pyarrow as pa

_RECBOLE = (".inter", ".item", ".user", ".kg", ".link")
_DELIMITED = (".csv", ".tsv", ".txt", ".dat", *_RECBOLE)
_PARQUET = (".parquet", ".pq")
_HEADER_BYTES = 1 << 20
_UTF8_MARK = "\ufeff"

# Metadata of a RecBole column's type, kept on the Arrow field.
RECBOLE_TYPE = b"recbole_type"


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

    Delimited files give strings only, so that ids such as `007` stay what they are; gzip is read
    by its extension. Tab-separated files have no quoting, as RecBole, MIND and HetRec publish them.

    Raises:
        DataError: No such file, an unknown kind of file, or one that is not what its name says.
    """
    pa = arrow()
    if isinstance(source, pa.Table):
        return source
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
        return pa.table(source)
    path = Path(source)
    if not path.is_file():
        raise DataError(f"no file at {str(path)!r}; give the path of a table")
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    try:
        if suffix.lower() in _PARQUET:
            return _read_parquet(path)
        if suffix.lower() in _DELIMITED:
            return _read_delimited(path, suffix.lower() in _RECBOLE, encoding)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeError, EOFError) as error:
        raise DataError(
            f"{path.name} cannot be read: {error}. Mend the file, or set [data] encoding if it is "
            f"not {encoding}"
        ) from error
    raise DataError(
        f"{path.name} is of no known kind; give {', '.join((*_DELIMITED, *_PARQUET))}, plain or .gz"
    )


def _read_parquet(path: Path) -> "pa.Table":
    from pyarrow import parquet

    return parquet.read_table(path)


def _read_delimited(path: Path, recbole: bool, encoding: str) -> "pa.Table":
    pa = arrow()
    from pyarrow import csv as arrow_csv

    with pa.input_stream(str(path)) as stream:
        head = stream.read(_HEADER_BYTES).decode(encoding, "replace").removeprefix(_UTF8_MARK)
    line = head.splitlines()[0] if head.strip() else ""
    if not line:
        raise DataError(f"{path.name} is empty; its first line must name the columns")
    delimiter = "\t" if recbole else _delimiter(line)
    names = next(csv.reader([line], delimiter=delimiter)) if delimiter != "\t" else line.split("\t")
    if len(set(names)) != len(names):
        raise DataError(f"{path.name} names a column twice: {', '.join(names)}")
    with pa.input_stream(str(path)) as stream:
        table = arrow_csv.read_csv(
            stream,
            read_options=arrow_csv.ReadOptions(
                column_names=names, skip_rows=1, encoding=encoding, use_threads=False
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter,
                quote_char=False if delimiter == "\t" else '"',
                newlines_in_values=delimiter != "\t",
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=False
            ),
        )
    return _without_types(table) if recbole else table


def _delimiter(header: str) -> str:
    """The delimiter that cuts the header into most columns; a comma where none does."""
    return max((",", "\t", ";", "|"), key=header.count)


def _without_types(table: "pa.Table") -> "pa.Table":
    """RecBole's `name:type` headers as plain names; the type goes into the field's metadata."""
    pa = arrow()
    fields = []
    for name in table.column_names:
        plain, _, kind = name.partition(":")
        fields.append(pa.field(plain, pa.string(), metadata={RECBOLE_TYPE: kind.encode()}))
    return pa.Table.from_arrays(table.columns, schema=pa.schema(fields))
