"""The items table: ids and columns of values, in one order."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pocketrec_distill.data.columns import find_column
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.tables import RECBOLE_TYPE
from pocketrec_distill.data.values import encode_ids
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

Value = str | tuple[str, ...] | None


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


def item_table(table: "pa.Table", settings: DataSettings) -> tuple[ItemTable, int]:
    """The items of a raw table; the first row of an id counts.

    Returns:
        The items, and the number of rows left out for a missing, unusable or repeated id.

    Raises:
        DataError: No item id column, or no usable row.
    """
    names = table.column_names
    id_column = find_column("item_id", settings.item_id, names, required=True)
    title_column = find_column("title", settings.title, names, required=False)
    codes = encode_ids(table[id_column])
    fine = codes.usable()
    first: dict[int, int] = {}
    for row, code in enumerate(codes.values.tolist()):
        if code >= 0 and fine[row]:
            first.setdefault(code, row)
    if not first:
        raise DataError(f"the items table has no usable id in column {id_column!r}")
    rows = list(first.values())
    columns: dict[str, Sequence[Value]] = {}
    if title_column is None:
        columns["title"] = (None,) * len(rows)
    for name in names:
        if name == id_column:
            continue
        target = "title" if name == title_column else name
        columns[target] = _values(table[name], table.schema.field(name), rows, target == "title")
    ids = tuple(codes.ids[code] for code in first)
    return ItemTable(ids, columns), table.num_rows - len(rows)


def items_from_interactions(
    table: "pa.Table", settings: DataSettings, item_column: str
) -> ItemTable:
    """An items table from the interactions' own columns: the first title that an item has."""
    names = [name for name in table.column_names if name != item_column]
    title = find_column("title", settings.title, names, required=False)
    codes = encode_ids(table[item_column])
    fine = codes.usable()
    titles: dict[int, str | None] = {}
    values = [None] * table.num_rows if title is None else table[title].to_pylist()
    for row, (code, value) in enumerate(zip(codes.values.tolist(), values, strict=True)):
        if code >= 0 and fine[row] and not titles.get(code):
            titles[code] = _text(value)
    return ItemTable(tuple(codes.ids[code] for code in titles), {"title": tuple(titles.values())})


def _text(value: object) -> str | None:
    if value is None or value != value:  # noqa: PLR0124  (NaN is the value unequal to itself)
        return None
    return str(value).strip() or None


def _values(
    column: "pa.ChunkedArray", column_field: "pa.Field", rows: Sequence[int], plain: bool
) -> tuple[Value, ...]:
    """Values of some rows: text, or several texts where the column holds lists."""
    raw: list[Any] = column.to_pylist()
    kind = (column_field.metadata or {}).get(RECBOLE_TYPE, b"")
    texts = [raw[row] for row in rows]
    if plain:
        return tuple(_text(value) for value in texts)
    if kind == b"token_seq":
        return tuple(tuple(str(value or "").split()) or None for value in texts)
    piped = sum("|" in value for value in texts if isinstance(value, str))
    if piped * 10 > len(texts):
        return tuple(_parts(_text(value)) for value in texts)
    return tuple(_listed(value) for value in texts)


def _parts(text: str | None) -> tuple[str, ...] | None:
    """`A|B|C` as its parts."""
    return tuple(part.strip() for part in text.split("|") if part.strip()) if text else None


def _listed(value: object) -> Value:
    """A list, or text that spells a list of strings, as its parts; anything else as text."""
    if isinstance(value, list | tuple):
        return tuple(str(part) for part in value if part is not None) or None
    text = _text(value)
    if text and text[0] == "[" and text[-1] == "]":
        try:
            parts = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
        if isinstance(parts, list) and all(isinstance(part, str) for part in parts):
            return tuple(part.strip() for part in parts if part.strip()) or None
    return text
