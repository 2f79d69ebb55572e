"""What a run reads: two tables at given paths, or a folder in a published format."""

from collections.abc import Container
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from pocketrec_distill.data.account import CleaningAccount
from pocketrec_distill.data.columns import POSITIONS, listed, on_missing_header, plain_name
from pocketrec_distill.data.formats import Published, load_published
from pocketrec_distill.data.formats.mind import mind_folder
from pocketrec_distill.data.interaction_items import items_from_interactions
from pocketrec_distill.data.interactions import Interactions
from pocketrec_distill.data.item_ids import on_other_ids, with_item_ids
from pocketrec_distill.data.items import ItemTable, item_columns, item_table
from pocketrec_distill.data.parquet import is_folder_of_parts
from pocketrec_distill.data.rules import kept_by
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.strays import are_unix_times
from pocketrec_distill.data.tables import read_table
from pocketrec_distill.data.unfold import one_row_per_event
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


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
        DataError: A table cannot be read or lacks a column, or the folder is in no known format.
    """
    is_table = not interactions.is_dir() or is_folder_of_parts(interactions)
    if not settings.format and is_table:
        found = _tables(interactions, items, settings)
    else:
        found = load_published(interactions, settings)
        if items is not None:
            raise DataError(
                f"{str(interactions)!r} is read as {found.format}, which brings its own items; "
                f"leave out the items table {str(items)!r}, or give the path of a table of "
                "interactions"
            )
    return _settled(_unfolded(found), known)


def _tables(interactions: Path, items: Path | None, settings: DataSettings) -> Published:
    """The tables at these paths, with a note of those that seem to have no header."""
    notes: list[str] = []

    def table_at(path: Path) -> "pa.Table":
        _check_no_part_of_mind(path)
        table = read_table(path, settings.encoding)
        if doubt := on_missing_header(table.column_names):
            notes.append(f"{path.name}: {doubt}")
        return table

    log = table_at(interactions)
    given = None if items is None else table_at(items)
    return Published("", log, given, settings, notes=tuple(notes))


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


def _unfolded(inputs: Published) -> Published:
    """The same with one row per event, where rows hold lists of them, and a note of it."""
    table, note = one_row_per_event(inputs.interactions, inputs.settings)
    return replace(inputs, interactions=table, notes=(*inputs.notes, note)) if note else inputs


def _check_no_part_of_mind(path: Path) -> None:
    """Refuse one of MIND's files, which have no header, where its folder is read as a whole."""
    if (folder := mind_folder(path)) is not None:
        raise DataError(
            f"{path.name} is MIND's, which has no header; give the folder in its place: "
            f"--interactions {folder}"
        )


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


def why_timeless(inputs: Published, cleaned: Interactions, account: CleaningAccount) -> str:
    """Why a temporal split of the interactions would mean nothing; empty where it means something.

    The order of rows is no calendar, and neither are positions, which begin anew with each user.
    """
    time = account.columns.get("time")
    if inputs.timeless:
        return inputs.timeless
    names = f'name it among {listed(inputs.interactions.column_names)}: [data] time = "..."'
    if time is None:
        return f"the interactions have no time column; {names}"
    chosen = bool(inputs.settings.time) or plain_name(time) not in POSITIONS
    if chosen or are_unix_times(cleaned.times):
        return ""
    return f"column {time!r} holds positions, and there is no other time column; {names}"
