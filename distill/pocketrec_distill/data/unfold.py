"""Rows that hold several events each, in lists: one row per event."""

from typing import TYPE_CHECKING

from pocketrec_distill.data.columns import InteractionColumns, find_columns, listed
from pocketrec_distill.data.contents import is_flat
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.tables import arrow
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# An item that more rows lack than have is asked about, where others hold several.
_MOST_MISSING = 0.5


def one_row_per_event(table: "pa.Table", settings: DataSettings) -> tuple["pa.Table", str]:
    """The table with one row per item where the items of a row are a list, in the list's order.

    Lists of one length beside no lists of times may be pairs of an item and a time, and are left as
    they are unless the settings name them.

    Lists of other columns that are as long in every row are in step with it, such as times; single
    values go with each of the row's items, and what else holds several values is left out.

    Returns:
        The table, and a note of what was done or may be meant; empty where rows are events.

    Raises:
        DataError: As `find_columns`, or a role's column holds several values per row that are not
            in step with the items.
    """
    nested = [name for name in table.column_names if not is_flat(table, name)]
    if not nested:
        return table, ""
    try:
        columns = find_columns(table.column_names, settings)
    except DataError as error:
        raise DataError(
            f"{error}. What holds several values per row ({listed(nested)}) is no such column; "
            "write one row per event"
        ) from error
    if columns.item not in nested:
        return table, _on_missing(table, columns.item, nested, settings)
    if not _is_list(table, columns.item) or (not settings.item and _are_tuples(table, columns)):
        return table, ""  # what reads it refuses it
    return _unfolded(table, columns, nested)


def _unfolded(
    table: "pa.Table", columns: InteractionColumns, nested: list[str]
) -> tuple["pa.Table", str]:
    import pyarrow.compute as pc

    lengths = _lengths(table, columns.item)
    in_step = [
        name for name in nested if _is_list(table, name) and _lengths(table, name).equals(lengths)
    ]
    left_out = [name for name in nested if name not in in_step]
    for role, name in columns.as_dict().items():
        if name in left_out and role in ("user", "time"):
            raise DataError(
                f"column {name!r} does not hold as many values in each row as {columns.item!r}; "
                "write one row per event"
            )
    rows = pc.list_parent_indices(table[columns.item])
    flat = table.drop_columns(nested).take(rows)
    parts = {
        name: pc.list_flatten(table[name]) if name in in_step else flat[name]
        for name in table.column_names
        if name not in left_out
    }
    others = [name for name in in_step if name != columns.item]
    step = f", {listed(others)} in step with it" if others else ""
    without = f"; {listed(left_out)} left out" if left_out else ""
    note = f"column {columns.item!r} holds several items per row, each read as one event{step}"
    return arrow().table(parts), note + without


def _are_tuples(table: "pa.Table", columns: InteractionColumns) -> bool:
    """Whether lists may be an item and its time each: all of one length, and no times in step."""
    time = columns.time
    lengths = set(_lengths(table, columns.item).unique().to_pylist())
    return len(lengths) == 1 and lengths != {1} and (time is None or is_flat(table, time))


def _is_list(table: "pa.Table", name: str) -> bool:
    """Whether a column holds lists of single values."""
    types, kind = arrow().types, table.schema.field(name).type
    tests = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    return any(test(kind) for test in tests) and not types.is_nested(kind.value_type)


def _lengths(table: "pa.Table", name: str) -> "pa.ChunkedArray":
    """Values of a column's lists, 0 where there is none."""
    import pyarrow.compute as pc

    return pc.fill_null(pc.list_value_length(table[name]).cast("int64"), 0)


def _on_missing(table: "pa.Table", item: str, nested: list[str], settings: DataSettings) -> str:
    """A note on an item column that most rows lack, beside others that hold several values."""
    share = table[item].null_count / max(table.num_rows, 1)
    if settings.item or share <= _MOST_MISSING:
        return ""
    return (
        f"column {item!r} is taken as item and empty in {share:.0%} of the rows; if one of "
        f"{listed(nested)}, which hold several values per row, says what was chosen: "
        '[data] item = "..."'
    )
