"""Memory that was freed, given back to the system."""

import ctypes
import sys


def give_back_free_memory() -> None:
    """Asks glibc to return free memory to the system; does nothing elsewhere.

    Opening a bundle parses and copies several times what stays; glibc keeps what is freed then for
    later, and the process looks some twenty megabytes larger than it is.
    """
    if not sys.platform.startswith("linux"):
        return
    # Another C library has no such function.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(ctypes.c_size_t(0))
