"""Arrow columns to typed arrays: ids to codes, text to numbers and times."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.data.dates import compact_dates, dates
from pocketrec_distill.data.strays import are_unix_times
from pocketrec_distill.data.tables import arrow
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_UNUSABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
# What databases and data frames write for a missing value. Of ids more is missing: a film may be
# called "None".
NO_VALUE = frozenset(("", "NULL", "null", "\\N", "NaN", "nan", "N/A", "n/a", "<NA>", "#N/A"))
NO_ID = NO_VALUE | {"NA", "None"}
_WHOLE_FLOAT = re.compile(r"-?\d+\.0")
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
# Above it, not every whole number has a float64 of its own.
_EXACT = 2**53
_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


@dataclass
class Codes:
    """A column of ids as integer codes.

    Attributes:
        values: Index into `ids`, -1 where the id is missing, int64 (n,).
        ids: Distinct ids.
    """

    values: NDArray[np.int64]
    ids: list[str]

    def usable(self) -> NDArray[np.bool_]:
        """True where the id is missing, or free of control characters and lone surrogates."""
        fine = np.array([not _UNUSABLE.search(text) for text in self.ids] + [True])
        usable: NDArray[np.bool_] = fine[self.values]
        return usable

    def dense(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Codes renumbered by first appearance, and only the ids that are used."""
        count = len(self.values)
        first = np.full(len(self.ids), count)
        first[self.values[::-1]] = np.arange(count)[::-1]
        order = np.argsort(first, kind="stable")[: int((first < count).sum())]
        place = np.zeros(len(self.ids), dtype=np.int64)
        place[order] = np.arange(len(order))
        return place[self.values], tuple(self.ids[code] for code in order)


@contextmanager
def _reading(table: "pa.Table", name: str, what: str) -> Iterator[Any]:
    """The column, decoded if it is a dictionary; Arrow's refusals name it.

    Raises:
        DataError: The column's type, or a value in it, cannot be read so.
    """
    pa = arrow()
    column = table[name]
    if pa.types.is_nested(column.type):
        raise DataError(
            f"column {name!r} of type {column.type} cannot be read as {what}: it holds several "
            "values per row; write one row for each"
        )
    try:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        yield column
    except pa.ArrowException as error:
        raise DataError(
            f"column {name!r} of type {column.type} cannot be read as {what}: {error}"
        ) from error


def is_text(kind: "pa.DataType") -> bool:
    """Whether an Arrow type is text."""
    types = arrow().types
    return any(is_kind(kind) for is_kind in (types.is_string, types.is_large_string,
                                             types.is_string_view))  # fmt: skip


def as_text(table: "pa.Table", name: str) -> Any:
    """A column of any flat type as text (Arrow large strings); whole floats as whole numbers.

    Raises:
        DataError: Its type has no text, such as lists and structures, or is no UTF-8.
    """
    with _reading(table, name, "text") as column:
        return _text(column)


def _text(column: Any) -> Any:
    pa = arrow()
    import pyarrow.compute as pc

    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, pa.float64()))
        whole = pc.and_(pc.equal(column, pc.round(column)), pc.less_equal(pc.abs(column), _EXACT))
        if pc.all(whole).as_py():
            column = column.cast(pa.int64())
    return column.cast(pa.large_string())


def encode_ids(table: "pa.Table", name: str, missing: frozenset[str] = NO_ID) -> Codes:
    """Codes of an id column of any flat type; null, NaN, infinite and empty text are missing.

    So are the words that databases and data frames write for a missing value. Whole numbers that a
    data frame wrote as floats are whole: where all texts are such as "17850.0", that is "17850".

    Args:
        table: Table.
        name: Column.
        missing: Texts that stand for nothing.

    Raises:
        DataError: Its type has no text, such as lists and structures, or is no UTF-8.
    """
    encoded = as_text(table, name).dictionary_encode().combine_chunks()
    values = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    ids = encoded.dictionary.to_pylist()
    kept = [code for code, text in enumerate(ids) if text not in missing]
    known = [ids[code] for code in kept]
    if all(_WHOLE_FLOAT.fullmatch(text) for text in known):
        known = [text[:-2] for text in known]
    place = np.full(len(ids) + 1, -1, dtype=np.int64)  # the last one is of missing values
    place[kept] = np.arange(len(kept))
    return Codes(place[values], known)


def numbers(table: "pa.Table", name: str) -> NDArray[np.float64]:
    """Numbers of a column of numbers or text, float64 (n,); NaN where there is none.

    Raises:
        DataError: Its type holds no numbers.
    """
    with _reading(table, name, "numbers") as column:
        return _numbers(column)


def weights(table: "pa.Table", name: str) -> tuple[NDArray[np.float64], int]:
    """Numbers of a column, float64 (n,), 1 where the value is missing, and how many are.

    What is there and no number is NaN.

    Raises:
        DataError: Its type holds no numbers.
    """
    found = numbers(table, name)
    if not np.isnan(found).any():
        return found, 0
    missing = np.isnan(found) & (encode_ids(table, name).values < 0)
    return np.where(missing, 1.0, found), int(missing.sum())


def _numbers(column: Any) -> NDArray[np.float64]:
    pa = arrow()
    import pyarrow.compute as pc

    if is_text(column.type):
        column = column.cast(pa.large_string())
        column = pc.if_else(
            pc.match_substring_regex(column, _NUMBER), column, pa.scalar(None, column.type)
        )
        column = pc.utf8_trim_whitespace(column)
    return _floats(column)


def _floats(column: Any) -> NDArray[np.float64]:
    column = column.cast("float64", safe=False).fill_null(float("nan"))
    return np.array(column.to_numpy(), dtype=np.float64)


def times(table: "pa.Table", name: str) -> tuple[NDArray[np.float64], str]:
    """Seconds since 1970, or positions, of a column of numbers, times or text.

    Numbers as large as milliseconds, microseconds or nanoseconds since 1970 are scaled to seconds,
    each by itself where all are Unix times then; those that all spell a date (20101231,
    20101231082600) are read as such; dates without a zone are UTC.

    Returns:
        float64 (n,), NaN where unreadable, infinite or negative; and what was decided about day
        and month, empty where nothing was.

    Raises:
        DataError: Its type holds no times.
    """
    with _reading(table, name, "times") as column:
        seconds, note = _times(column)
    seconds[~np.isfinite(seconds) | (seconds < 0)] = np.nan
    return seconds, note


def _times(column: Any) -> tuple[NDArray[np.float64], str]:
    pa = arrow()
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("ms"))
    if pa.types.is_timestamp(column.type):
        return _floats(column.cast(pa.int64())) / _PER_SECOND[column.type.unit], ""
    seconds, note = _numbers(column), ""
    if (moments := compact_dates(seconds)) is not None:
        return moments, "whole numbers such as 20101231 are read as dates"
    seconds = _in_seconds(seconds)
    unread = np.flatnonzero(np.isnan(seconds))
    if is_text(column.type) and len(unread):
        texts = column.cast(pa.large_string())
        texts = texts if len(unread) == len(texts) else texts.take(pa.array(unread))
        seconds[unread], note = dates(texts)
    return seconds, note


def _in_seconds(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers as seconds, by their magnitude: 1e11 seconds lie three thousand years ahead.

    Each has its own unit if all are Unix times then, else that of the middle one.
    """
    limits, units = (1e17, 1e14, 1e11), (1e9, 1e6, 1e3)
    per_second = np.select([values > limit for limit in limits], units, 1.0)
    each: NDArray[np.float64] = values / per_second
    if are_unix_times(each):
        return each
    finite = values[np.isfinite(values)]
    middle = float(np.median(finite)) if len(finite) else 0.0
    large = (unit for limit, unit in zip(limits, units, strict=True) if middle > limit)
    return values / next(large, 1.0)
