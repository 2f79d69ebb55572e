"""Amazon Reviews as JSON lines: 2018 (Ni, Li and McAuley, 2019), 2023 (Hou et al., 2024), 2014.

Reviews and metadata are two files, `Office_Products_5.json.gz` and `meta_Office_Products.json.gz`.
The text of reviews is never read: it would tell what the user thought of the item.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pocketrec_distill.data.columns import listed
from pocketrec_distill.data.formats.published import Published
from pocketrec_distill.data.json_objects import objects
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.tables import arrow
from pocketrec_distill.errors import DataError

ENDINGS = (".json", ".json.gz", ".jsonl", ".jsonl.gz")
_META = "meta_"
_REVIEW = ("user_id", "item_id", "rating", "timestamp")
# Deeper categories first say what an item is; the first is the department.
_MOST_CATEGORIES = 8
# Rows of 2018 whose page was misread: `var aPageStart = (new Date()).getTime();` and more of it.
_SCRIPT = re.compile(r"\s*var \w+ ?= ?.*getTime\(\)", re.DOTALL)


@dataclass(frozen=True)
class _Edition:
    """Names of one edition: of the review's fields, the item's id and brand."""

    review: tuple[str, str, str, str]
    item: str
    brand: str


_EDITIONS = {
    "amazon-2018": _Edition(("reviewerID", "asin", "overall", "unixReviewTime"), "asin", "brand"),
    "amazon-2023": _Edition(
        ("user_id", "parent_asin", "rating", "timestamp"), "parent_asin", "store"
    ),
}


def amazon_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files of reviews, and files of metadata, by their names."""
    names = [path for path in sorted(folder.iterdir()) if path.name.lower().endswith(ENDINGS)]
    meta = [path for path in names if path.name.lower().startswith(_META)]
    return [path for path in names if path not in meta], meta


def first_fields(path: Path) -> list[str]:
    """Names of the fields of a file's first object.

    Raises:
        DataError: It begins with no JSON object.
    """
    return next((list(found) for _, found in objects(path, errors="replace")), [])


def holds_reviews(folder: Path) -> bool:
    """Whether a file begins with a review of an edition; other JSON has the same endings."""
    for path in amazon_files(folder)[0]:
        try:
            fields = set(first_fields(path))
        except (DataError, OSError):
            continue  # not Amazon's then; who names the format is told
        if any(set(edition.review) <= fields for edition in _EDITIONS.values()):
            return True
    return False


def amazon(folder: Path, settings: DataSettings) -> Published:
    """Reviews of one category, and its metadata where it is there.

    Raises:
        DataError: Not one file of reviews and at most one of metadata, or a line that is no JSON
            object with the fields of an edition.
    """
    reviews, meta = amazon_files(folder)
    if len(reviews) != 1 or len(meta) > 1:
        raise DataError(
            f"{str(folder)!r} holds {len(reviews)} files of reviews "
            f"({listed([path.name for path in reviews]) or 'none'}) and {len(meta)} of metadata; "
            "give a folder with NAME.json.gz (or .jsonl.gz) and meta_NAME.json.gz of one category"
        )
    edition, table = _reviews(reviews[0])
    notes = []
    items = None
    if meta:
        reviewed = frozenset(table.column("item_id").to_pylist())
        items, left_out, scripts = _items(meta[0], _EDITIONS[edition], reviewed)
        if left_out:
            notes.append(f"{meta[0].name}: {left_out:,} items without a review are left out")
        if scripts:
            notes.append(f"{meta[0].name}: {scripts:,} titles are a page's script, so none")
    else:
        notes.append(f"no meta_*.json.gz beside {reviews[0].name}: items have no text but their id")
    columns = replace(settings, user="user_id", item="item_id", rating="rating", time="timestamp",
                      item_id="item_id", title="title")  # fmt: skip
    return Published(edition, table, items, columns, notes=tuple(notes))


def _reviews(path: Path) -> tuple[str, Any]:
    """The edition, told by the first review, and the table of reviews as text."""
    edition = ""
    columns: tuple[list[str | None], ...] = ([], [], [], [])
    for number, review in objects(path, errors="replace"):
        edition = edition or _edition(path, review)
        fields = _EDITIONS[edition].review
        if missing := [name for name in fields if name not in review]:
            raise DataError(
                f"{path.name}, line {number}: no {missing[0]}; {edition} has {', '.join(fields)}"
            )
        for column, name in zip(columns, fields, strict=True):
            column.append(None if review[name] is None else str(review[name]))
    if not edition:
        raise DataError(f"{path.name} is empty; it holds one review in each line")
    pa = arrow()
    return edition, pa.table(
        {name: pa.array(values, pa.string()) for name, values in zip(_REVIEW, columns, strict=True)}
    )


def _edition(path: Path, review: Mapping[str, Any]) -> str:
    for name, edition in _EDITIONS.items():
        if set(edition.review) <= set(review):
            return name
    wanted = " or ".join(", ".join(edition.review) for edition in _EDITIONS.values())
    raise DataError(f"{path.name}: a review holds {listed(list(review))}; wanted are {wanted}")


def _items(path: Path, edition: _Edition, reviewed: frozenset[str]) -> tuple[Any, int, int]:
    """Title, brand, categories and description of the reviewed items.

    Returns:
        The table, how many other items there are, and how many titles were a page's script.
    """
    found: dict[str, tuple[str | None, str | None, list[str], list[str]]] = {}
    others = scripts = 0
    for number, item in objects(path, errors="replace"):
        key = item.get(edition.item, item.get("asin"))
        if not isinstance(key, str) or not key:
            raise DataError(f"{path.name}, line {number}: no {edition.item}")
        if key not in reviewed:
            others += 1
            continue
        if key in found:
            continue
        categories = _texts(item.get("categories", item.get("category")))
        described = _texts(item.get("description"))
        title, brand = (_texts(item.get(name)) for name in ("title", edition.brand))
        if title and _SCRIPT.match(title[0]):
            title, scripts = [], scripts + 1
        found[key] = (_first(title), _first(brand), categories, described)
    if not found:
        raise DataError(f"{path.name} describes none of the reviewed items; is it their category?")
    pa = arrow()
    texts, lists = pa.string(), pa.list_(pa.string())
    titles, brands, all_categories, descriptions = zip(*found.values(), strict=True)
    table = pa.table(
        {
            "item_id": pa.array(list(found), texts),
            "title": pa.array(titles, texts),
            "brand": pa.array(brands, texts),
            "categories": pa.array([c[:_MOST_CATEGORIES] for c in all_categories], lists),
            "description": pa.array(descriptions, lists),
        }
    )
    return table, others, scripts


def _texts(value: object) -> list[str]:
    """Texts of a field that holds one, several, or (2014) lists of them; each once."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    if not isinstance(value, Sequence):
        return []
    flat = [text for part in value for text in _texts(part)]
    return list(dict.fromkeys(flat))


def _first(texts: Sequence[str]) -> str | None:
    return texts[0] if texts else None
