"""What a run reads: two tables at given paths, or a folder in a published format."""

from collections.abc import Container
from dataclasses import replace
from functools import reduce
from pathlib import Path

from pocketrec_distill.data.columns import listed
from pocketrec_distill.data.formats import Published, load_published
from pocketrec_distill.data.interaction_items import items_from_interactions
from pocketrec_distill.data.item_ids import on_other_ids, with_item_ids
from pocketrec_distill.data.items import ItemTable, item_columns, item_table
from pocketrec_distill.data.parquet import is_folder_of_parts
from pocketrec_distill.data.rules import kept_by
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.tables import read_table
from pocketrec_distill.errors import DataError


def read_inputs(
    interactions: Path,
    items: Path | None,
    settings: DataSettings,
    known: Container[str] = frozenset(),
) -> Published:
    """The raw tables, and the settings that go with them; the column of item ids fits both tables.

    Args:
        interactions: A table, or the folder (or a file) of a data set in a published format.
        items: A table of items, where the interactions are a table; None takes what is there.
        settings: `format` names the format; a folder is told by its files.
        known: Ids of the catalogue that interactions are read for; they tell the column of items.

    Raises:
        ConfigError: No format has this name.
        DataError: A table cannot be read, or the folder is in no known format.
    """
    is_table = not interactions.is_dir() or is_folder_of_parts(interactions)
    if not settings.format and is_table:
        table = read_table(interactions, settings.encoding)
        given = None if items is None else read_table(items, settings.encoding)
        return _settled(Published("", table, given, settings), known)
    found = load_published(interactions, settings)
    if items is not None:
        raise DataError(
            f"{str(interactions)!r} is read as {found.format}, which brings its own items; leave "
            f"out the items table {str(items)!r}, or give the path of a table of interactions"
        )
    return _settled(found, known)


def _settled(found: Published, known: Container[str]) -> Published:
    """The same with the columns of item ids that its tables tell, and a note of those left."""
    settings = with_item_ids(found.interactions, found.items, found.settings, known)
    note = "" if found.settings.item else on_other_ids(found.interactions, settings)
    return replace(found, settings=settings, notes=(*found.notes, *filter(None, [note])))


def columns_of_items(inputs: Published) -> dict[str, str]:
    """Role -> column of the items table, for the account; empty without one."""
    if inputs.items is None:
        return {}
    item_id, title = item_columns(inputs.items, inputs.settings)
    return {"item_id": item_id} | ({"title": title} if title is not None else {})


def catalogue_of(inputs: Published) -> tuple[ItemTable, list[str]]:
    """The items table, and what the account says of how it was read.

    Without an items table, items are what the interactions say of them that no rule drops.
    """
    if inputs.items is None:
        kept = reduce(kept_by, inputs.settings.drop, inputs.interactions)
        items, notes = items_from_interactions(kept, inputs.settings)
        names = kept.column_names
    else:
        items, left_out = item_table(inputs.items, inputs.settings)
        names = inputs.items.column_names
        missing = f"items table: {left_out:,} rows with a missing or repeated id"
        notes = [missing] if left_out else []
    if not any(items.columns["title"]):
        notes.append(
            f"no item has a title, so that its id is shown; is one of {listed(names)} it? "
            '[data] title = "..."'
        )
    return items, notes
