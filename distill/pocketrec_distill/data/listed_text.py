"""Lists that a table holds as text, as data frames, databases and JSON spell them."""

import ast
import csv
import json
import re
import warnings
from collections.abc import Sequence

# One part of a list and what follows it: a comma, or space, which NumPy writes.
_PART = re.compile(
    r"""\s*+(?:(?P<text>[uU]?(?:'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+"))"""
    r"""|(?:nan|NaN|None|null|NULL))"""
    r"""(?:\s*+,|\s++(?=['"])|\s*+$)""",
    re.DOTALL,
)
# An array of PostgreSQL; `{a: 1}` and nested ones are something else.
_ARRAY = re.compile(r"\{[^{}:]*\}")
# Fields by which a list of records names its parts.
_NAMES = ("name", "title")
# A vector, as Python or NumPy writes it; `[1, 2]` may be codes.
_NUMBER = r"[+-]?(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d++)?+"
_VECTOR = re.compile(rf"\[\s*+{_NUMBER}(?:\s*+,\s*+{_NUMBER}|\s++(?:{_NUMBER}|\.\.\.))++\s*+\]")


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
    texts = [part for part in map(named, parts) if part is None or isinstance(part, str)]
    return texts if len(texts) == len(parts) else None


def is_vector(text: str) -> bool:
    """Whether text spells a vector of floats, such as `[0.25, -1.5]` or NumPy's `[0.25 -1.5]`."""
    return "." in text and _VECTOR.fullmatch(text) is not None


def _value(text: str) -> object:
    """What a list spells in JSON or Python; None where it spells nothing."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    # Before Python reads it: neighbouring texts are one to Python, and two to NumPy.
    if (parts := _texts(text[1:-1])) is not None:
        return parts
    return python_value(text) if text.startswith("[{") else None


def _texts(inside: str) -> list[str | None] | None:
    """Parts of a list of quoted texts and missing ones, between its brackets."""
    parts, place = [], 0
    while place < len(inside.rstrip()):
        found = _PART.match(inside, place)
        value = python_value(found["text"]) if found and found["text"] else None
        if not found or (found["text"] and not isinstance(value, str)):
            return None
        parts.append(value if isinstance(value, str) else None)
        place = found.end()
    return parts


def python_value(text: str) -> object:
    """The value that text spells in Python; None where it spells none."""
    try:
        with warnings.catch_warnings():  # an odd backslash in the text is no concern of ours
            warnings.simplefilter("ignore")
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def named(part: object) -> object:
    """The name of a part of a list that is a record with one; any other part as it is."""
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
