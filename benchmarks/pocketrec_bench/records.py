"""Frozen dataclasses to JSON and back, strictly: every key, no other key, every type.

Fields may be str, int, float, bool, None, a Literal, another such dataclass, `tuple[X, ...]`,
`dict[str, X]`, or a union of one of those with None. A float accepts a JSON integer; a bool is
never an integer; NaN and infinity are refused both ways.
"""

import dataclasses
import json
import math
import types
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from pocketrec_bench.errors import ResultFormatError
from pocketrec_runtime.bundle import strict_json
from pocketrec_runtime.errors import BundleFormatError

_Record = TypeVar("_Record")


def to_values(record: object) -> Any:
    """The JSON values of a dataclass: objects in the order of their fields, tuples as lists."""
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return {
            field.name: to_values(getattr(record, field.name))
            for field in dataclasses.fields(record)
        }
    if isinstance(record, tuple | list):
        return [to_values(value) for value in record]
    if isinstance(record, dict):
        return {key: to_values(value) for key, value in record.items()}
    return record


def from_values(kind: type[_Record], values: object, name: str = "record") -> _Record:
    """The dataclass that `to_values` described.

    Args:
        kind: The dataclass.
        values: Parsed JSON.
        name: What it is, for messages; the path to the wrong key is added.

    Raises:
        ResultFormatError: A key is missing, unknown, or of another type; or the dataclass itself
            refuses its values.
    """
    if not isinstance(values, dict):
        _wrong(name, values, "an object")
    hints = get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in names:
        if key not in values:
            raise ResultFormatError(f"{name} lacks {key!r}")
    for key in values:
        if key not in names:
            raise ResultFormatError(f"{name} has {key!r}, which this version does not know")
    try:
        return kind(**{key: _value(hints[key], values[key], f"{name}.{key}") for key in names})
    except ValueError as error:
        raise ResultFormatError(f"{name}: {error}") from error


def parse(text: str | bytes, name: str) -> Any:
    """The value of a JSON text.

    Raises:
        ResultFormatError: No JSON as `strict_json` reads it.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        return strict_json.parse(data, name)
    except BundleFormatError as error:
        raise ResultFormatError(str(error)) from error


def dump(values: object, indent: int | None = None) -> str:
    """JSON text of parsed values, keys in their order, without a newline at its end.

    Raises:
        ResultFormatError: NaN, infinity, or something that is no JSON value.
    """
    try:
        return json.dumps(values, indent=indent, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise ResultFormatError(f"the result cannot be written as JSON: {error}") from error


def _value(hint: Any, value: Any, name: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in get_args(hint):
            return None
        [hint] = [part for part in get_args(hint) if part is not type(None)]
        return _value(hint, value, name)
    if origin is Literal:
        if value not in get_args(hint) or not isinstance(value, str):
            _wrong(name, value, f"one of {', '.join(map(str, get_args(hint)))}")
        return value
    if origin is tuple:
        return _tuple(hint, value, name)
    if origin is dict:
        return _dict(hint, value, name)
    return _plain(hint, value, name)


def _dict(hint: Any, value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _wrong(name, value, "an object")
    kind = get_args(hint)[1]
    return {key: _value(kind, each, f"{name}.{key}") for key, each in value.items()}


def _tuple(hint: Any, value: Any, name: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        _wrong(name, value, "a list")
    kind = get_args(hint)[0]
    return tuple(_value(kind, each, f"{name}[{place}]") for place, each in enumerate(value))


def _plain(hint: Any, value: Any, name: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_values(hint, value, name)
    if hint is float and type(value) in (int, float):
        if not math.isfinite(value):
            _wrong(name, value, "a finite number")
        return float(value)
    if hint not in (str, int, bool) or type(value) is not hint:
        _wrong(
            name,
            value,
            {str: "a string", int: "an integer", bool: "true or false"}.get(hint, "a number"),
        )
    return value


def _wrong(name: str, value: object, expected: str) -> NoReturn:
    raise ResultFormatError(f"{name} is {repr(value)[:60]}; it must be {expected}")
