"""What this machine reads from memory, and how near a query comes to it."""

import threading
from time import perf_counter_ns

import numpy as np

from pocketrec_bench.figures import Bandwidth
from pocketrec_bench.results import Division
from pocketrec_runtime import Engine
from pocketrec_runtime.bundle import Bundle, names
from pocketrec_runtime.state import cache_bytes

_SIZE_BYTES = 256 * 2**20
_RUNS = 5

_ROWS = (names.ROWS_FLOAT32, names.ROWS_INT8, names.ROWS_INT4, names.SCALES, names.BIAS)


def read_bytes_s(threads: int = 1, size_bytes: int = _SIZE_BYTES, runs: int = _RUNS) -> float:
    """Bytes a second that so many threads read from memory: the best of some runs.

    Each thread takes the maximum of a part of its own of an array that no cache holds.

    Args:
        threads: How many read at once.
        size_bytes: Of the array.
        runs: The fastest counts: others only ever slow a run down.
    """
    parts = np.array_split(np.ones(max(threads, size_bytes // 4), np.float32), threads)
    return size_bytes / min(_read_s(parts) for _ in range(runs))


def bandwidth(
    bundle: Bundle, engine: Engine, history: tuple[int, ...], division: Division,
    *, median_s: float, machine_bytes_s: float,
) -> Bandwidth:  # fmt: skip
    """The share of the machine's bandwidth that a query of median latency takes.

    Args:
        bundle: For the sizes of its files.
        engine: For the size of a state.
        history: A typical one.
        division: Uncached queries read no kept keys and values.
        median_s: Of one history's answer.
        machine_bytes_s: As `read_bytes_s`.
    """
    files = bundle.manifest.files
    total = files[engine.backend.file].size_bytes
    total += sum(files[name].size_bytes for name in _ROWS if name in files)
    if division == "cached":
        total += cache_bytes(engine.prefill(history)[0].kv)
    reached = total / median_s
    return Bandwidth(machine_bytes_s, total, reached, reached / machine_bytes_s)


def _read_s(parts: list[np.ndarray]) -> float:
    workers = [threading.Thread(target=part.max) for part in parts[1:]]
    begun = perf_counter_ns()
    for worker in workers:
        worker.start()
    parts[0].max()
    for worker in workers:
        worker.join()
    return (perf_counter_ns() - begun) / 1e9
