"""A load over time, by hand; and what makes a result valid."""

from dataclasses import replace

import numpy as np
import pytest

from pocketrec_bench.figures import LoadGenRun, Slice
from pocketrec_bench.loadgen import LoadRecord
from pocketrec_bench.measure.watch import Snapshot
from pocketrec_bench.series import slices_of, sustained_of
from pocketrec_bench.verdict import reasons_against

STILL = Snapshot(0.0, None, 0.0, None, None, None, None, None)


def _record(latencies: list[float], ends: list[float]) -> LoadRecord:
    run = LoadGenRun("6", True, (), len(ends), None, None, None, None, None)
    return LoadRecord(np.array(latencies), np.array(ends), len(ends), run)


def test_slices_are_seconds_and_hold_every_query() -> None:
    # 20 s: two queries of 1 and 2 ms in each second but the fourth; the last ends at the end.
    ends = [second + part for second in range(20) if second != 3 for part in (0.25, 0.75)]
    latencies = [1e-3, 2e-3] * 19
    ends[-1] = 20.0
    found = slices_of(_record(latencies, ends))
    assert [each.start_s for each in found] == [float(s) for s in range(20) if s != 3]
    assert found[0] == Slice(0.0, 2, 1e-3, 2e-3)
    assert sum(each.count for each in found) == 38


def test_slices_of_a_short_load_are_tenths_of_it() -> None:
    ends = np.linspace(0.005, 0.5, 100).tolist()
    found = slices_of(_record([1e-3] * 100, ends))
    assert len(found) == 10
    assert found[1].start_s == pytest.approx(0.05)


def test_a_device_that_slows_down_is_throttled() -> None:
    # 150 s at one query a second: 1 ms in the first 30, 3 ms in 90 between, then 1.2 ms.
    latencies = [1e-3] * 30 + [3e-3] * 90 + [1.2e-3] * 30
    ends = [float(second) for second in range(1, 151)]
    found = sustained_of(_record(latencies, ends), STILL, STILL)
    assert (found.window_s, found.first_s, found.last_s) == (30.0, 1e-3, 1.2e-3)
    assert found.ratio == pytest.approx(1.2)
    assert found.throttled
    steady = _record([1e-3] * 150, ends)
    assert not sustained_of(steady, STILL, STILL).throttled
    heat = replace(STILL, throttles=5), replace(STILL, throttles=6)
    hot = sustained_of(steady, *heat)
    assert (hot.throttled, hot.throttle_events) == (True, 1)


def _judged(result, **changes) -> tuple[str, ...]:
    parts = {name: getattr(result, name) for name in (
        "settings", "loadgen", "accuracy", "overhead", "load"
    )}  # fmt: skip
    return reasons_against(*(parts | changes).values())


def test_a_good_result_has_no_reason_against_it(result) -> None:
    assert _judged(result) == ()


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        ("settings", {"quick": True}, "a quick run"),
        ("loadgen", {"valid": False, "reasons": ("too few",)}, "LoadGen: too few"),
        ("loadgen", {"valid": False}, "LoadGen: INVALID"),
        ("accuracy", {"passed": False}, "the accuracy run failed"),
        ("overhead", {"share": 0.051}, "timer and harness are 5.1% of the fastest figure"),
        ("load", {"other_cores": 1.2}, "others took 1.20 cores"),
        ("load", {"waited_share": 0.03}, "waited for a core 3.0% of its time"),
    ],
)
def test_every_fault_is_a_reason(result, part, changes, message) -> None:
    [found] = _judged(result, **{part: replace(getattr(result, part), **changes)})
    assert message in found


def test_what_is_not_counted_is_no_reason_but_a_missing_accuracy_run_is(result) -> None:
    unknown = replace(result.load, other_cores=None, waited_share=None)
    assert _judged(result, load=unknown) == ()
    [found] = _judged(result, accuracy=None)
    assert "no accuracy run" in found
