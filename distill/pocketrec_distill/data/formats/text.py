"""Text files of published data sets: any line end, a byte order mark, UTF-8 or Latin-1, gzip."""

import codecs
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pocketrec_distill.data.gzipped import opened
from pocketrec_distill.data.tables import arrow, read_table
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# The encoding that older sets are published in; it reads any bytes.
FALLBACK = "latin-1"

_BLOCK_BYTES = 1 << 22
_LINE_BYTES = 1 << 16


def read_text(path: Path, encoding: str) -> tuple[str, str]:
    """The whole text of a file with line feeds only, and a note where it was not `encoding`.

    Raises:
        DataError: The gzip is damaged or cut off.
        OSError: The file cannot be read.
    """
    with opened(path) as stream:
        content = stream.read()
    note = ""
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text, note = content.decode(FALLBACK), f"{path.name} is no {encoding}: read as {FALLBACK}"
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"), note


def read_lines(path: Path, encoding: str) -> tuple[list[str], str]:
    """Lines of a file without their ends, and a note; blank lines at its end are left out.

    Raises:
        DataError: The file is empty, or its gzip is damaged.
    """
    text, note = read_text(path, encoding)
    # Not splitlines: it would also part a title at characters such as U+0085.
    lines = text.rstrip("\n").split("\n")
    if lines == [""]:
        raise DataError(f"{path.name} is empty")
    return lines, note


def first_line(path: Path) -> str:
    """The first characters of a file up to a line's end, whatever its encoding is.

    Raises:
        DataError: The gzip is damaged.
        OSError: The file cannot be read.
    """
    with opened(path) as stream:
        return stream.readline(_LINE_BYTES).decode(FALLBACK)


def cut(
    path: Path, lines: Sequence[str], delimiter: str, names: Sequence[str], first: int = 1
) -> list[list[str]]:
    """Values of each line; all lines must have one value per name.

    Args:
        path: Named in errors.
        lines: Lines of the file.
        delimiter: One or more characters between values; nothing quotes them.
        names: What the values of a line are.
        first: Number of the first line in the file.

    Raises:
        DataError: A line has more or fewer values; the message says which.
    """
    rows = [line.split(delimiter) for line in lines]
    for number, row in enumerate(rows, first):
        if len(row) != len(names):
            raise DataError(
                f"{path.name}, line {number}: {len(row)} values where {len(names)} are expected "
                f"({', '.join(names)}), separated by {delimiter!r}: {lines[number - first][:60]!r}"
            )
    return rows


def table_of(names: Sequence[str], rows: Sequence[Sequence[object]]) -> "pa.Table":
    """A table of text columns from rows of values; None is missing."""
    pa = arrow()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pa.table(
        {
            name: pa.array(column, type=pa.large_string())
            for name, column in zip(names, columns, strict=True)
        }
    )


def encoding_of(path: Path, encoding: str) -> tuple[str, str]:
    """`encoding` where the whole file is in it, else Latin-1, and a note that says so."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with opened(path) as stream:
            while block := stream.read(_BLOCK_BYTES):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return FALLBACK, f"{path.name} is no {encoding}: read as {FALLBACK}"
    return encoding, ""


def read_headed(path: Path, encoding: str, notes: list[str]) -> "pa.Table":
    """`read_table` of a file whose first line names its columns, in whichever encoding fits.

    Args:
        path: The file.
        encoding: Tried first.
        notes: What was assumed is appended.

    Raises:
        DataError: See `read_table`.
    """
    found, note = encoding_of(path, encoding)
    notes.extend(filter(None, [note]))
    return read_table(path, found)


def read_headless(
    path: Path, delimiter: str, names: Sequence[str], encoding: str, notes: list[str]
) -> "pa.Table":
    """A large table of text without a header and without quotes.

    Args:
        path: The file, plain or gzip.
        delimiter: One or more characters between values.
        names: Names for its columns.
        encoding: Tried before Latin-1.
        notes: What was assumed is appended.

    Raises:
        DataError: The file is empty, or a row has more or fewer values.
    """
    from pyarrow import csv

    pa = arrow()
    text, note = read_text(path, encoding)
    notes.extend(filter(None, [note]))
    if not text.strip():
        raise DataError(f"{path.name} is empty; it holds {', '.join(names)} in each line")
    content = text.rstrip("\n").replace(delimiter, "\t").encode()
    try:
        return csv.read_csv(
            pa.BufferReader(content),
            read_options=csv.ReadOptions(column_names=list(names), use_threads=False),
            parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{path.name} cannot be read: {error}. Each line holds {', '.join(names)}, with "
            f"{delimiter!r} between them and no header"
        ) from error
