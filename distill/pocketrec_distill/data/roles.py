"""Roles of a table's columns that only their values can tell."""

import re
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
from pocketrec_distill.data.contents import (
    holds_dates,
    holds_days,
    holds_times,
    holds_unix_times,
    holds_weights,
    is_flat,
    tells_hours_of,
)
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.values import Codes, encode_ids, numbers
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# Behaviours have names such as view and buy; a column with more is something else.
MAX_EVENT_TYPES = 1000
# Rows by which it is told whose a weight is.
_WEIGHED = 100_000
# What the name of a column of numbers must hold for them to be times; order numbers are as large.
_TIME_WORD = re.compile(r"time|date|epoch|stamp|unix|(ts|at)$")
# From this share of the rows on, a column says something of the user or item, not of the event.
_OWNED_SHARE = 0.99


def interaction_columns(
    table: "pa.Table", settings: DataSettings, account: CleaningAccount
) -> InteractionColumns:
    """The column of each role: by its name, and by what it holds.

    A column that is found by the name of a time, an event or a weight and holds something else is
    passed over, with a note. A table without a known time, or with mere positions, may have its
    times under a name of its own: the first column of dates, or of Unix times where its name speaks
    of time, that are neither the user's nor the item's. A time that is a mere day gives way to a
    column that tells the time on these days.

    Args:
        table: Interactions.
        settings: Columns that were chosen.
        account: Gets the roles, and notes of what was decided by values.

    Raises:
        DataError: As `find_columns`.
    """
    columns = _fitting(table, settings, account)
    if not settings.time:
        if columns.time is None or plain_name(columns.time) in POSITIONS:
            columns = _with_dates(table, columns, account)
        columns = _with_hours(table, columns, account)
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


def _fitting(
    table: "pa.Table", settings: DataSettings, account: CleaningAccount
) -> InteractionColumns:
    """The columns that are found by their names, but for those that hold something else."""
    passed: list[str] = []
    columns = find_columns(table.column_names, settings)
    roles = [role for role in ("time", "event", "weight") if not getattr(settings, role)]
    while table.num_rows and roles:
        name = columns.as_dict().get(roles[0])
        if name is None or not (why := _unfit(table, columns, roles[0])):
            del roles[0]
            continue
        account.note(f"column {name!r} {why} and is not taken as {roles[0]}")
        passed.append(name)
        columns = find_columns(table.column_names, settings, passed)
    names = {plain_name(name) for name in table.column_names}
    if columns.time is None and not settings.time and {"day", "month", "year"} <= names:
        account.note("day, month and year are no single time column; join them to use them")
    return columns


def _unfit(table: "pa.Table", columns: InteractionColumns, role: str) -> str:
    """Why a column is not what its name says; empty where it may be."""
    name = columns.as_dict()[role]
    if not is_flat(table, name):
        return "holds several values per row"
    try:
        if role == "time":
            return _no_time(table, name)
        return _no_weight(table, columns, name) if role == "weight" else _no_event(table, name)
    except DataError:
        return f"of type {table.schema.field(name).type} cannot be read"


def _no_time(table: "pa.Table", name: str) -> str:
    if plain_name(name) in POSITIONS:
        return "" if np.isfinite(numbers(table, name)).mean() > 0.5 else "holds no numbers"
    return "" if holds_times(table, name) else "holds no times"


def _no_event(table: "pa.Table", name: str) -> str:
    kinds = len(encode_ids(table, name).ids)
    return f"has {kinds:,} different values" if kinds > MAX_EVENT_TYPES else ""


def _no_weight(table: "pa.Table", columns: InteractionColumns, name: str) -> str:
    if not holds_weights(table, name):
        return "holds no weights"
    of_owner = _is_of_owner(table.slice(0, _WEIGHED), columns, name)
    return "is the same for each event of a user or an item" if of_owner else ""


def _is_of_owner(table: "pa.Table", columns: InteractionColumns, name: str) -> bool:
    """Whether values differ, but only with the user or the item: a product's kilograms."""
    values = encode_ids(table, name)
    counts = np.bincount(values.values[values.values >= 0])
    if not len(counts) or counts.max() >= _OWNED_SHARE * counts.sum():
        return False
    return _is_owned(values, [encode_ids(table, key) for key in (columns.user, columns.item)])


def _with_dates(
    table: "pa.Table", columns: InteractionColumns, account: CleaningAccount
) -> InteractionColumns:
    """The columns, with the first one of dates or Unix times as time where there is one."""
    found = {name: kind for name in _free(table, columns) if (kind := _kind_of_time(table, name))}
    owners = [encode_ids(table, name) for name in (columns.user, columns.item)] if found else []
    names = [name for name in found if not _is_owned(encode_ids(table, name), owners)]
    if not names:
        return columns
    others = f"; so do {listed(names[1:])}" if names[1:] else ""
    account.note(
        f"column {names[0]!r} holds {found[names[0]]} and is taken as time{others}; [data] time "
        "says otherwise"
    )
    return replace(columns, time=names[0])


def _kind_of_time(table: "pa.Table", name: str) -> str:
    """What times a column of any name holds; empty where it may be something else."""
    if holds_dates(table, name):
        return "dates"
    named = _TIME_WORD.search(plain_name(name)) is not None
    return "Unix times" if named and holds_unix_times(table, name) else ""


def _with_hours(
    table: "pa.Table", columns: InteractionColumns, account: CleaningAccount
) -> InteractionColumns:
    """The columns, with one that tells the time on the days that were taken as time."""
    day = columns.time
    if day is None or not holds_days(table, day):
        return columns
    for name in _free(table, columns):
        if tells_hours_of(table, day, name):
            account.note(
                f"column {name!r} tells the time on the days of {day!r} and is taken as time; "
                "[data] time says otherwise"
            )
            return replace(columns, time=name)
    return columns


def _free(table: "pa.Table", columns: InteractionColumns) -> list[str]:
    return [name for name in table.column_names if name not in columns.used()]


def _is_owned(values: Codes, owners: list[Codes]) -> bool:
    """Whether a user or an item holds the same value each time."""
    return any((told_by(owner, values) or 0.0) >= _OWNED_SHARE for owner in owners)
