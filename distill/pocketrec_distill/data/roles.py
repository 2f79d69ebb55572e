"""Roles of a table's columns that only their values can tell."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pocketrec_distill.data.account import CleaningAccount
from pocketrec_distill.data.columns import (
    POSITIONS,
    InteractionColumns,
    find_columns,
    listed,
    plain_name,
)
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.tables import arrow
from pocketrec_distill.data.values import Codes, encode_ids, is_text, numbers, times
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# Values that are read to see what a column holds, and the share of them that must be of it.
SAMPLE, MOST = 1000, 0.95
# From this share of the rows on, a column says something of the user or item, not of the event.
_OWNED_SHARE = 0.99


def interaction_columns(
    table: "pa.Table", settings: DataSettings, account: CleaningAccount
) -> InteractionColumns:
    """The column of each role: by its name, and a time also by what it holds.

    A table without a known time, or with mere positions, may have its dates under a name of its
    own: the first column of dates that are neither the user's nor the item's is the time.

    Args:
        table: Interactions.
        settings: Columns that were chosen.
        account: Gets the roles, and notes of what was decided by values.

    Raises:
        DataError: As `find_columns`.
    """
    columns = find_columns(table.column_names, settings)
    columns = _without_mere_order(table, columns, settings, account)
    if columns.time is None or (not settings.time and plain_name(columns.time) in POSITIONS):
        columns = _with_dates(table, columns, account)
    account.columns = columns.as_dict()
    return columns


def told_by(keys: Codes, values: Codes) -> float | None:
    """Share of the rows that hold the most frequent value of their key, of keys that come again.

    None where no key does: of what stands once, nothing says whose it is.
    """
    rows = (keys.values >= 0) & (values.values >= 0)
    rows &= np.bincount(keys.values[rows], minlength=len(keys.ids) + 1)[keys.values] > 1
    if not rows.any():
        return None
    width = len(values.ids)
    pairs, counts = np.unique(keys.values[rows] * width + values.values[rows], return_counts=True)
    most = np.zeros(len(keys.ids), dtype=np.int64)
    np.maximum.at(most, pairs // width, counts)
    return float(most.sum() / counts.sum())


def _without_mere_order(
    table: "pa.Table",
    columns: InteractionColumns,
    settings: DataSettings,
    account: CleaningAccount,
) -> InteractionColumns:
    """The columns, without a time that was found by a name like `order` but holds no numbers."""
    names = {plain_name(name) for name in table.column_names}
    if columns.time is None and {"day", "month", "year"} <= names:
        account.note("day, month and year are no single time column; join them to use them")
    if settings.time or columns.time is None or plain_name(columns.time) not in POSITIONS:
        return columns
    if not table.num_rows or np.isfinite(numbers(table, columns.time)).mean() > 0.5:
        return columns
    account.note(f"column {columns.time!r} holds no numbers and is not taken as time")
    return replace(columns, time=None)


def _with_dates(
    table: "pa.Table", columns: InteractionColumns, account: CleaningAccount
) -> InteractionColumns:
    """The columns, with the first one of dates as time where there is one."""
    free = [name for name in table.column_names if name not in columns.used()]
    found = [name for name in free if _holds_dates(table, name)]
    owners = [encode_ids(table, name) for name in (columns.user, columns.item)] if found else []
    found = [name for name in found if not _is_owned(encode_ids(table, name), owners)]
    if not found:
        return columns
    others = f"; so do {listed(found[1:])}" if found[1:] else ""
    account.note(
        f"column {found[0]!r} holds dates and is taken as time{others}; [data] time says otherwise"
    )
    return replace(columns, time=found[0])


def _holds_dates(table: "pa.Table", name: str) -> bool:
    """Whether nearly all of the first values are dates, and no plain numbers."""
    types = arrow().types
    column = table[name].drop_null()[:SAMPLE]
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if types.is_date(kind) or types.is_timestamp(kind):
        return len(column) > 0
    if not is_text(kind) or not len(column):
        return False
    sample = arrow().table({name: column})
    try:
        read, counts = np.isfinite(times(sample, name)[0]), np.isfinite(numbers(sample, name))
    except DataError:  # bytes that are no text
        return False
    return bool((read & ~counts).mean() >= MOST)


def _is_owned(values: Codes, owners: list[Codes]) -> bool:
    """Whether a user or an item holds the same value each time."""
    return any((told_by(owner, values) or 0.0) >= _OWNED_SHARE for owner in owners)
