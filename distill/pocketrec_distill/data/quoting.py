r"""Quotes in delimited text that a backslash escapes, as MySQL writes them: `"the \"Bar\""`.

RFC 4180 doubles a quote within quotes. Arrow's reader takes a backslash for a character as any
other then, and what follows the quote after it as more of the value; its own escapes would also
hold outside of quotes, where `\N` is MySQL's word for a missing value.
"""

import re
from collections.abc import Sequence
from typing import Any

# A backslash and a quote in an encoding of one byte, or of two (UTF-16) in either order.
_SIGNS = (b'\\"', b'\\\0"')
_UNESCAPED = re.compile(r"\\([\\\"]|\r\n|\r|\n)|\"(\")")


class QuoteWatch:
    """A stream of bytes that notes whether a backslash before a quote has passed by.

    Attributes:
        seen: Whether one has.
    """

    closed = False

    def __init__(self, stream: Any) -> None:
        self.seen = False
        self._stream, self._last = stream, b""

    def read(self, size: int = -1) -> bytes:
        """The next bytes, looked at."""
        block: bytes = self._stream.read(size)
        seam = self._last + block[:2]
        self.seen = self.seen or any(sign in block or sign in seam for sign in _SIGNS)
        self._last = block[-2:]
        return block


def rows(text: str, delimiter: str, width: int, *, escaped: bool) -> list[list[str]] | int:
    """Values of each row of delimited text; blank lines are passed over.

    Args:
        text: The whole text, its header too.
        delimiter: One character.
        width: Values of each row.
        escaped: Whether a backslash within quotes escapes a quote, a backslash or a line end; a
            doubled quote is one either way.

    Returns:
        The rows, or the number of the line in which this way of reading fails: a quote within
        quotes that is not told from their end, one that never closes, or a row of another width.
    """
    value = _pattern(delimiter, escaped)
    found: list[list[str]] = []
    row: list[str] = []
    place = begin = 0
    while place < len(text):
        part = value.match(text, place)
        if part is None:
            return text.count("\n", 0, place) + 1
        quoted = part["quoted"]
        row.append(part["bare"] if quoted is None else _plain(quoted, escaped))
        place = part.end()
        # A delimiter that ends the text has an empty value after it.
        if part["end"] == delimiter and place < len(text):
            continue
        if part["end"] == delimiter:
            row.append("")
        blank = row == [""] and quoted is None
        if len(row) == width and not blank:
            found.append(row)
        elif not blank:
            return text.count("\n", 0, begin) + 1
        row, begin = [], place
    return found


def _pattern(delimiter: str, escaped: bool) -> re.Pattern[str]:
    """One value and what ends it. Nothing in it is tried twice, whatever the text."""
    end = re.escape(delimiter)
    inside = r"[^\"\\]|\\.|\"\"" if escaped else r"[^\"]|\"\""
    return re.compile(
        rf"(?:\"(?P<quoted>(?:{inside})*+)\"|(?P<bare>(?!\")[^{end}\r\n]*+))"
        rf"(?P<end>{end}|\r\n|\r|\n|\Z)",
        re.DOTALL,
    )


def _plain(quoted: str, escaped: bool) -> str:
    """What stands between quotes, without the signs that escape."""
    if not escaped:
        return quoted.replace('""', '"')
    return _UNESCAPED.sub(lambda found: found[1] or found[2], quoted)


def header_quoted(line: str, delimiter: str) -> bool:
    """Whether all names of a first line are in quotes."""
    names: Sequence[str] = line.split(delimiter)
    return all(len(name) > 1 and name[0] == name[-1] == '"' for name in names)
