"""Builds HTML from elements, so that text from data can never become markup."""

import html
import re
from typing import Self

# Control characters and lone surrogates have no place in HTML; a page shows that one stood there.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_VOID = frozenset({"meta", "rect", "line", "circle", "polyline"})


class Markup(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()

    def __add__(self, other: str) -> Self:
        return type(self)(str(self) + escape(other))


def escape(text: str) -> Markup:
    """`text` as HTML: markup as it stands, anything else with its special characters escaped."""
    if isinstance(text, Markup):
        return text
    return Markup(html.escape(_UNPRINTABLE.sub("\ufffd", text)))


def join(*parts: str) -> Markup:
    """The parts one after another, each escaped unless it is markup."""
    return Markup("".join(escape(part) for part in parts))


def element(name: str, /, *children: str, **attributes: str | int | float) -> Markup:
    """One element; in attribute names a trailing `_` is dropped and `_` stands for `-`.

    >>> element("td", "a < b", class_="name", aria_label="x")
    '<td class="name" aria-label="x">a &lt; b</td>'
    """
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Markup(f"<{name}{named}/>")
    return Markup(f"<{name}{named}>{join(*children)}</{name}>")


def table(head: list[str], rows: list[Markup], *, caption: str, class_: str = "") -> Markup:
    """A table with column headings, a caption for screen readers, and ready-made `tr` rows."""
    headings = join(*(element("th", c, scope="col") if c else element("td") for c in head))
    inner = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", headings)),
        element("tbody", *rows),
        class_=class_,
    )
    # A wide table scrolls inside its own box; the keyboard can reach it.
    return element("div", inner, class_="scroll", tabindex=0, role="group", aria_label=caption)


def row(name: str, *cells: str, class_: str = "") -> Markup:
    """A table row: a heading cell, then data cells."""
    data = join(*(element("td", cell) for cell in cells))
    return element("tr", element("th", name, scope="row"), data, class_=class_)
