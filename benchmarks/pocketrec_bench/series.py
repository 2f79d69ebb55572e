"""A load over time: slices, first against last stretch, energy."""

import numpy as np
from numpy.typing import NDArray

from pocketrec_bench.figures import Energy, Slice, Sustained, nearest_rank
from pocketrec_bench.loadgen import LoadRecord
from pocketrec_bench.measure import watch

SUSTAINED_S = 30.0
"""Length of the first and of the last stretch, where the load lasts twice as long."""

THROTTLED_RATIO = 1.10
"""Last over first median from which a device counts as throttled."""

_SLICE_S, _MOST_SLICES, _LEAST_SLICES = 1.0, 240, 10


def slices_of(record: LoadRecord) -> tuple[Slice, ...]:
    """The load in equal stretches of a second; longer in a long load, shorter in a short one."""
    duration = float(record.ends_s.max())
    width = max(duration / _MOST_SLICES, min(_SLICE_S, duration / _LEAST_SLICES))
    numbers = np.minimum(record.ends_s // width, np.ceil(duration / width) - 1).astype(np.int64)
    found = []
    for number in np.unique(numbers):
        ordered = np.sort(record.latencies_s[numbers == number]).tolist()
        found.append(
            Slice(
                start_s=float(number * width),
                count=len(ordered),
                p50_s=nearest_rank(ordered, 0.50),
                p90_s=nearest_rank(ordered, 0.90),
            )
        )
    return tuple(found)


def sustained_of(record: LoadRecord, before: watch.Snapshot, after: watch.Snapshot) -> Sustained:
    """Median latency of the last stretch over that of the first."""
    duration = float(record.ends_s.max())
    window = min(SUSTAINED_S, duration / 2)
    first = _median(record.latencies_s[record.ends_s <= window], record.latencies_s[:1])
    last = _median(record.latencies_s[record.ends_s >= duration - window], record.latencies_s[-1:])
    events = None
    if before.throttles is not None and after.throttles is not None:
        events = after.throttles - before.throttles
    return Sustained(
        window_s=window,
        first_s=first,
        last_s=last,
        ratio=last / first,
        throttled=last / first > THROTTLED_RATIO or bool(events),
        throttle_events=events,
        mhz_first=before.mhz,
        mhz_last=after.mhz,
    )


def energy_of(before: watch.Snapshot, after: watch.Snapshot, answered: int) -> Energy | None:
    """Energy of the load; None where the machine has no counter that may be read."""
    source, joules = watch.energy_source(), watch.joules_between(before, after)
    if source is None or joules is None:
        return None
    return Energy(source, joules, joules / answered)


def _median(values: NDArray[np.float64], instead: NDArray[np.float64]) -> float:
    """The median; of the nearest query where a stretch holds none that ended."""
    return nearest_rank(np.sort(values if len(values) else instead).tolist(), 0.50)
