"""What a run reads: two tables at given paths, or a folder in a published format."""

from pathlib import Path

from pocketrec_distill.data.columns import find_columns
from pocketrec_distill.data.formats import Published, load_published
from pocketrec_distill.data.items import ItemTable, item_table, items_from_interactions
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.tables import read_table
from pocketrec_distill.errors import DataError


def read_inputs(interactions: Path, items: Path | None, settings: DataSettings) -> Published:
    """The raw tables, and the settings that go with them.

    Args:
        interactions: A table, or the folder (or a file) of a data set in a published format.
        items: A table of items, where the interactions are a table; None takes what is there.
        settings: `format` names the format; a folder is told by its files.

    Raises:
        ConfigError: No format has this name.
        DataError: A table cannot be read, or the folder is in no known format.
    """
    if not settings.format and not interactions.is_dir():
        table = read_table(interactions, settings.encoding)
        given = None if items is None else read_table(items, settings.encoding)
        return Published("", table, given, settings)
    found = load_published(interactions, settings)
    if items is not None:
        raise DataError(
            f"{str(interactions)!r} is read as {found.format}, which brings its own items; leave "
            f"out the items table {str(items)!r}, or give the path of a table of interactions"
        )
    return found


def catalogue_of(inputs: Published) -> tuple[ItemTable, int]:
    """The items table, and the number of its rows with a missing or repeated id.

    Without an items table, items are what the interactions say of them.
    """
    if inputs.items is not None:
        return item_table(inputs.items, inputs.settings)
    column = find_columns(inputs.interactions.column_names, inputs.settings).item
    return items_from_interactions(inputs.interactions, inputs.settings, column), 0
