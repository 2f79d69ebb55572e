"""What else happens on a machine, read from made-up files of Linux."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pocketrec_bench.measure import watch

TICK = os.sysconf("SC_CLK_TCK")


def _machine(root: Path, *, busy: int, ran: int, waited: int, micro_joules: int) -> Path:
    files = {
        # user nice system idle iowait irq softirq steal guest: all but idle and iowait are busy.
        "proc/stat": f"cpu  {busy} 0 30 5000 700 2 3 5 99 0\ncpu0 1 2 3\n",
        "proc/self/task/7/schedstat": f"{ran} {waited} 12\n",
        "proc/self/task/9/schedstat": "1000000000 500000000 3\n",
        "sys/class/powercap/intel-rapl:0/energy_uj": f"{micro_joules}\n",
        "sys/class/powercap/intel-rapl:0/max_energy_range_uj": "9000000\n",
        "sys/class/powercap/intel-rapl:0:0/energy_uj": "77\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2400000\n",
        "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "1800000\n",
        "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "4\n",
        "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "3\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_every_counter_is_read(tmp_path) -> None:
    root = _machine(
        tmp_path, busy=60, ran=2_000_000_000, waited=250_000_000, micro_joules=8_000_000
    )
    found = watch.snapshot(root)
    assert found.busy_s == pytest.approx((60 + 30 + 2 + 3 + 5) / TICK)
    assert (found.ran_s, found.waited_s) == (3.0, 0.75)
    assert (found.throttles, found.mhz, found.joules) == (7, 2100.0, 8.0)
    assert watch.energy_source(root) == "powercap intel-rapl:0"


def test_a_machine_that_counts_nothing_says_so(tmp_path) -> None:
    found = watch.snapshot(tmp_path)
    assert (found.busy_s, found.ran_s, found.throttles, found.mhz, found.joules) == (None,) * 5
    assert watch.energy_source(tmp_path) is None
    assert watch.other_cores(found, found) is None
    assert watch.waited_share(found, found) is None
    assert watch.joules_between(found, found, tmp_path) is None


def test_others_time_is_what_is_busy_and_not_our_own() -> None:
    before = watch.Snapshot(10.0, 100.0, 7.0, 5.0, 1.0, 0, None, None)
    # In 4 s the machine worked 6 core seconds, 3.3 of them for this process.
    after = replace(before, at_s=14.0, busy_s=106.0, own_s=10.3, ran_s=8.0, waited_s=2.0)
    assert watch.other_cores(before, after) == pytest.approx(2.7 / 4)
    assert watch.waited_share(before, after) == pytest.approx(1 / 4)
    # Threads that worked 3 of 4 s ended meanwhile: what they waited is not known.
    assert watch.waited_share(before, replace(after, own_s=11.0)) is None


def test_an_energy_counter_that_ran_over_is_put_right(tmp_path) -> None:
    root = _machine(tmp_path, busy=1, ran=1, waited=1, micro_joules=1)
    before = watch.Snapshot(0.0, None, 0.0, None, None, None, None, 8.5)
    assert watch.joules_between(before, replace(before, joules=8.75), root) == 0.25
    # The counter ends at 9 J: half a joule to the end, one from there.
    assert watch.joules_between(before, replace(before, joules=1.0), root) == pytest.approx(1.5)
