"""Rules from a TOML or JSON file, strict about names and types."""

import dataclasses
import tomllib
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from pocketrec_runtime.bundle.strict_json import parse
from pocketrec_runtime.errors import BundleFormatError, InputError
from pocketrec_runtime.rules.settings import (
    Boost,
    CalibratedShares,
    Cap,
    Deny,
    Diversity,
    ExposureLimit,
    Pin,
    Quota,
    Rules,
)

_Part = TypeVar("_Part")

_TABLES: Mapping[str, type] = {
    "deny": Deny,
    "diversity": Diversity,
    "calibration": CalibratedShares,
    "exposure": ExposureLimit,
}
# Section of the file -> field of Rules, kind; several of each may stand in a file.
_LISTS: Mapping[str, tuple[str, type]] = {
    "pin": ("pins", Pin),
    "boost": ("boosts", Boost),
    "cap": ("caps", Cap),
    "quota": ("quotas", Quota),
}
_MAX_FILE_BYTES = 16 * 1024**2


def load_rules(path: str | PathLike[str]) -> Rules:
    """Rules of a file: TOML, or JSON where its name ends in ".json".

    Raises:
        InputError: The file is not UTF-8 TOML or JSON, holds an unknown key, or a value that the
            rule refuses; the message names the section.
        OSError: The file cannot be read.
    """
    path = Path(path)
    if path.stat().st_size > _MAX_FILE_BYTES:
        raise InputError(f"{path} has {path.stat().st_size} bytes; at most {_MAX_FILE_BYTES}")
    data = path.read_bytes()
    try:
        document = _parsed(path, data)
        return rules_from_mapping(document)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def rules_from_mapping(document: Mapping[str, Any]) -> Rules:
    """Rules that nested plain values describe, as they stand in a file.

    Raises:
        InputError: An unknown key, or a value that the rule refuses.
    """
    known = ["pool_factor", *_TABLES, *_LISTS]
    fields: dict[str, Any] = {}
    for key, value in document.items():
        if key == "pool_factor":
            fields[key] = value
        elif key in _TABLES:
            fields[key] = _part(_TABLES[key], value, f"[{key}]")
        elif key in _LISTS:
            name, kind = _LISTS[key]
            fields[name] = _parts(kind, value, key)
        else:
            raise InputError(f"no rule {key!r}; known: {', '.join(known)}")
    return Rules(**fields)


def _parts(kind: type[_Part], values: object, key: str) -> tuple[_Part, ...]:
    if not isinstance(values, list):
        raise InputError(f"{key} is {values!r}; write it as [[{key}]], a list of tables")
    return tuple(
        _part(kind, value, f"[[{key}]] {place}") for place, value in enumerate(values, start=1)
    )


def _part(kind: Callable[..., _Part], values: object, name: str) -> _Part:
    if not isinstance(values, Mapping):
        raise InputError(f"{name} is {values!r}; write it as a table")
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    known = [field.name for field in fields]
    for key in values:
        if key not in known:
            raise InputError(f"{name} has no setting {key!r}; known: {', '.join(known)}")
    for field in fields:
        required = field.default is field.default_factory is dataclasses.MISSING
        if required and field.name not in values:
            raise InputError(f"{name} lacks {field.name!r}")
    for table in ("attributes", "target"):
        if not isinstance(values.get(table, {}), Mapping):
            raise InputError(f"{name} {table} is {values[table]!r}; write it as a table")
    return kind(**values)


def _parsed(path: Path, data: bytes) -> Mapping[str, Any]:
    if path.suffix.lower() == ".json":
        try:
            document = parse(data, path.name)
        except BundleFormatError as error:  # the same strict JSON, in a file that is no bundle's
            raise InputError(str(error)) from error
        if not isinstance(document, Mapping):
            raise InputError("not an object; write { ... }")
        return document
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not UTF-8 TOML ({error})") from error
