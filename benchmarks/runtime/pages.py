"""Figures into a page of documentation, between two marks."""

from pathlib import Path


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
