"""Timing, device and commit of a benchmark run: what every figure needs to be repeated.

Standard library and NumPy only, so that a peer's own environment can import it too. A script
calls `one_thread()` before it imports NumPy or anything that computes.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "asimddp", "i8mm")


@dataclass(frozen=True)
class Timing:
    """Wall times of one call, in milliseconds.

    Attributes:
        runs: How many calls were timed, warm-up not among them.
        median_ms: Half of the calls were at least as fast.
        p95_ms: 95% were.
        p99_ms: 99% were; says little below a few hundred runs.
        best_ms: The fastest call, which noise of the machine touches least.
    """

    runs: int
    median_ms: float
    p95_ms: float
    p99_ms: float
    best_ms: float

    def as_dict(self) -> dict[str, float]:
        """The timing as JSON values."""
        return asdict(self)


def one_thread() -> None:
    """Hold BLAS and OpenMP to one thread; works only before the package that reads it loads."""
    for name in THREAD_VARIABLES:
        os.environ[name] = "1"


def timing(seconds: Sequence[float]) -> Timing:
    """The timing that measured wall times make.

    Raises:
        ValueError: No times.
    """
    if not seconds:
        raise ValueError("no times were measured; run at least once")
    ordered = sorted(value * 1e3 for value in seconds)
    return Timing(
        runs=len(ordered),
        median_ms=_quantile(ordered, 0.50),
        p95_ms=_quantile(ordered, 0.95),
        p99_ms=_quantile(ordered, 0.99),
        best_ms=ordered[0],
    )


def measure(call: Callable[[], object], *, runs: int, warmup: int = 10) -> Timing:
    """Wall times of `runs` calls after `warmup` calls that are not counted."""
    for _ in range(warmup):
        call()
    return timing([_timed(call) for _ in range(runs)])


def interleave(
    calls: Mapping[str, Callable[[], object]], *, rounds: int, runs: int, warmup: int = 10
) -> dict[str, Timing]:
    """Wall times of several calls taken in turn, so that noise of the machine meets all alike.

    Args:
        calls: Name -> call.
        rounds: How often the turn goes around.
        runs: Timed calls of each in a round.
        warmup: Calls of each before the first round.
    """
    for call in calls.values():
        for _ in range(warmup):
            call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            call()  # brings its own data back into the cache
            times[name] += [_timed(call) for _ in range(runs)]
    return {name: timing(values) for name, values in times.items()}


def read_bandwidth_gb_s(size_mb: int = 256, runs: int = 7) -> float:
    """Bytes per second, in GB (1e9), that one thread reads from memory here: the scan's limit.

    The best of a BLAS inner product and a NumPy maximum over an array that no cache holds.
    """
    import numpy as np

    values = np.ones(size_mb * 2**20 // 4, np.float32)
    fastest = min(
        measure(call, runs=runs, warmup=1).best_ms
        for call in (lambda: np.dot(values, values), values.max)
    )
    return values.nbytes / 1e6 / fastest


def device(threads: int = 1) -> dict[str, Any]:
    """The machine in words: CPU, cores, instruction sets, memory, load, Python, threads."""
    cpu, flags = _cpu()
    return {
        "cpu": cpu,
        "instructions": [flag for flag in _FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "memory_gb": round(_memory_bytes() / 1e9, 1),
        "load_average": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "threads": threads,
    }


def commit(root: Path | None = None) -> str:
    """The checkout's commit, "-dirty" behind it where tracked files differ; "unknown" outside."""
    where = Path(__file__).resolve().parents[2] if root is None else root
    try:
        head = _git(where, "rev-parse", "HEAD")
        changed = _git(where, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}-dirty" if changed else head


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Installed versions of distributions; those that are not installed are left out."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would count the process that started this one: it survives exec.
        lines = status.read_text(encoding="utf-8").splitlines()
        [peak] = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        return int(peak) / 2**10
    peak_rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak_rss / 2**20 if sys.platform == "darwin" else peak_rss / 2**10


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a run's record as JSON, its commit and time added.

    Raises:
        ValueError: The record holds NaN or infinity.
    """
    document = {
        "commit": commit(),
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **record,
    }
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed."""
    place = -(-share * len(ordered) // 1)
    return ordered[max(0, int(place) - 1)]


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments],  # noqa: S607 - whichever git the developer uses
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def _cpu() -> tuple[str, set[str]]:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine(), set()
    fields = dict(
        (part.strip() for part in line.split(":", 1))
        for line in reversed(info.read_text(encoding="utf-8").splitlines())
        if ":" in line
    )
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    return fields.get("model name", platform.machine()), flags


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
