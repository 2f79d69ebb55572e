"""An items table from the interactions' own columns, where none is given."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.data.columns import (
    find_column,
    find_columns,
    known_names,
    plain_columns,
    stem_of,
)
from pocketrec_distill.data.items import ItemTable, first_rows
from pocketrec_distill.data.roles import told_by
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.values import NO_VALUE, Codes, encode_ids

if TYPE_CHECKING:
    import pyarrow as pa

# What a title must be to an item: the same in so many of its rows, and more so than to a user.
_TITLE_SHARE = 0.8


def items_from_interactions(
    table: "pa.Table", settings: DataSettings
) -> tuple[ItemTable, list[str]]:
    """Each item with the title that most of its rows give it.

    A column is the title if it is chosen, or if it has a well-known name and says the same of an
    item each time: a `name` beside an order may be the customer's, and has no place in a bundle
    that is given to others. A column named after the item's (`track_name` beside `track_id`) goes
    before other names.

    Returns:
        The items in order of first appearance, and what was decided, for the account.

    Raises:
        DataError: No item column, or the chosen title does not exist.
    """
    columns = find_columns(table.column_names, settings)
    items = encode_ids(table, columns.item)
    rows = first_rows(items)
    ids = tuple(items.ids[code] for code in items.values[rows].tolist())
    free = [name for name in table.column_names if name not in columns.used()]
    users = encode_ids(table, columns.user)
    title, notes = _title_column(table, settings, free, columns.item, users, items)
    if title is None:
        return ItemTable(ids, {"title": (None,) * len(ids)}), notes
    titles = _most_frequent(items, encode_ids(table, title, NO_VALUE))
    found = [titles.get(code) for code in items.values[rows].tolist()]
    return ItemTable(ids, {"title": tuple(found)}), notes


def _title_column(
    table: "pa.Table",
    settings: DataSettings,
    free: Sequence[str],
    item: str,
    users: Codes,
    items: Codes,
) -> tuple[str | None, list[str]]:
    """The column of titles, and notes on it and on those that only look like it."""
    notes: list[str] = []
    if settings.title:
        return find_column("title", settings.title, table.column_names, required=False), notes
    for name in _candidates(free, item):
        texts = encode_ids(table, name, NO_VALUE)
        of_item, of_user = told_by(items, texts), told_by(users, texts)
        # Where no item comes again, what a user says each time is the user's all the same.
        of_item = _TITLE_SHARE if of_item is None else of_item
        if of_item >= max(_TITLE_SHARE, of_user or 0.0):
            return name, [*notes, f"titles are what column {name!r} says of an item"]
        notes.append(
            f"column {name!r} differs among the rows of an item, and is not taken as its title; "
            f'[data] title = "{name}" takes it'
        )
    return None, notes


def _candidates(free: Sequence[str], item: str) -> list[str]:
    """Columns with the name of a title, those named after the item's column first."""
    plain = plain_columns(free)
    stem = stem_of(item)
    own = (f"{stem}name", f"{stem}title", f"{stem}description", stem) if stem else ()
    wanted = dict.fromkeys((*own, *known_names("title")))
    return [plain[name] for name in wanted if name in plain]


def _most_frequent(items: Codes, texts: Codes) -> dict[int, str]:
    """Title of each item code: its most frequent text, the first of equals."""
    fine = np.array([bool(text.strip()) for text in texts.ids] + [False])
    rows = np.flatnonzero((items.values >= 0) & fine[texts.values])
    pairs, first, counts = np.unique(
        items.values[rows] * len(texts.ids) + texts.values[rows],
        return_index=True,
        return_counts=True,
    )
    order: NDArray[np.int64] = np.lexsort((-first, counts))
    found = pairs[order].tolist()  # the last one of an item is its most frequent
    return {pair // len(texts.ids): texts.ids[pair % len(texts.ids)].strip() for pair in found}
