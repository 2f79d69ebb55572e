"""Resident memory of this process, from the system."""

import os
import resource
import subprocess
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def resident_bytes() -> int:
    """Bytes of this process that are in memory now."""
    if _STATUS.exists():
        return _field("VmRSS:")
    done = subprocess.run(  # noqa: S603 - a number of our own
        ["ps", "-o", "rss=", "-p", str(os.getpid())],  # noqa: S607 - the system's own
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout) * 1024


def peak_bytes() -> int:
    """Most bytes of this process that were in memory at once."""
    if _STATUS.exists():
        # getrusage would count the process that started this one: it survives exec.
        return _field("VmHWM:")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _field(name: str) -> int:
    lines = _STATUS.read_text(encoding="utf-8").splitlines()
    [kilobytes] = [line.split()[1] for line in lines if line.startswith(name)]
    return int(kilobytes) * 1024
