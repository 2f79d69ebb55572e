"""JSON as the bundle format allows it, and typed access to its fields."""

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

from pocketrec_runtime.errors import BundleFormatError, InputError
from pocketrec_runtime.packed import MAX_INTEGER


def parse(data: bytes, name: str, *, bounded: bool = True) -> Any:
    """The value of a JSON file.

    Args:
        data: Its bytes.
        name: Its name, for messages.
        bounded: Whether to refuse numbers out of bounds here; otherwise the caller does, which
            is much faster for a large file.

    Raises:
        BundleFormatError: Not UTF-8, not JSON, a key twice in one object, NaN or infinity, an
            integer beyond 63 bits, a lone surrogate, or nesting deeper than the parser goes.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_constant=_no_constant,
            parse_float=_finite if bounded else None,
            parse_int=_bounded if bounded else None,
        )
        if b"\\ud" in data or b"\\uD" in data:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise BundleFormatError(f"{name} holds a lone surrogate, which UTF-8 cannot say") from error
    except (ValueError, RecursionError) as error:
        raise BundleFormatError(f"{name} is not the JSON it should be: {error}") from error
    return value


def members(data: bytes, name: str) -> Iterator[tuple[str, Any]]:
    """Key and value of each member of a JSON object, so that one value at a time is in memory.

    Numbers and lone surrogates in values are the caller's to check.

    Raises:
        BundleFormatError: As `parse`; also where the value is no object.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    seen: set[str] = set()
    try:
        text = data.decode("utf-8")
        at = _after(text, 0, "{")
        closed = text.startswith("}", at)
        while not closed:
            key, at = decoder.raw_decode(text, at)
            if not isinstance(key, str) or key in seen:
                raise ValueError(f"key {str(key)[:60]!r} is no string or stands twice")
            value, at = decoder.raw_decode(text, _after(text, at, ":"))
            seen.add(key)
            yield key, value
            del value
            closed = text.startswith("}", _blank(text, at))
            at = _blank(text, at) if closed else _after(text, at, ",")
        if _blank(text, at + 1) != len(text):
            raise ValueError("something stands after its end")
    except (ValueError, RecursionError) as error:
        raise BundleFormatError(f"{name} is not the JSON it should be: {error}") from error


def dump(value: object, name: str, indent: int | None = None) -> bytes:
    """The one spelling of a value: sorted keys, UTF-8, a newline at the end.

    Raises:
        InputError: The value is no JSON: NaN, infinity, a lone surrogate, an unknown type.
    """
    separators = (",", ":") if indent is None else (",", ": ")
    try:
        text = json.dumps(
            value,
            ensure_ascii=False,
            allow_nan=False,
            sort_keys=True,
            indent=indent,
            separators=separators,
        )
        return f"{text}\n".encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{name} cannot be written as JSON: {error}") from error


class Fields:
    """Typed reads from one JSON object; every failure names the file and the key.

    Raises:
        BundleFormatError: The value is no object; and from every method, that a key is missing
            or of another type.
    """

    def __init__(self, value: object, name: str) -> None:
        if not isinstance(value, dict):
            raise BundleFormatError(f"{name} is a {type(value).__name__}; it must be an object")
        self._values: dict[str, Any] = value
        self._name = name

    def text(self, key: str) -> str:
        """A string."""
        value = self._get(key)
        return value if isinstance(value, str) else self._wrong(key, value, "a string")

    def integer(self, key: str) -> int:
        """An integer: 1 is one, 1.0 and true are not."""
        value = self._get(key)
        return value if type(value) is int else self._wrong(key, value, "an integer")

    def number(self, key: str) -> float:
        """A number, finite as every number that `parse` lets through."""
        value = self._get(key)
        if type(value) not in (int, float):
            self._wrong(key, value, "a number")
        return float(value)

    def array(self, key: str) -> list[Any]:
        """A list."""
        value = self._get(key)
        return value if isinstance(value, list) else self._wrong(key, value, "a list")

    def mapping(self, key: str) -> dict[str, Any]:
        """An object, as a dict."""
        value = self._get(key)
        return value if isinstance(value, dict) else self._wrong(key, value, "an object")

    def fields(self, key: str) -> "Fields":
        """An object, as Fields."""
        return Fields(self._get(key), f"{self._name}: {key}")

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return key in self._values

    def is_null(self, key: str) -> bool:
        """Whether the value is null."""
        return self._get(key) is None

    def _get(self, key: str) -> Any:
        if key not in self._values:
            raise BundleFormatError(f"{self._name} lacks {key!r}")
        return self._values[key]

    def _wrong(self, key: str, value: object, expected: str) -> NoReturn:
        shown = repr(value)[:60]
        raise BundleFormatError(f"{self._name}: {key} is {shown}; it must be {expected}")


def _blank(text: str, at: int) -> int:
    """Where the blanks that JSON allows end."""
    while at < len(text) and text[at] in " \t\n\r":
        at += 1
    return at


def _after(text: str, at: int, mark: str) -> int:
    """Where the value after a mark starts."""
    at = _blank(text, at)
    if not text.startswith(mark, at):
        raise ValueError(f"{mark!r} is missing at character {at}")
    return _blank(text, at + 1)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r} stands twice in one object")
    return values


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


def _bounded(text: str) -> int:
    # 20 characters hold every integer of 63 bits; int() of millions of digits would take long.
    if len(text) > 20 or abs(value := int(text)) > MAX_INTEGER:
        raise ValueError(f"{text[:20]} is too large an integer")
    return value
