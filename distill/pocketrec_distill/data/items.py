"""The items table: ids and columns of values, in one order."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.data.columns import find_column, is_nameless, plain_name, title_names
from pocketrec_distill.data.listed_text import is_vector, spelt_list
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.tables import RECBOLE_TYPE, arrow
from pocketrec_distill.data.values import NO_VALUE, Codes, as_text, encode_ids
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

Value = str | tuple[str, ...] | None
Rows = NDArray[np.int64]

# Longer text that looks like a list stays text: parsing it could take any amount of memory.
MAX_LIST_CHARACTERS = 100_000
# Parts of `A|B|C` are words; longer ones are prose with a bar in it.
MAX_PART_CHARACTERS = 60
# A column with more words in it holds names or prose.
MAX_TAGS = 100
_SHOWN_IDS = 3


@dataclass(frozen=True)
class ItemTable:
    """What is known of each item.

    Attributes:
        item_ids: Unique ids.
        columns: Column name -> one value per item: text, several texts, or None. "title" is
            always there.
    """

    item_ids: tuple[str, ...]
    columns: Mapping[str, Sequence[Value]]

    def __post_init__(self) -> None:
        if len(set(self.item_ids)) != len(self.item_ids):
            raise DataError("the items table holds an id twice; ids are unique")
        if "title" not in self.columns:
            raise DataError("the items have no column 'title'; give None where there is none")
        for name, values in self.columns.items():
            if len(values) != len(self.item_ids):
                raise DataError(
                    f"item column {name!r} has {len(values)} values for {len(self.item_ids)} items"
                )

    def extended(self, item_ids: Sequence[str]) -> "ItemTable":
        """The table with the ids it lacks added at its end, without any value."""
        known = set(self.item_ids)
        more = tuple(item for item in dict.fromkeys(item_ids) if item not in known)
        blank = (None,) * len(more)
        columns = {name: (*values, *blank) for name, values in self.columns.items()}
        return ItemTable(self.item_ids + more, columns)

    def selected(self, item_ids: Sequence[str]) -> "ItemTable":
        """The rows of these ids, in their order; each must be there."""
        place = {item: row for row, item in enumerate(self.item_ids)}
        rows = [place[item] for item in item_ids]
        columns = {name: [values[row] for row in rows] for name, values in self.columns.items()}
        return ItemTable(tuple(item_ids), columns)


def item_table(table: "pa.Table", settings: DataSettings) -> tuple[ItemTable, int]:
    """The items of a raw table; the first row of an id counts.

    Returns:
        The items, and the number of rows left out for a missing, unusable or repeated id.

    Raises:
        DataError: No item id column, or no usable row.
    """
    names = table.column_names
    id_column, title_column = item_columns(table, settings)
    codes = encode_ids(table, id_column)
    rows = first_rows(codes)
    if not len(rows):
        raise DataError(f"the items table has no usable id in column {id_column!r}")
    ids = tuple(codes.ids[code] for code in codes.values[rows].tolist())
    columns: dict[str, Sequence[Value]] = {"title": (None,) * len(rows)}
    if title_column is not None:
        columns["title"] = tuple(map(_title, _listed(table, title_column, rows)))
    for name in names:
        if name in (id_column, title_column) or is_nameless(name):
            continue
        if _holds_words(table.schema.field(name).type):
            # A column called "title" that is not the chosen one must not replace it.
            columns["other title" if name == "title" else name] = _values(table, name, rows)
    return ItemTable(ids, columns), table.num_rows - len(rows)


def item_columns(table: "pa.Table", settings: DataSettings) -> tuple[str, str | None]:
    """The columns of ids and of titles in an items table; None where it has no title.

    Raises:
        DataError: No item id column, or a chosen column that does not exist.
    """
    names = table.column_names
    id_column = find_column("item_id", settings.item_id, names, required=True)
    assert id_column is not None  # noqa: S101  (required)
    wordless = {field.name for field in table.schema if not _holds_words(field.type)}
    title_column = find_column(
        "title",
        settings.title,
        names,
        required=False,
        taken={id_column} | wordless,
        wanted=title_names(id_column),
    )
    if title_column is None and not settings.title:
        title_column = _only_title(names, wordless)
    return id_column, title_column


def _only_title(names: Sequence[str], wordless: Container[str]) -> str | None:
    """The one column that is called somebody's title, such as `book_title`; None for several."""
    free = [name for name in names if name not in wordless]
    found = [name for name in free if plain_name(name).endswith("title")]
    return found[0] if len(found) == 1 else None


def on_unlisted(chosen: Sequence[str], listed: Sequence[str], where: str) -> str:
    """What an account says of items that the items table lacks; nothing where it has them all.

    Args:
        chosen: Ids that interactions or impressions name.
        listed: Ids of the items table.
        where: "interactions" or "impressions".

    Raises:
        DataError: It lacks every one of them: ids are written in two ways.
    """
    there = set(listed)
    unlisted = [item for item in chosen if item not in there]
    if not unlisted:
        return ""
    if len(unlisted) == len(chosen):
        shown, known = (
            ", ".join(f'"{item[:40]}"' for item in ids[:_SHOWN_IDS]) for ids in (unlisted, listed)
        )
        raise DataError(
            f"none of the {len(chosen):,} items of the {where} stands in the items table: "
            f"there are {shown} here and {known} there; write ids alike in both, or name the right "
            'columns: [data] item = "...", item_id = "..."'
        )
    return (
        f"{len(unlisted):,} of {len(chosen):,} items stand in {where} only, such as "
        f"{unlisted[0][:40]!r}; their id is their text"
    )


def first_rows(codes: Codes) -> Rows:
    """First row of each usable id, in the order of the table."""
    rows = np.flatnonzero((codes.values >= 0) & codes.usable())
    _, first = np.unique(codes.values[rows], return_index=True)
    found: Rows = rows[np.sort(first)]
    return found


def _holds_words(kind: "pa.DataType") -> bool:
    """Whether a column of this Arrow type can describe an item: flat, or a list of texts or codes.

    Structures, maps, raw bytes and vectors of floats describe nothing that a reader could read.
    """
    types = arrow().types
    if types.is_dictionary(kind):
        kind = kind.value_type
    if any(test(kind) for test in (types.is_list, types.is_large_list, types.is_fixed_size_list)):
        inner = kind.value_type
        return not (types.is_nested(inner) or types.is_floating(inner) or types.is_binary(inner))
    raw = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
    return not (types.is_nested(kind) or any(test(kind) for test in raw))


def _listed(table: "pa.Table", name: str, rows: Rows) -> list[Any]:
    """Python values of some rows of a column; numbers, dates and the like as text."""
    column = table[name].take(arrow().array(rows))
    if arrow().types.is_nested(column.type):
        return list(column.to_pylist())
    return list(as_text(arrow().table({name: column}), name).to_pylist())


def _title(value: object) -> str | None:
    """A title as one text, whatever the column holds."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value))) or None
    return _text(value)


def _text(value: object) -> str | None:
    """Text without space around it; None where it is missing, or a word for that."""
    text = "" if value is None else str(value).strip()
    return None if text in NO_VALUE else text


def _values(table: "pa.Table", name: str, rows: Rows) -> tuple[Value, ...]:
    """Values of some rows: text, or several texts where the column holds lists."""
    texts = _listed(table, name, rows)
    if (table.schema.field(name).metadata or {}).get(RECBOLE_TYPE, b"") == b"token_seq":
        return _sequences([_text(value) for value in texts])
    if _is_parted(texts, "|"):
        return tuple(_parts(_text(value), "|") for value in texts)
    return tuple(map(_unpacked, texts))


def _sequences(texts: Sequence[str | None]) -> tuple[Value, ...]:
    """Values of RecBole's `token_seq`: lists, or the plain text that stands in such columns too.

    Python's lists may lack their brackets (`'A', 'B C'`). Others are parted by `|` or ", ", or by
    spaces where their words are tags.
    """
    spelt = [None if text is None else _spelt(text, f"[{text}]") for text in texts]
    rest = [text for text, parts in zip(texts, spelt, strict=True) if text and parts is None]
    marks = [mark for mark in ("|", ", ") if _is_parted(rest, mark)]
    mark = marks[0] if marks else " " if _are_tags(rest) else ""
    return tuple(
        _parts(text, mark) if parts is None else _cleaned(parts)
        for text, parts in zip(texts, spelt, strict=True)
    )


def _are_tags(texts: Sequence[str]) -> bool:
    """Whether words are few, and a third of them values of their own, as a film may be a Comedy."""
    words = [text.split() for text in texts]
    alone = {parts[0] for parts in words if len(parts) == 1}
    count = len({word for parts in words for word in parts})
    return count <= MAX_TAGS and len(alone) * 3 >= count


def _is_parted(texts: Sequence[object], mark: str) -> bool:
    """Whether a mark separates short words here, rather than standing in prose now and then."""
    parted = [value for value in texts if isinstance(value, str) and mark in value]
    parts = sum(value.count(mark) + 1 for value in parted)
    return len(parted) * 10 > len(texts) and sum(map(len, parted)) <= parts * MAX_PART_CHARACTERS


def _parts(text: str | None, mark: str) -> Value:
    """`A|B|C` as its parts; the text where nothing parts it."""
    return text if text is None or not mark else _cleaned(text.split(mark))


def _unpacked(value: object) -> Value:
    """A list, or text that spells a list of texts, as its parts; anything else as text.

    A vector that is spelt out says as little as a column of vectors: None.
    """
    if isinstance(value, list):
        return _cleaned(value)
    text = _text(value)
    if text is not None and len(text) <= MAX_LIST_CHARACTERS and is_vector(text):
        return None
    parts = _spelt(text or "")
    return text if parts is None else _cleaned(parts)


def _spelt(*texts: str) -> list[str | None] | None:
    """The parts of the list that the first of the texts spells which spells one."""
    fit = (text for text in texts if len(text) <= MAX_LIST_CHARACTERS)
    return next((parts for text in fit if (parts := spelt_list(text)) is not None), None)


def _cleaned(parts: Sequence[object]) -> tuple[str, ...] | None:
    """The parts of a list that are there, without space around them."""
    return tuple(filter(None, map(_text, parts))) or None
