"""Dates in text to seconds since 1970: ISO 8601 and the usual national forms."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

Floats = NDArray[np.float64]

_ISO = r"^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?$"
_UTC = r"\s*(Z|UTC|[+-]00:?00)$"
_CLOCK = (
    r"(?:[ T,]+(?P<h>\d{1,2}):(?P<n>\d\d)(?::(?P<s>\d\d(?:\.\d+)?))?\s*(?P<half>[AaPp][Mm])?)?\s*$"
)
_YEAR_FIRST = r"^\s*(?P<y>\d{4})[-/.](?P<a>\d{1,2})[-/.](?P<b>\d{1,2})" + _CLOCK
_YEAR_LAST = r"^\s*(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<y>\d{4}|\d\d)" + _CLOCK
# Two digits of a year, as spreadsheets write them: up to here they are of this century.
_LAST_OF_THIS_CENTURY = 68
_MONTH = re.compile(r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", re.IGNORECASE)
_DASHED = re.compile(r"(\d)-([A-Za-z]{3,9})-(\d)")
_HALF_DAY = re.compile(r"\d\s*[ap]m\b", re.IGNORECASE)
_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


def dates(column: Any) -> tuple[Floats, str]:
    """Seconds since 1970 of dates in text, NaN where there is none; without a zone they are UTC.

    ISO 8601, `2010/12/31`, `31.12.2010`, `31/12/10 8:26`, `12/31/2010 8:26:00 PM`, and with the
    month's English name as e-mail writes it: `31-Dec-2010`, `Fri Dec 31 08:26:00 +0000 2010`. Day
    or month first is decided once, for the whole column: whichever reads more of it.

    Args:
        column: Arrow text column.

    Returns:
        float64 (n,), and what was decided about day and month, empty where nothing was.
    """
    import pyarrow.compute as pc

    encoded = column.dictionary_encode().combine_chunks()
    texts = pc.replace_substring_regex(encoded.dictionary, _UTC, "")
    seconds = np.full(len(texts), np.nan)
    note = ""
    for read in (_iso, _year_first):
        _fill(seconds, texts, read)
    unread = np.flatnonzero(np.isnan(seconds))
    if len(unread):
        seconds[unread], note = _year_last(texts.take(unread))
    # Zones other than UTC are what the standard library still reads.
    unread = np.flatnonzero(np.isnan(seconds))
    seconds[unread] = [_python(text) for text in texts.take(unread).to_pylist()]
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.append(seconds, np.nan)[codes], note


def _fill(seconds: Floats, texts: "pa.Array", read: Any) -> None:
    unread = np.flatnonzero(np.isnan(seconds))
    if len(unread):
        seconds[unread] = read(texts if len(unread) == len(texts) else texts.take(unread))


def _iso(texts: "pa.Array") -> Floats:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.if_else(pc.match_substring_regex(texts, _ISO), texts, pa.scalar(None, texts.type))
    try:
        stamps = pc.cast(found, pa.timestamp("us"))
    except pa.ArrowInvalid:  # a thirteenth month somewhere; the slower way finds where
        return np.full(len(texts), np.nan)
    return _floats(stamps.cast(pa.int64())) / 1e6


def _floats(column: Any) -> Floats:
    values: Floats = column.cast("float64", safe=False).fill_null(float("nan")).to_numpy()
    return values


@dataclass(frozen=True)
class _Parts:
    """Numbers in a date, float64 (n,), NaN where the text has none of the form."""

    first: Floats
    second: Floats
    year: Floats
    clock: Floats
    half_days: bool

    def seconds(self, month: Floats, day: Floats) -> Floats:
        """Seconds since 1970; NaN where month or day does not exist."""
        fine = (month >= 1) & (month <= 12) & (day >= 1) & np.isfinite(self.clock)
        whole = np.where(fine, (self.year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
        date = whole.astype("datetime64[D]") + np.where(fine, day - 1, 0).astype(np.int64)
        fine &= date.astype("datetime64[M]") == whole
        found: Floats = date.astype(np.int64) * 86_400.0 + self.clock
        return np.where(fine, found, np.nan)


def _parts(texts: "pa.Array", form: str) -> _Parts:
    import pyarrow.compute as pc

    found = pc.extract_regex(texts, form)

    def number(name: str) -> Floats:
        text = found.field(name) if not found.null_count else pc.struct_field(found, name)
        return _floats(pc.if_else(pc.equal(text, ""), "nan", text))

    half = pc.utf8_lower(pc.struct_field(found, "half"))
    pm, am = (pc.equal(half, name).fill_null(False).to_numpy(False) for name in ("pm", "am"))
    hour, minute, second = (np.nan_to_num(number(name), nan=0.0) for name in ("h", "n", "s"))
    fine = (hour < 24) & (minute < 60) & (second < 61) & ~((pm | am) & ((hour < 1) | (hour > 12)))
    hour = np.where(pm | am, hour % 12 + 12 * pm, hour)
    clock = np.where(fine, hour * 3600 + minute * 60 + second, np.nan)
    year = number("y")
    year = np.where(year < 100, year + 1900 + 100 * (year <= _LAST_OF_THIS_CENTURY), year)
    return _Parts(number("a"), number("b"), year, clock, bool((pm | am).any()))


def _year_first(texts: "pa.Array") -> Floats:
    parts = _parts(texts, _YEAR_FIRST)
    return parts.seconds(parts.first, parts.second)


def _year_last(texts: "pa.Array") -> tuple[Floats, str]:
    """Day or month first by whichever reads more; AM and PM speak for month first."""
    parts = _parts(texts, _YEAR_LAST)
    day_first = parts.seconds(parts.second, parts.first)
    month_first = parts.seconds(parts.first, parts.second)
    read = [int(np.isfinite(found).sum()) for found in (day_first, month_first)]
    if not any(read):
        return day_first, ""
    use_month = read[1] > read[0] or (read[1] == read[0] and parts.half_days)
    chosen, order = (month_first, "month/day") if use_month else (day_first, "day/month")
    example = texts[int(np.argmax(np.isfinite(chosen)))].as_py()
    doubt = "; both ways read as many" if read[0] == read[1] else ""
    return chosen, f'times such as "{example}" are read as {order}/year{doubt}'


def _python(text: str) -> float:
    """Seconds since 1970 of one date that the standard library reads; NaN if it is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return _with_named_month(text)


def _with_named_month(text: str) -> float:
    """The same of one that names its month, as e-mail (RFC 2822) and C's `asctime` do."""
    if not _MONTH.search(text) or _HALF_DAY.search(text):  # the parser would not hear AM and PM
        return float("nan")
    spaced = _DASHED.sub(r"\1 \2 \3", text)
    found = parsedate_tz(spaced) or parsedate_tz(f"{spaced} 00:00:00")
    if found is None:
        return float("nan")
    try:
        zone = timezone(timedelta(seconds=found[9] or 0))
        return datetime(*found[:6], tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        return float("nan")


def compact_dates(values: Floats) -> Floats | None:
    """Seconds since 1970 of numbers such as 20101231, 201012310826 and 20101231082600.

    None if they are others.

    Args:
        values: Whole numbers, NaN where there is none.
    """
    read = values[np.isfinite(values)]
    if not len(read) or not (read == np.floor(read)).all():
        return None
    lowest, highest = read.min(), read.max()
    for digits, form in _COMPACT.items():
        scale = 10.0 ** (digits - 4)
        if not 1970 * scale < lowest <= highest < 2100 * scale:
            continue
        distinct, codes = np.unique(values, return_inverse=True)
        try:
            moments = [
                datetime.strptime(f"{int(value)}", form).replace(tzinfo=UTC).timestamp()
                if np.isfinite(value)
                else float("nan")
                for value in distinct.tolist()
            ]
        except ValueError:  # a thirteenth month: they count something else
            return None
        return np.array(moments)[codes]
    return None
