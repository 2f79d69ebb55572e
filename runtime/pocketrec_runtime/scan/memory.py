"""Memory that the allocator keeps after large buffers were freed."""

import ctypes
import sys


def release_freed_memory() -> None:
    """Gives freed memory back to the system where glibc would keep it; elsewhere does nothing.

    While a scan is built, its rows stand in several buffers at once. glibc keeps those that are
    freed, as much again as the rows, for allocations that do not come.
    """
    if not sys.platform.startswith("linux"):
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # musl has none
        trim(0)
