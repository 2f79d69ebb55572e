"""JSON objects of a file one by one: one in each line, or one array of all."""

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TextIO, cast

from pocketrec_distill.data.listed_text import python_value
from pocketrec_distill.errors import DataError

JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
# Longest line, as of a row of delimited text.
MAX_LINE_CHARACTERS = 16 << 20
# Python's parser takes some hundred times as much memory as the text.
_MAX_LITERAL_CHARACTERS = 1 << 20
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SPACE = re.compile(r"\s*")


class Decimal(str):
    """A number with a point or an exponent as it is written, so that nothing of it is rounded."""

    __slots__ = ()


_DECODER = json.JSONDecoder(parse_float=Decimal)


def objects(
    path: Path, encoding: str = "utf-8", errors: str = "strict"
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Number of the line and object of each line, or of each element of an array of objects.

    Blank lines are passed over. Numbers with a point are `Decimal`; halves of characters (lone
    surrogates) become a control character, which no id may hold and every text loses.

    Args:
        path: The file, plain or gzip.
        encoding: Of its text.
        errors: What becomes of bytes that are no text in it, as for `open`.

    Raises:
        DataError: A line is no JSON object (nor one that Python spells, as Amazon's of 2014), is
            longer than 16 MiB or no text in `encoding`, or the gzip is damaged.
        LookupError: There is no such encoding.
    """
    try:
        with _opened(path) as raw, io.TextIOWrapper(raw, encoding, errors, newline="\n") as stream:
            yield from _read(path.name, stream)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} is no whole gzip file: {error}. Obtain it again") from error


def _opened(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return cast("IO[bytes]", gzip.open(path))
    return path.open("rb")


def _read(name: str, stream: TextIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    number, begun = 0, False
    while line := _text_of(name, stream, number, MAX_LINE_CHARACTERS + 1):
        number += 1
        if len(line) > MAX_LINE_CHARACTERS:
            raise DataError(
                f"{name}, line {number} is longer than {MAX_LINE_CHARACTERS:,} characters; give "
                "one object per line"
            )
        text = line.removeprefix("\ufeff").strip()
        if text.startswith("[") and not begun:
            yield from _elements(name, number, text + "\n" + _text_of(name, stream, number, -1))
            return
        if text:
            begun = True
            yield number, _object(name, number, text)


def _text_of(name: str, stream: TextIO, number: int, most: int) -> str:
    """The next line of up to `most` characters; the rest of the file where that is negative."""
    try:
        return stream.read() if most < 0 else stream.readline(most)
    except UnicodeError as error:
        raise DataError(
            f"{name} cannot be read after line {number}: {error}. Mend the file, or set [data] "
            f"encoding if it is not {stream.encoding}"
        ) from error


def _object(name: str, number: int, text: str) -> Mapping[str, Any]:
    try:
        value: object = _DECODER.decode(text)
    except (ValueError, RecursionError):
        value = python_value(text) if len(text) <= _MAX_LITERAL_CHARACTERS else None
    return _checked(name, number, text, value)


def _elements(name: str, first: int, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Objects of one array that begins in line `first`."""

    def after_space(place: int) -> int:
        found = _SPACE.match(text, place)
        return found.end() if found else place

    place, number = after_space(1), first
    while text[place : place + 1] != "]":
        try:
            value, end = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            value, end = None, place
        yield number, _checked(name, number, text[place : max(end, place + 60)], value)
        comma = after_space(end)
        after = after_space(comma + 1) if text[comma : comma + 1] == "," else comma
        number += text.count("\n", place, after)
        if after == comma and text[comma : comma + 1] != "]":
            raise DataError(f"{name}, line {number}: no comma or ] after an object of the array")
        place = after
    if rest := text[place + 1 :].strip():
        raise DataError(f"{name} goes on after the array of its objects: {rest[:60]!r}")


def _checked(name: str, number: int, text: str, value: object) -> Mapping[str, Any]:
    if isinstance(value, dict):
        if "\\ud" not in text and "\\uD" not in text:
            return value
        try:
            return cast("Mapping[str, Any]", _whole(value))
        except RecursionError:
            pass
    raise DataError(
        f"{name}, line {number} is no JSON object: {text[:60]!r}; give one object per line, or one "
        "array of objects"
    )


def _whole(value: object) -> object:
    """The value with a control character for each lone surrogate, which Arrow refuses."""
    if isinstance(value, dict):
        return {_whole(key): _whole(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_whole(part) for part in value]
    if type(value) is str and _LONE_SURROGATE.search(value):
        return _LONE_SURROGATE.sub("\0", value)
    return value
