"""Item text for the language model: one template per catalogue."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter

from pocketrec_distill.errors import ConfigError

# Long descriptions cost time and say little more; one value keeps its first characters only.
MAX_VALUE_CHARACTERS = 600

_TAGS = (
    "a|abbr|article|b|big|blockquote|body|br|caption|center|code|dd|div|dl|dt|em|figure|font|footer"
    "|form|h[1-6]|head|header|hr|html|i|iframe|img|input|label|li|link|main|meta|nav|ol|p|pre|s"
    "|script|section|small|span|strike|strong|style|sub|sup|table|tbody|td|tfoot|th|thead|tr|tt|u"
    "|ul|video|wbr"
)
# Tags of HTML alone: `<3`, `a < b > c` and the song `<Untitled>` are text.
_MARKUP = re.compile(
    rf"</?(?:{_TAGS})(?:\s[^<>]{{0,2000}})?/?>|<!--.*?-->|[\x00-\x1f\x7f]|[\ud800-\udfff]",
    re.IGNORECASE | re.DOTALL,
)
# With the semicolon: `AT&T` and an address's `&copy=2` are none.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
# A table that was escaped twice holds `&amp;quot;`.
_ESCAPED_TIMES = 2
# What is left of a list that a table wrote as text, and perhaps cut; whole ones are unpacked on
# reading.
_LIST_START = re.compile(r"\[\s*['\"]\s*")
_LIST_END = re.compile(r"\s*['\"]\s*\]$")
_BETWEEN_PARTS = re.compile(r"['\"],\s+['\"]")
_SPACES = re.compile(r"\s+")
_ADDRESS = re.compile(
    r"\s*(?:(?:https?:)?//[^\s/]\S*|data:[\w/+.-]*[;,]\S*)\s*", re.IGNORECASE | re.ASCII
)


def clean_value(value: object) -> str:
    """Readable text of one table value: lists joined by commas, markup and control characters out.

    HTML's entities are the characters that they stand for. A missing value gives the empty string.
    Lone surrogates, which no tokenizer takes, are removed.
    """
    if value is None or value != value:  # noqa: PLR0124  (NaN is the value unequal to itself)
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(filter(None, map(clean_value, value)))
    text = str(value)
    for _ in range(_ESCAPED_TIMES):
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    text = _SPACES.sub(" ", _MARKUP.sub(" ", text)).strip()
    if start := _LIST_START.match(text):
        parts = _BETWEEN_PARTS.split(_LIST_END.sub("", text[start.end() :]))
        text = ", ".join(part.strip() for part in parts if part.strip())
    return text[:MAX_VALUE_CHARACTERS].strip()


def is_address(value: object) -> bool:
    """Whether a table's value is a URL (`https:`, `//host/path`, `data:`), or a list of some.

    It leads to a picture or a page, and says nothing that a language model could read.
    """
    if isinstance(value, (list, tuple)):
        there = [part for part in value if clean_value(part)]
        return bool(there) and all(map(is_address, there))
    return isinstance(value, str) and _ADDRESS.fullmatch(value) is not None


@dataclass(frozen=True)
class TextTemplate:
    """A format string over item columns, such as `"{title} ({release_year}). Genres: {class}"`.

    Attributes:
        template: Literal text and `{column}` fields. The empty string builds the template from
            all the columns: the title first, then `name: value` for every column with a value
            that is no URL.
    """

    template: str = ""

    def fields(self) -> tuple[str, ...]:
        """Columns that the template names, in order.

        Raises:
            ConfigError: The template is no format string, has formatting beyond plain names, or
                names no column, so that all items would read the same.
        """
        names = tuple(name for _, name in self._parts() if name is not None)
        if self.template and not names:
            raise ConfigError(
                f"text template {self.template!r} names no column; write one such as {{title}}"
            )
        return names

    def _parts(self) -> list[tuple[str, str | None]]:
        """Literal text and the column that follows it, if any."""
        try:
            parsed = list(Formatter().parse(self.template))
        except ValueError as error:
            raise ConfigError(f"text template {self.template!r}: {error}") from error
        for _, name, form, conversion in parsed:
            plain = name is None or name.replace("_", "a").replace(" ", "a").isalnum()
            if not plain or form or conversion:
                raise ConfigError(
                    f"text template {self.template!r}: fields are plain column names such as "
                    "{title}"
                )
        return [(literal, name) for literal, name, _, _ in parsed]

    def render(self, item_ids: Sequence[str], columns: Mapping[str, Sequence[object]]) -> list[str]:
        """One text per item, in the order of `item_ids`.

        An item without any value is described by its id, so that no text is empty.

        Raises:
            ConfigError: The template names a column that the catalogue does not have.
        """
        names = self.fields() or tuple(sorted(columns, key=lambda name: name != "title"))
        missing = [name for name in names if name not in columns]
        if missing:
            raise ConfigError(
                f"text template names column {missing[0]!r}, which is not among "
                f"{', '.join(columns) or 'no columns'}; change [text] template"
            )
        parts, texts = self._parts(), []
        for row, item_id in enumerate(item_ids):
            values = {name: self._value(name, columns[name][row]) for name in names}
            if not any(values.values()):
                texts.append(item_id)
            elif self.template:
                texts.append("".join(text + (values[n] if n else "") for text, n in parts))
            else:
                texts.append(_joined(values))
        return texts

    def _value(self, name: str, value: object) -> str:
        """Text of one value; a URL has none, unless its column was asked for or is the title."""
        # By value, not by column: a new item must read as it would in the whole catalogue.
        if not self.template and name != "title" and is_address(value):
            return ""
        return clean_value(value)


def _joined(values: Mapping[str, str]) -> str:
    """`title. name: value. ...` over the values that are there."""
    parts = [
        value if name == "title" else f"{name.replace('_', ' ')}: {value}"
        for name, value in values.items()
        if value
    ]
    return ". ".join(parts)
