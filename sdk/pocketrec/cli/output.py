"""What commands print: JSON documents with a versioned schema, and tables for people."""

import io
import json
import os
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import click

_NUMBER = re.compile(r"[+-]?[0-9][0-9,]*(\.[0-9]+)?%?")
# Controls could move a terminal's cursor or rewrite what stands there; separators break a row.
_ESCAPED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def emit_json(command: str, payload: Mapping[str, Any], *, version: int = 1) -> None:
    """Print one JSON document, UTF-8 whatever the locale, its schema as the first key.

    Raises:
        ValueError: The payload holds NaN or an infinity, for which JSON has no word.
    """
    document = {"schema": f"pocketrec.{command}/{version}"}
    document |= {key: value for key, value in payload.items() if key != "schema"}
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2)
    click.echo(text.encode("utf-8"))


def emit(text: str = "") -> None:
    """Print a line of the answer to stdout."""
    click.echo(text)


def say(text: str) -> None:
    """Print a line of talk to stderr."""
    click.echo(text, err=True)


def printable(text: str) -> str:
    """`text` with control characters written out, so that data cannot steer a terminal."""
    if text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in _ESCAPED_CATEGORIES
        else char
        for char in text
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns: a column whose every cell is a number stands to the right."""
    cells = [[printable(cell) for cell in line] for line in (head, *rows)]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(_width, column)) for column in columns]
    right = [all(_is_number(cell) for cell in column[1:]) for column in columns]
    lines = []
    for line in cells:
        padded = [
            _pad(cell, width, at_right)
            for cell, width, at_right in zip(line, widths, right, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def prepare_streams() -> None:
    """Let any script be printed: what a stream's encoding lacks is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def silence_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush stays quiet."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


def _pad(cell: str, width: int, at_right: bool) -> str:
    space = " " * (width - _width(cell))
    return space + cell if at_right else cell + space


def _width(text: str) -> int:
    """Terminal columns: combining marks take none, wide East Asian characters two."""
    return sum(
        0
        if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}
        else 2
        if unicodedata.east_asian_width(char) in {"W", "F"}
        else 1
        for char in text
    )


def _is_number(cell: str) -> bool:
    return not cell or bool(_NUMBER.fullmatch(cell))
