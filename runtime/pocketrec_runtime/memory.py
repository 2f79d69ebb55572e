"""Memory of this process: the most that it held, and what was freed given back."""

import ctypes
import sys
from pathlib import Path


def give_back_free_memory() -> None:
    """Asks glibc to return free memory to the system; does nothing elsewhere.

    Opening a bundle parses and copies several times what stays, and while a scan is built its rows
    stand in several buffers at once. glibc keeps what is freed for allocations that do not come:
    some twenty megabytes of the one, as much again as the rows of the other.
    """
    if not sys.platform.startswith("linux"):
        return
    # Another C library has no such function.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(ctypes.c_size_t(0))


def reset_peak_memory() -> None:
    """Lets `peak_memory_bytes` count from now on, where the system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def peak_memory_bytes() -> int:
    """Most bytes of this process that were in memory at once, since the last reset."""
    try:
        # getrusage would count the process that started this one: it survives exec.
        status = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace")
        kilobytes = next(
            line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")
        )
        return int(kilobytes) * 1024
    except (OSError, StopIteration):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
