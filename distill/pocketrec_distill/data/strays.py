"""Times that a wrong clock wrote: they lie far from all others, and would stretch every age."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

DAY = 86_400.0
# What may be a Unix time: March 1973 to 2100. Smaller numbers are positions, or seconds since
# something else; where more than a few lie outside, they are drawn keys, or counts.
FIRST_UNIX, LAST_UNIX = 1e8, 4_102_444_800.0
_SHARE = 0.95
# Share of the times, at either end, that may be strays; the others are the central ones.
_MOST = 0.01
# Empty time between strays and all others, by the length of the central ones. A log may well begin
# with a few users long before the others came; that it goes on so after all others is rare.
_GAP_BEFORE, _GAP_AFTER = 10, 3


def are_unix_times(times: Floats) -> bool:
    """Whether numbers are seconds since 1970, most of them, and nearly all that are not about 0.

    Args:
        times: float64 (n,), NaN where there is none.
    """
    finite = times[np.isfinite(times)]
    if not len(finite) or np.median(finite) < FIRST_UNIX:
        return False
    real = finite[finite >= 2 * DAY]
    return bool(((real >= FIRST_UNIX) & (real <= LAST_UNIX)).mean() >= _SHARE)


def stray_times(times: Floats) -> Mask:
    """True where a time is one of no event, among others that are Unix times.

    So are the first two days of 1970, which a clock that was never set tells in any zone, and up to
    a hundredth of the times at either end where nothing lies between them and the rest for very
    long: before it ten times as long as the central 98% takes, and after it three times. It depends
    on nothing but the times, and of what are no Unix times none is a stray.

    Args:
        times: Seconds since 1970, or positions, float64 (n,); NaN where there is none.

    Returns:
        bool (n,), False where there is no time.
    """
    if not are_unix_times(times):
        return np.zeros(len(times), dtype=bool)
    real = np.sort(times[times >= 2 * DAY])
    tail = int(len(real) * _MOST)
    length = max(float(real[-1 - tail] - real[tail]), DAY)
    gaps = np.diff(real)
    before = np.flatnonzero(gaps[:tail] > _GAP_BEFORE * length)
    after = np.flatnonzero(gaps[len(gaps) - tail :] > _GAP_AFTER * length)
    first = real[before[-1] + 1] if len(before) else real[0]
    last = real[len(gaps) - tail + after[0]] if len(after) else real[-1]
    strays: Mask = (times < first) | (times > last)
    return strays
