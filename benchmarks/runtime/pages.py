"""Figures into a page of documentation, between two marks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def put_between(page: Path, begin: str, end: str, text: str) -> None:
    """Replace what stands between the lines `begin` and `end` of a page.

    Raises:
        ValueError: The page lacks a mark; it stays as it was.
    """
    head, start, rest = page.read_text(encoding="utf-8").partition(f"{begin}\n")
    _, stop, tail = rest.partition(end)
    if not start or not stop:
        raise ValueError(f"{page} lacks {begin} and {end}")
    page.write_text(f"{head}{start}\n{text}\n\n{stop}{tail}", encoding="utf-8")


def put_named(page: Path, name: str, text: str) -> None:
    """`put_between` the marks of a name, `<!-- name -->` and `<!-- end name -->`."""
    put_between(page, f"<!-- {name} -->", f"<!-- end {name} -->", text)


def cell(found: Mapping[str, Any], decimals: int = 4, *, sign: bool = False) -> str:
    """A value with its 95% interval, from `Interval.as_dict`."""
    form = f"{'+' if sign else ''}.{decimals}f"
    low, high = found["ci95"]
    return f"{found['value']:{form}} ({low:{form}} to {high:{form}})"
