"""Resident memory of this process, from the system."""

import os
import subprocess
from pathlib import Path

_STATUS = Path("/proc/self/status")


def resident_bytes() -> int:
    """Bytes of this process that are in memory now."""
    if _STATUS.exists():
        lines = _STATUS.read_text(encoding="utf-8").splitlines()
        [kilobytes] = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
        return int(kilobytes) * 1024
    done = subprocess.run(  # noqa: S603 - a number of our own
        ["ps", "-o", "rss=", "-p", str(os.getpid())],  # noqa: S607 - the system's own
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout) * 1024
