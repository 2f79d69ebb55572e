"""Arrow columns to typed arrays: ids to codes, text to numbers and times."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.data.tables import arrow

if TYPE_CHECKING:
    import pyarrow as pa

_UNUSABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_DATES = ("%d.%m.%Y", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y", "%m/%d/%Y")


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
        used, first, inverse = np.unique(self.values, return_index=True, return_inverse=True)
        order = np.argsort(first)
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        return place[inverse], tuple(self.ids[code] for code in used[order])


def encode_ids(column: "pa.ChunkedArray") -> Codes:
    """Codes of an id column of any type; null, NaN and empty text are missing."""
    pa = arrow()
    import pyarrow.compute as pc

    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, None)
        whole = pc.all(pc.equal(column, pc.round(column))).as_py()
        column = pc.cast(column, pa.int64()) if whole else column
    text = pc.cast(column, pa.string())
    text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    encoded = text.combine_chunks().dictionary_encode()
    values = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return Codes(values, encoded.dictionary.to_pylist())


def numbers(column: "pa.ChunkedArray") -> NDArray[np.float64]:
    """Numbers of a column of any type, float64 (n,); NaN where there is none."""
    pa = arrow()
    import pyarrow.compute as pc

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.if_else(
            pc.match_substring_regex(column, _NUMBER), column, pa.scalar(None, column.type)
        )
        column = pc.utf8_trim_whitespace(column)
    return _floats(pc.cast(column, pa.float64()))


def _floats(column: "pa.ChunkedArray") -> NDArray[np.float64]:
    values: NDArray[np.float64] = column.fill_null(float("nan")).to_numpy()
    return values.astype(np.float64)


def times(column: "pa.ChunkedArray") -> NDArray[np.float64]:
    """Seconds since 1970, or positions, float64 (n,); NaN where unreadable, infinite or negative.

    Numbers as large as milliseconds, microseconds or nanoseconds since 1970 are scaled to seconds;
    dates without a zone are UTC.
    """
    pa = arrow()
    import pyarrow.compute as pc

    if pa.types.is_temporal(column.type):
        stamps = pc.cast(pc.cast(column, pa.timestamp("us")), pa.int64())
        seconds = _floats(pc.cast(stamps, pa.float64())) / 1e6
    else:
        seconds = numbers(column)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            unread = np.isnan(seconds)
            if unread.any():
                seconds[unread] = _dates(column.filter(pa.array(unread)))
        seconds = seconds / _unit(seconds)
    seconds[~np.isfinite(seconds) | (seconds < 0)] = np.nan
    return seconds


def _unit(values: NDArray[np.float64]) -> float:
    """Units per second, guessed by magnitude: 1e11 seconds lie three thousand years ahead."""
    finite = values[np.isfinite(values)]
    middle = float(np.median(finite)) if len(finite) else 0.0
    return next((unit for limit, unit in ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3)) if middle > limit),
                1.0)  # fmt: skip


def _dates(column: "pa.ChunkedArray") -> NDArray[np.float64]:
    """Dates in ISO 8601, or a few common national forms, as seconds since 1970; NaN otherwise."""
    encoded = column.combine_chunks().dictionary_encode()
    seconds = np.array([_date(text) for text in encoded.dictionary.to_pylist()] + [np.nan])
    indices = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    found: NDArray[np.float64] = seconds[indices]
    return found


def _date(text: str) -> float:
    """Seconds since 1970 of one date; NaN if it has none of the known forms."""
    for form in (None, *_DATES):
        try:
            moment = _parsed(text.strip(), form)
        except ValueError:
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float("nan")


def _parsed(text: str, form: str | None) -> datetime:
    return datetime.strptime(text, form) if form else datetime.fromisoformat(text)
