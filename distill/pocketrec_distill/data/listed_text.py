"""Lists that a table holds as text, as data frames, databases and JSON spell them."""

import ast
import csv
import json
import re
import warnings
from collections.abc import Sequence

# A list of NumPy has no commas: `['A' 'B']`, one part to a line where it is long.
_NO_COMMA = re.compile(r"(?<=['\"])\s+(?=['\"])")
# What stands for a missing part in JSON and in a data frame.
_MISSING_PART = re.compile(r"(?<=[\[,])\s*(?:nan|NaN|null|NULL)\s*(?=[,\]])")
# An array of PostgreSQL; `{a: 1}` and nested ones are something else.
_ARRAY = re.compile(r"\{[^{}:]*\}")
# Fields by which a list of records names its parts.
_NAMES = ("name", "title")


def spelt_list(text: str) -> list[str | None] | None:
    """The parts of a list of texts that `text` spells as a whole; None where it spells none.

    JSON's and Python's lists, NumPy's (`['A' 'B']`), PostgreSQL's arrays (`{A,"B c"}`), and lists
    of records with a name (`[{'id': 16, 'name': 'Animation'}]`). Missing parts are None.
    """
    if _ARRAY.fullmatch(text):
        return _array(text[1:-1])
    if not (text.startswith("[") and text.endswith("]")):
        return None
    parts = _value(text)
    if not isinstance(parts, list):
        return None
    named = [part for part in map(_named, parts) if part is None or isinstance(part, str)]
    return named if len(named) == len(parts) else None


def _value(text: str) -> object:
    """What text spells in JSON or Python; None where it spells nothing."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    text = _MISSING_PART.sub(" None", _NO_COMMA.sub(", ", text))
    try:
        with warnings.catch_warnings():  # an odd backslash in the text is no concern of ours
            warnings.simplefilter("ignore")
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _named(part: object) -> object:
    """The name of a record; any other part as it is."""
    if not isinstance(part, dict):
        return part
    return next((part[name] for name in _NAMES if isinstance(part.get(name), str)), part)


def _array(inside: str) -> list[str | None] | None:
    """Parts of a PostgreSQL array, between its braces."""
    lines: Sequence[list[str]]
    try:
        lines = list(csv.reader([inside], escapechar="\\", doublequote=False, strict=True))
    except csv.Error:
        return None
    if len(lines) != 1:
        return [] if not inside else None
    return [None if part == "NULL" else part for part in lines[0]]
