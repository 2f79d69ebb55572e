"""What a column holds, told by its first values: dates, times of day, Unix times, numbers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pocketrec_distill.data.strays import (
    DAY,
    FIRST_UNIX,
    LAST_UNIX,
    Floats,
    Mask,
    are_unix_times,
)
from pocketrec_distill.data.tables import arrow
from pocketrec_distill.data.values import NO_ID, is_text, numbers, times
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# Values that are read to see what a column holds, and the share of them that must be of it.
SAMPLE, MOST = 1000, 0.95
# Among so many, that is; the words for a missing value are passed over.
_LOOKED_AT = 100 * SAMPLE

_CLOCK = r"^\s*\d{1,2}:\d\d(:\d\d(\.\d+)?)?(\s*[AaPp][Mm])?\s*$"
# A number says of itself that it is a time only from 1990 on.
_FIRST = 631_152_000.0


def is_flat(table: "pa.Table", name: str) -> bool:
    """Whether a column holds one value in each row, and no list or structure."""
    kind = table.schema.field(name).type
    return not arrow().types.is_nested(kind)


def holds_dates(table: "pa.Table", name: str) -> bool:
    """Whether nearly all of the first values are dates, and no plain numbers."""
    sample, kind = _first(table, name)
    types = arrow().types
    if types.is_date(kind) or types.is_timestamp(kind):
        return len(sample) > 0
    if not is_text(kind) or not len(sample):
        return False
    try:
        read, counts = np.isfinite(times(sample, name)[0]), np.isfinite(numbers(sample, name))
    except DataError:  # bytes that are no text
        return False
    return bool((read & ~counts).mean() >= MOST)


def holds_times(table: "pa.Table", name: str) -> bool:
    """Whether most of the first values are times: dates, times of day, or numbers.

    Raises:
        DataError: The column's type holds none.
    """
    if is_clock(table, name):
        return True
    sample, _ = _first(table, name)
    return len(sample) > 0 and bool(np.isfinite(times(sample, name)[0]).mean() > 0.5)


def holds_weights(table: "pa.Table", name: str) -> bool:
    """Whether most of the first values are numbers from 0 on, or there is no value at all.

    Raises:
        DataError: The column's type holds none.
    """
    sample, _ = _first(table, name)
    return not len(sample) or bool((numbers(sample, name) >= 0).mean() > 0.5)


def is_clock(table: "pa.Table", name: str) -> bool:
    """Whether a column holds times of day."""
    sample, kind = _first(table, name)
    if arrow().types.is_time(kind):
        return len(sample) > 0
    return is_text(kind) and _matching(sample[name], _CLOCK) >= MOST


def is_hour_and_minute(table: "pa.Table", name: str) -> bool:
    """Whether a column holds times of day as whole numbers: 1630, and 5 for five past midnight."""
    sample, kind = _first(table, name)
    if not _may_hold_times(kind) or not len(sample):
        return False
    found = numbers(sample, name)
    return bool(((found >= 0) & (found < 2400) & (found % 100 < 60) & (found % 1 == 0)).all())


def holds_days(table: "pa.Table", name: str) -> bool:
    """Whether a column holds times without a time of day, as dates or as numbers."""
    return _are_times(table, name, lambda found: (found % DAY == 0) & (found > 0))


def is_date(table: "pa.Table", name: str) -> bool:
    """Whether a column holds days as dates, to which text may add the time of day."""
    if not holds_days(table, name):
        return False
    sample, kind = _first(table, name)
    temporal = arrow().types.is_temporal(kind)
    # Numbers of days are smaller (20101231).
    return bool(temporal or not (numbers(sample, name) >= FIRST_UNIX).any())


def holds_unix_times(table: "pa.Table", name: str) -> bool:
    """Whether nearly all of the first values are times from 1990 to 2100, as numbers or dates."""
    return _are_times(table, name, lambda found: (found >= _FIRST) & (found < LAST_UNIX))


def tells_hours_of(table: "pa.Table", days: str, name: str) -> bool:
    """Whether a column holds times on the days of another, which knows no more than the day.

    The day may be that of another zone.
    """
    head = table.select([days, name]).slice(0, SAMPLE)
    if not all(_may_hold_times(field.type) for field in head.schema):
        return False
    day, moment = times(head, days)[0], times(head, name)[0]
    there = np.isfinite(day)
    if not are_unix_times(day) or (day[there] % DAY).any():
        return False
    apart = moment[there] - day[there]
    return bool((apart % DAY > 0).any() and ((apart >= -DAY) & (apart < 2 * DAY)).mean() >= MOST)


def _are_times(table: "pa.Table", name: str, such: Callable[[Floats], Mask]) -> bool:
    """Whether nearly all of the first values are times such as these, in seconds since 1970."""
    sample, kind = _first(table, name)
    if not _may_hold_times(kind) or not len(sample):
        return False
    return bool(such(times(sample, name)[0]).mean() >= MOST)


def _may_hold_times(kind: "pa.DataType") -> bool:
    """Whether values of an Arrow type may be times: text, numbers and dates."""
    types = arrow().types
    if types.is_dictionary(kind):
        kind = kind.value_type
    tests = (is_text, types.is_integer, types.is_floating, types.is_date, types.is_timestamp)
    return any(test(kind) for test in tests)


def _first(table: "pa.Table", name: str) -> tuple["pa.Table", "pa.DataType"]:
    """The first values that are not missing, as a table of one column, and their type."""
    import pyarrow.compute as pc

    pa = arrow()
    column = table[name].drop_null()[:_LOOKED_AT]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if is_text(column.type):
        column = column.cast(pa.large_string())
        words = pa.array(sorted(NO_ID), pa.large_string())
        column = column.filter(pc.invert(pc.is_in(column, words)))
    return pa.table({name: column[:SAMPLE]}), column.type


def _matching(column: Any, form: str) -> float:
    """Share of the values that have a form; 0 where there is none."""
    import pyarrow.compute as pc

    texts = column.cast(arrow().large_string())
    return float(pc.mean(pc.match_substring_regex(texts, form)).as_py() or 0.0)
