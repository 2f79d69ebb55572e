"""What a column holds, told by its first values: dates, times of day, Unix times, numbers."""

from typing import TYPE_CHECKING, Any

import numpy as np

from pocketrec_distill.data.tables import arrow
from pocketrec_distill.data.values import MISSING, is_text, numbers, times
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# Values that are read to see what a column holds, and the share of them that must be of it.
SAMPLE, MOST = 1000, 0.95
# Among so many, that is; the words for a missing value are passed over.
_LOOKED_AT = 100 * SAMPLE

_CLOCK = r"^\s*\d{1,2}:\d\d(:\d\d(\.\d+)?)?(\s*[AaPp][Mm])?\s*$"
_HAS_CLOCK = r"\d:\d\d"


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


def is_date(table: "pa.Table", name: str) -> bool:
    """Whether a column may hold dates, without a time of day."""
    sample, kind = _first(table, name)
    if arrow().types.is_date(kind):
        return True
    return is_text(kind) and _matching(sample[name], _HAS_CLOCK) == 0


def _first(table: "pa.Table", name: str) -> tuple["pa.Table", "pa.DataType"]:
    """The first values that are not missing, as a table of one column, and their type."""
    import pyarrow.compute as pc

    pa = arrow()
    column = table[name].drop_null()[:_LOOKED_AT]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if is_text(column.type):
        column = column.cast(pa.large_string())
        words = pa.array(sorted(MISSING), pa.large_string())
        column = column.filter(pc.invert(pc.is_in(column, words)))
    return pa.table({name: column[:SAMPLE]}), column.type


def _matching(column: Any, form: str) -> float:
    """Share of the values that have a form; 0 where there is none."""
    import pyarrow.compute as pc

    texts = column.cast(arrow().large_string())
    return float(pc.mean(pc.match_substring_regex(texts, form)).as_py() or 0.0)
