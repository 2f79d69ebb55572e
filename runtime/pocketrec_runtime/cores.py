"""How many cores there are for this process."""

import os


def usable_cores() -> int:
    """Cores that the process may run on: of the machine's, those that its affinity allows."""
    if hasattr(os, "sched_getaffinity"):  # Linux: a container or taskset may allow fewer
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
