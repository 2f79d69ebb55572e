"""Reading delimited text with Arrow: CSV, TSV and RecBole atomic files."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketrec_distill.data.columns import SEPARATORS
from pocketrec_distill.data.quoting import QuoteWatch, header_quoted, rows
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# Metadata of a RecBole column's type, kept on the Arrow field.
RECBOLE_TYPE = b"recbole_type"

_HEADER_BYTES = 1 << 20
# Longest row: Arrow refuses one that does not fit into its block.
_BLOCK_BYTES = 16 << 20
_TAIL_BYTES = 1 << 12
_UTF8_MARK = "\ufeff"
# Characters between values, and those between which quotes mean nothing where names have none.
_DELIMITERS, _UNQUOTED = (",", "\t", ";", "|", "\x01"), ("\t", "\x01")
# What else is between values where none of these is, and the character that stands for it then.
_LONG = {"::": re.compile("::"), " ": re.compile(" +")}
_UNIT_SEPARATOR = "\x1f"
_SPACE_AT_ENDS = re.compile(r"(?m)^ +| +(?=[\r\n]|\Z)")


@dataclass(frozen=True)
class Header:
    """What the first line of a delimited file says.

    Attributes:
        names: Column names, unique.
        lines: Lines of the file that it takes, with blank ones before it.
        delimiter: Between values: a character, `::`, or any number of spaces.
        quoted: Whether values between quotes may hold delimiters and line ends.
    """

    names: list[str]
    lines: int
    delimiter: str
    quoted: bool


def read_delimited(path: Path, *, recbole: bool, encoding: str) -> "pa.Table":
    """A table of strings, so that ids such as `007` stay what they are.

    Tab-separated files have no quoting, as RecBole, MIND and HetRec publish them, unless the names
    of all columns are quoted; nor have those of Hive, of `::` and of spaces. Where a backslash
    escapes quotes within quotes, it is read so.

    Raises:
        DataError: No header, a column named twice, a quote that never closes or that is not told
            from the end of its value.
        ArrowInvalid, OSError, UnicodeError, LookupError: What Arrow and Python say of the content.
    """
    header = _header(path, recbole, encoding)
    if header.delimiter in _LONG:
        return _by_long_delimiters(path, header, encoding)
    with _opened(path) as stream:
        watch = QuoteWatch(stream)
        try:
            table = _by_arrow(watch, header, encoding)
        except ValueError as error:  # Arrow's refusals are
            if "Expected 1 columns" in str(error):
                raise DataError(
                    f"{path.name}: the first line names one column, {header.names[0][:60]!r}, and "
                    f"others hold more values ({error}). It must name them all; {SEPARATORS}"
                ) from error
            if not (header.quoted and watch.seen):
                raise
            table = None
    if header.quoted and watch.seen:
        table = _by_backslashes(path, header, encoding, table)
    elif header.quoted:
        _check_closed(path, table, encoding)
    return _without_types(table) if recbole else _without_spaces(table)


def _by_arrow(stream: QuoteWatch, header: Header, encoding: str) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    return arrow_csv.read_csv(
        pa.PythonFile(stream, mode="r"),
        read_options=arrow_csv.ReadOptions(
            column_names=header.names,
            skip_rows=header.lines,
            encoding=encoding,
            block_size=_BLOCK_BYTES,
            use_threads=False,  # keeps the row number in Arrow's errors
        ),
        parse_options=arrow_csv.ParseOptions(
            delimiter=header.delimiter,
            quote_char='"' if header.quoted else False,
            newlines_in_values=header.quoted,
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types={name: pa.string() for name in header.names},
            strings_can_be_null=False,
        ),
    )


def _by_long_delimiters(path: Path, header: Header, encoding: str) -> "pa.Table":
    """The table of a file with more than one character between values, which nothing quotes."""
    import pyarrow as pa

    text = _text_of(path, encoding)
    if header.delimiter == " ":
        text = _SPACE_AT_ENDS.sub("", text)
    text = _LONG[header.delimiter].sub(_UNIT_SEPARATOR, text)
    stream = QuoteWatch(pa.BufferReader(text.encode()))
    return _by_arrow(stream, replace(header, delimiter=_UNIT_SEPARATOR), "utf-8")


def _by_backslashes(
    path: Path, header: Header, encoding: str, table: "pa.Table | None"
) -> "pa.Table":
    """The table of a file with a backslash before a quote: Arrow's where RFC 4180 reads it all.

    Raises:
        DataError: Neither the RFC's quotes nor escaped ones read it all.
    """
    import pyarrow as pa

    text = _text_of(path, encoding)
    width = len(header.names)
    plain = rows(text, header.delimiter, width, escaped=False)
    if table is not None and not isinstance(plain, int):
        return table
    found = rows(text, header.delimiter, width, escaped=True)
    if isinstance(found, int):
        first = found if isinstance(plain, list) else max(found, plain)
        raise DataError(
            f"{path.name}, line {first}: quotes cannot be told from the ends of values, with a "
            'backslash escaping them or without. Write a quote within quotes twice (""), or as \\"'
        )
    columns = zip(*found[1:], strict=True) if len(found) > 1 else [()] * width
    return pa.table(
        {
            name: pa.array(values, pa.string())
            for name, values in zip(header.names, columns, strict=True)
        }
    )


def _text_of(path: Path, encoding: str) -> str:
    with _opened(path) as stream:
        text: str = stream.read().decode(encoding)
    return text.removeprefix(_UTF8_MARK)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import pyarrow as pa

    packing = "gzip" if path.suffix.lower() == ".gz" else None
    with pa.input_stream(str(path), compression=packing) as stream:
        yield stream


def _header(path: Path, recbole: bool, encoding: str) -> Header:
    with _opened(path) as stream:
        head = stream.read(_HEADER_BYTES)
    # A character may be cut at the end of the head; that is no error yet.
    text = codecs.getincrementaldecoder(encoding)().decode(head).removeprefix(_UTF8_MARK)
    content = text.lstrip("\r\n")
    if not content.strip():
        raise DataError(f"{path.name} is empty; its first line must name the columns")
    blank = len(re.findall(r"\r\n|\r|\n", text[: len(text) - len(content)]))
    first, *others = re.split(r"[\r\n]+", content, maxsplit=2)
    delimiter = "\t" if recbole else _delimiter(first, others[0] if others else "")
    if delimiter in _LONG:
        return Header(_LONG[delimiter].split(first.strip(" ")), blank + 1, delimiter, False)
    quoted = delimiter not in _UNQUOTED or (not recbole and header_quoted(first, delimiter))
    lines = io.StringIO(content, newline="")
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    try:
        names = next(reader)
    except csv.Error as error:
        raise DataError(f"{path.name} has an unreadable header: {error}. Mend it") from error
    if len(head) == _HEADER_BYTES and not lines.read(1):
        raise DataError(
            f"{path.name} has a header of over {_HEADER_BYTES:,} bytes; its first line must name "
            "the columns"
        )
    return Header(names, blank + reader.line_num, delimiter, quoted)


def _delimiter(header: str, row: str) -> str:
    """What cuts the header into most columns: a character, or where none does `::` or spaces.

    Spaces do only if they cut the row after it likewise; a comma is what a single column has.
    """
    bare = re.sub(r'"[^"]*"', "", header)
    found = max(_DELIMITERS, key=bare.count)
    if found in bare:
        return found
    if "::" in bare:
        return "::"
    columns = len(header.split())
    return " " if bare == header and columns > 1 and len(row.split()) == columns else ","


def _check_closed(path: Path, table: "pa.Table", encoding: str) -> None:
    """Refuse a quote that is open to the end of the file; Arrow takes all of it as one value."""
    if not table.num_rows or "\n" not in (last := table.column(-1)[-1].as_py()):
        return
    tail = b""
    with _opened(path) as stream:
        while block := stream.read(_BLOCK_BYTES):
            tail = (tail + block)[-_TAIL_BYTES:]
    end = last.replace('"', '""').encode(encoding)[-_TAIL_BYTES:]
    if tail.endswith(end):
        row = table.num_rows + 1
        raise DataError(f"{path.name}: the quote opened in row {row} never closes. Mend the file")


def _without_spaces(table: "pa.Table") -> "pa.Table":
    """The columns after the first without the space that stands after each delimiter (`1, 2`)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns, names = table.columns[:1], table.column_names[:1]
    for name, column in zip(table.column_names[1:], table.columns[1:], strict=True):
        filled = pc.invert(pc.equal(column, ""))
        spaced = pc.starts_with(column, " ")
        all_spaced = pc.any(filled).as_py() and pc.all(pc.or_(spaced, pc.invert(filled))).as_py()
        columns.append(pc.utf8_ltrim(column, " ") if all_spaced else column)
        names.append(name.lstrip(" ") if all_spaced else name)
    return pa.table(columns, names=names)


def _without_types(table: "pa.Table") -> "pa.Table":
    """RecBole's `name:type` headers as plain names; the type goes into the field's metadata."""
    import pyarrow as pa

    fields = []
    for name in table.column_names:
        plain, _, kind = name.partition(":")
        fields.append(pa.field(plain, pa.string(), metadata={RECBOLE_TYPE: kind.encode()}))
    return pa.Table.from_arrays(table.columns, schema=pa.schema(fields))
