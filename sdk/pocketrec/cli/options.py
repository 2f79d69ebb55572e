"""Options and arguments that several commands share, and how ids and filters are read."""

import csv
import io
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import click

from pocketrec_runtime import Catalogue
from pocketrec_runtime.errors import InputError

_Function = TypeVar("_Function", bound=Callable[..., object])

#: A file that must exist; a folder passes too, for a set of files under one name.
INPUT_PATH = click.Path(exists=True, path_type=Path)
OUTPUT_PATH = click.Path(path_type=Path)


def bundle_argument(name: str = "bundle") -> Callable[[_Function], _Function]:
    """A bundle's path, a directory or a zip; whether it is a bundle, the runtime decides."""
    return click.argument(name, metavar=name.upper(), type=click.Path(path_type=Path))


def delta_option(function: _Function) -> _Function:
    """`--delta`: what is laid over the bundle before it answers."""
    return click.option(
        "--delta",
        "deltas",
        multiple=True,
        type=INPUT_PATH,
        help="A delta that is laid over the bundle first. Repeat it: they are laid in this order.",
    )(function)


def json_option(function: _Function) -> _Function:
    """`--json`: one JSON document on stdout instead of text."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(
        function
    )


def history_option(function: _Function) -> _Function:
    """`--history`: the user's items as one CSV record, or `-` for lines on stdin."""
    return click.option(
        "--history",
        required=True,
        metavar="ID,ID,...",
        help="The user's items, oldest first, as one CSV record (an id that holds a comma stands "
        'in double quotes). "-" reads one id a line from stdin; "" is no history.',
    )(function)


def read_ids(text: str, option: str) -> list[str]:
    """The ids that an option's value names.

    Args:
        text: One CSV record, or `-` for stdin, one id a line.
        option: The option's name, for messages.

    Raises:
        InputError: Not one CSV record, an empty id, or stdin that is not UTF-8.
    """
    if text == "-":
        return _stdin_lines()
    try:
        records = list(csv.reader([text], strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise InputError(
            f"{option} is not one CSV record ({error}); give ID,ID,... and put an id that holds "
            "a comma or a quote in double quotes"
        ) from error
    ids = [item_id for record in records for item_id in record]
    if not text.strip():
        return []
    if "" in ids:
        raise InputError(
            f"{option}: id {ids.index('') + 1} of {len(ids)} is empty; remove the extra comma"
        )
    return ids


def write_ids(ids: Sequence[str]) -> str:
    """Ids as the CSV record that `read_ids` reads, quoted for a shell."""
    record = io.StringIO()
    # Outer spaces are cut off unless they stand in quotes.
    spaced = any(item_id != item_id.strip() for item_id in ids)
    csv.writer(
        record, lineterminator="", quoting=csv.QUOTE_ALL if spaced else csv.QUOTE_MINIMAL
    ).writerow(ids)
    return shlex.quote(record.getvalue())


def read_filters(pairs: Sequence[str], catalogue: Catalogue) -> Mapping[str, list[str | float]]:
    """`COLUMN=VALUE` pairs by column; a column given twice lets either value through.

    A value that spells a number also means the number, where the column holds it.

    Raises:
        InputError: A pair without `=`, or a column that the catalogue does not have.
    """
    filters: dict[str, list[str | float]] = {}
    for pair in pairs:
        column, equals, value = pair.partition("=")
        if not equals or not column:
            raise InputError(f"--filter {pair!r} is not COLUMN=VALUE")
        values = filters.setdefault(column, [])
        values.append(value)
        number = _number(value)
        if number is not None and number in catalogue.postings(column):
            values.append(number)
    return filters


def _stdin_lines() -> list[str]:
    data = sys.stdin.buffer.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"stdin is not UTF-8 (byte {error.start} is 0x{data[error.start]:02x}); "
            "give one id a line, encoded as UTF-8"
        ) from error
    # Only the line ends: str.splitlines would also split an id at U+2028 or a form feed.
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    return [line for line in lines if line]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
