"""What else happens to the machine during a load: other processes, clock, heat, energy.

Every source is a file of Linux; where one is missing, what it would say is None.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

WAITED_LIMIT = 0.02
"""Most of its time that a process may wait for a core in a valid run."""

_SEEN = 0.9
"""Least share of its own time that a process's living threads must account for."""

SYSTEM = Path("/")


@dataclass(frozen=True)
class Snapshot:
    """Counters of the machine and of this process at one moment.

    Attributes:
        at_s: Monotonic time.
        busy_s: Core seconds that the machine spent on anything, a hypervisor's other guests
            included; None without /proc/stat.
        own_s: Core seconds of this process and its finished children.
        ran_s: Seconds that this process's threads ran, as the scheduler counts; None without it.
        waited_s: Seconds that they were ready and had no core.
        throttles: Throttling events of all cores; None where they are not counted.
        mhz: Mean clock of the cores; None where it is not readable.
        joules: The processor package's energy counter; None where it may not be read.
    """

    at_s: float
    busy_s: float | None
    own_s: float
    ran_s: float | None
    waited_s: float | None
    throttles: int | None
    mhz: float | None
    joules: float | None


def snapshot(root: Path = SYSTEM) -> Snapshot:
    """The counters now, read below `root`."""
    own = os.times()
    ran, waited = _scheduled(root)
    return Snapshot(
        at_s=time.monotonic(),
        busy_s=_busy_s(root),
        own_s=own.user + own.system + own.children_user + own.children_system,
        ran_s=ran,
        waited_s=waited,
        throttles=_throttles(root),
        mhz=_mhz(root),
        joules=_joules(root),
    )


def other_cores(before: Snapshot, after: Snapshot) -> float | None:
    """Cores' worth of time that others took between two snapshots; None where not counted."""
    if before.busy_s is None or after.busy_s is None:
        return None
    others = (after.busy_s - before.busy_s) - (after.own_s - before.own_s)
    return max(0.0, others / max(1e-9, after.at_s - before.at_s))


def waited_share(before: Snapshot, after: Snapshot) -> float | None:
    """Share of the time in which this process was ready and had no core; None where unknown."""
    if None in (before.ran_s, after.ran_s, before.waited_s, after.waited_s):
        return None
    ran = after.ran_s - before.ran_s  # type: ignore[operator]
    waited = after.waited_s - before.waited_s  # type: ignore[operator]
    if ran < _SEEN * (after.own_s - before.own_s):
        return None  # threads that ended, as a server's do, took their counters with them
    return max(0.0, waited) / max(1e-9, ran + max(0.0, waited))


def limit_cores(threads: int) -> float:
    """Cores that others may take: those that the run leaves, and a twentieth for the system."""
    return max(0, (os.cpu_count() or 1) - threads) + 0.05


def energy_source(root: Path = SYSTEM) -> str | None:
    """The counter that `Snapshot.joules` is read from; None where there is none to be read."""
    zones = _zones(root)
    return "powercap " + ", ".join(zone.name for zone in zones) if zones else None


def joules_between(before: Snapshot, after: Snapshot, root: Path = SYSTEM) -> float | None:
    """Energy between two snapshots; a counter that ran over its end once is put right."""
    if before.joules is None or after.joules is None:
        return None
    used = after.joules - before.joules
    if used < 0:
        used += sum(_number(zone / "max_energy_range_uj") or 0.0 for zone in _zones(root)) / 1e6
    return used if used >= 0 else None


def _busy_s(root: Path) -> float | None:
    text = _text(root / "proc/stat")
    if text is None:
        return None
    # user nice system idle iowait irq softirq steal; guest times are part of user already.
    numbers = [int(part) for part in text.splitlines()[0].split()[1:9]]
    busy = sum(numbers) - numbers[3] - numbers[4]
    return busy / os.sysconf("SC_CLK_TCK")


def _scheduled(root: Path) -> tuple[float | None, float | None]:
    ran = waited = 0.0
    found = False
    for task in sorted((root / "proc/self/task").glob("*/schedstat")):
        text = _text(task)
        if text is not None:
            first, second, *_ = text.split()
            ran, waited, found = ran + int(first) / 1e9, waited + int(second) / 1e9, True
    return (ran, waited) if found else (None, None)


def _throttles(root: Path) -> int | None:
    cpus = root / "sys/devices/system/cpu"
    counts = [_number(path) for path in cpus.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")]
    known = [int(count) for count in counts if count is not None]
    return sum(known) if known else None


def _mhz(root: Path) -> float | None:
    cpus = root / "sys/devices/system/cpu"
    clocks = [_number(path) for path in cpus.glob("cpu[0-9]*/cpufreq/scaling_cur_freq")]
    known = [clock / 1e3 for clock in clocks if clock is not None]
    if not known:
        lines = (_text(root / "proc/cpuinfo") or "").splitlines()
        known = [float(line.split(":")[1]) for line in lines if line.startswith("cpu MHz")]
    return sum(known) / len(known) if known else None


def _joules(root: Path) -> float | None:
    values = [_number(zone / "energy_uj") for zone in _zones(root)]
    known = [value for value in values if value is not None]
    return sum(known) / 1e6 if known else None


def _zones(root: Path) -> list[Path]:
    """Package zones of RAPL that may be read; a zone within another has two colons."""
    zones = sorted((root / "sys/class/powercap").glob("*rapl:*"))
    return [
        zone
        for zone in zones
        if zone.name.count(":") == 1 and _number(zone / "energy_uj") is not None
    ]


def _number(path: Path) -> float | None:
    text = _text(path)
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
