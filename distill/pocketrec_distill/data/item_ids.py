"""The columns of item ids, where two tables tell them better than the names in one."""

from collections.abc import Container, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pocketrec_distill.data.columns import known_names, listed, plain_columns, plain_name
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.values import encode_ids
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# From this share of rows with an id of their own on, a column holds the ids of a table's rows.
_KEY_SHARE = 0.9


def with_item_ids(
    interactions: "pa.Table",
    items: "pa.Table | None",
    settings: DataSettings,
    known: Container[str] = frozenset(),
) -> DataSettings:
    """The settings with the column of item ids in each table, where the other one tells it.

    A name that stands in both tables is the item's: the interactions' own choice if the items
    table has it too, then any other well-known one. Without an items table, of several well-known
    columns the one of which most ids are known is the item's. What was chosen stays.

    Args:
        interactions: Table of interactions.
        items: Table of items, if there is one.
        settings: What was chosen.
        known: Ids of a catalogue that the interactions are read for.
    """
    log = _free(interactions, settings)
    wanted = [name for name in known_names("item") if name in log]
    if items is None:
        if settings.item or len(wanted) < 2:
            return settings
        # Of equals the first.
        best = max(wanted, key=lambda name: _share(interactions, log[name], known))
        return replace(settings, item=log[best])
    if settings.item and settings.item_id:
        return settings
    catalogue = plain_columns(items.column_names)
    if settings.item_id:
        return replace(settings, item=log.get(plain_name(settings.item_id), ""))
    own = plain_name(settings.item) or next(iter(wanted), "")
    name = own if own in catalogue else _told(items, () if settings.item else wanted)
    if not settings.item and name in wanted:
        settings = replace(settings, item=log[name])
    return replace(settings, item_id=catalogue.get(name, ""))


def on_other_ids(interactions: "pa.Table", settings: DataSettings) -> str:
    """What the account says of columns with a well-known name of items that are not the item's.

    Args:
        interactions: Table of interactions.
        settings: The item's column where it is not the first of a well-known name.
    """
    log = _free(interactions, settings)
    found = [log[name] for name in known_names("item") if name in log]
    item = settings.item or next(iter(found), "")
    others = [name for name in found if name != item]
    if not others:
        return ""
    return f"items are those of {item!r}, not of {listed(others)}; [data] item says otherwise"


def _free(table: "pa.Table", settings: DataSettings) -> dict[str, str]:
    """Plain name -> column, of those that were not chosen for another role than the item."""
    taken = {getattr(settings, role) for role in ("user", "time", "event", "weight", "rating")}
    return plain_columns([name for name in table.column_names if name not in taken])


def _told(items: "pa.Table", wanted: Sequence[str]) -> str:
    """The plain name of the items table's ids, empty where no name is well known.

    Names in the interactions go first, but not before ids that the rows alone have: `artist_id`
    in both tables is not what a table of tracks with an `id` is about.

    Args:
        items: Table of items.
        wanted: Well-known names of items in the interactions.
    """
    columns = plain_columns(items.column_names)
    names = [name for name in known_names("item_id") if name in columns]
    names.sort(key=lambda name: name not in wanted)
    keys = (name for name in names if _is_key(items, columns[name]))
    return next(keys, next(iter(names), ""))


def _is_key(table: "pa.Table", name: str) -> bool:
    """Whether nearly every row has an id of its own in a column."""
    return len(_ids(table, name)) >= max(1, int(_KEY_SHARE * table.num_rows))


def _share(table: "pa.Table", name: str, known: Container[str]) -> float:
    """Share of a column's ids that are known."""
    ids = _ids(table, name)
    return sum(one in known for one in ids) / max(1, len(ids))


def _ids(table: "pa.Table", name: str) -> Sequence[str]:
    """The ids of a column; none where it holds lists or structures."""
    try:
        return encode_ids(table, name).ids
    except DataError:
        return ()
