"""JSON objects of a file one by one: one in each line, one array of all, or one object by id."""

import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO, cast

from pocketrec_distill.data.columns import VISITS, is_known, plain_name
from pocketrec_distill.data.gzipped import opened
from pocketrec_distill.data.listed_text import python_value
from pocketrec_distill.errors import DataError

JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
# Longest line, as of a row of delimited text.
MAX_LINE_CHARACTERS = 16 << 20
# Python's parser takes some hundred times as much memory as the text.
_MAX_LITERAL_CHARACTERS = 1 << 20
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SPACE = re.compile(r"\s*")
# How an object begins that holds all others by their ids.
_BY_ID = re.compile(r'\{\s*("(?:[^"\\]|\\.)*"\s*:\s*[{\[].*)?')


class Decimal(str):
    """A number with a point or an exponent as it is written, so that nothing of it is rounded."""

    __slots__ = ()


_DECODER = json.JSONDecoder(parse_float=Decimal)


def objects(
    path: Path, encoding: str = "utf-8", errors: str = "strict"
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Number of the line and object of each line, or of each element of an array of objects.

    A file may also be one object by id: `{item: {...}, ...}` gives objects with their `id`,
    `{user: [item, ...], ...}` one for each event, with `user_id`, `item_id` and `position`, and
    `{user: [{...}, ...], ...}` objects with their `user_id`, if they have no name of a user of
    their own. `{"data": [{...}, ...]}` gives the objects in it as they are.

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
    with opened(path) as raw, io.TextIOWrapper(raw, encoding, errors, newline="\n") as stream:
        yield from _read(path.name, stream)


def _read(name: str, stream: TextIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    whole = _holds_all(name, stream)
    stream.seek(0)
    if whole:
        return _parts(name, _text_of(name, stream, 0, -1).removeprefix("\ufeff"))
    return _lines(name, stream)


def _holds_all(name: str, stream: TextIO) -> bool:
    """Whether there is one array or one object by id, and not an object in each line."""
    texts = (line.removeprefix("\ufeff").strip() for line in _raw_lines(name, stream))
    first = next(filter(None, texts), "")
    if not _BY_ID.fullmatch(first):
        return first.startswith("[")
    try:
        parts = list(_DECODER.decode(first).values())
    except (ValueError, RecursionError):
        return True
    # An object of lists may be a row, too: it is the first of many, or the only one.
    by_id = all(isinstance(part, (dict, list)) for part in parts)
    return by_id and not any(texts)


def _raw_lines(name: str, stream: TextIO) -> Iterator[str]:
    """Lines, or the first characters of one that is too long."""
    number = 0
    while line := _text_of(name, stream, number, MAX_LINE_CHARACTERS + 1):
        number += 1
        yield line


def _lines(name: str, stream: TextIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(_raw_lines(name, stream), 1):
        if len(line) > MAX_LINE_CHARACTERS:
            raise DataError(
                f"{name}, line {number} is longer than {MAX_LINE_CHARACTERS:,} characters; give "
                "one object per line"
            )
        if text := line.removeprefix("\ufeff").strip():
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


def _parts(name: str, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Objects of one array, or of one object by id."""

    def after_space(place: int) -> int:
        found = _SPACE.match(text, place)
        return found.end() if found else place

    def decoded(place: int) -> tuple[object, int]:
        try:
            return _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            return None, place

    start = after_space(0)
    keyed, number, counted = text[start] == "{", 1, 0
    closing, kind = ("}", "object") if keyed else ("]", "array")
    first = place = after_space(start + 1)
    while text[place : place + 1] != closing:
        number, counted = number + text.count("\n", counted, place), place
        key, begin = "", place
        if keyed:
            found, end = decoded(place)
            colon = after_space(end)
            if not isinstance(found, str) or text[colon : colon + 1] != ":":
                raise DataError(f"{name}, line {number}: no id before {text[place : place + 60]!r}")
            key, begin = found, after_space(colon + 1)
        value, end = decoded(begin)
        comma = after_space(end)
        alone = place == first and text[comma : comma + 1] == closing
        shown = text[place : max(end, begin + 60)]
        if not keyed:
            yield number, _checked(name, number, shown, value)
        elif isinstance(value, (dict, list)):
            # Mended once, however many events it holds.
            for member in _checked(name, number, shown, {key: value}).items():
                yield from ((number, part) for part in _by_id(*member, alone=alone))
        else:
            raise _no_object(name, number, shown)
        place = after_space(comma + 1) if text[comma : comma + 1] == "," else comma
        if place == comma and text[comma : comma + 1] != closing:
            number += text.count("\n", counted, comma)
            raise DataError(
                f"{name}, line {number}: no comma or {closing} after a part of the {kind}"
            )
    if rest := text[place + 1 :].strip():
        raise DataError(f"{name} goes on after the {kind} of its objects: {rest[:60]!r}")


def _by_id(
    key: str, value: Mapping[str, Any] | list[Any], *, alone: bool
) -> Iterator[Mapping[str, Any]]:
    """What one member of an object by id says: an item, or the events of a user, in order.

    The only member of an object, if it is a list of objects, wraps these: its key is no user.
    """
    if not isinstance(value, list):
        yield {"id": key, **value}
        return
    wraps = alone and all(isinstance(event, dict) for event in value)
    for position, event in enumerate(value):
        if not isinstance(event, dict):
            yield {"user_id": key, "item_id": event, "position": position}
        elif wraps or any(map(_is_of_a_person, event)):
            yield event
        else:
            yield {"user_id": key, **event}


def _is_of_a_person(name: str) -> bool:
    """Whether it names a user who is no mere visit: such an object belongs to nobody else."""
    return is_known(name, "user") and plain_name(name) not in VISITS


def _checked(name: str, number: int, text: str, value: object) -> Mapping[str, Any]:
    if isinstance(value, dict):
        if "\\ud" not in text and "\\uD" not in text:
            return value
        try:
            return cast("Mapping[str, Any]", _whole(value))
        except RecursionError:
            pass
    raise _no_object(name, number, text)


def _no_object(name: str, number: int, text: str) -> DataError:
    return DataError(
        f"{name}, line {number} is no JSON object: {text[:60]!r}; give one object per line, one "
        "array of objects, or one object of them by id"
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
