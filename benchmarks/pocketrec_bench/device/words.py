"""Small texts of the system, cut to what may stand on a card."""

import re

MAX_WORDS = 120
_VERSION = re.compile(r"\d+(?:[.\-_]\d+)*")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a0-\ud7ff]+")


def words(text: str) -> str:
    """One line of printable text of at most `MAX_WORDS` characters; "unknown" where none is left.

    Firmware ends its texts with NUL, and pads the processor's name with blanks.
    """
    line = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return line[:MAX_WORDS].strip() or "unknown"


def version_number(text: str) -> str:
    """The number that a version starts with: what follows may name who built it, or for whom.

    >>> version_number("6.8.0-45-generic")
    '6.8.0-45'
    """
    found = _VERSION.match(text.strip())
    return found.group() if found else "unknown"


def count_cpus(text: str) -> int | None:
    """How many processors a list of Linux names: "0-3,8" are 5; None where it is no list."""
    total = 0
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            return None
        total += int(last or first) - int(first) + 1
    return total


def size_bytes(text: str) -> int | None:
    """Bytes of "32K", "8M" or "1024"; None for anything else."""
    found = re.fullmatch(r"(\d{1,12})\s*([KMG]?)(?:i?B)?", text.strip())
    if not found:
        return None
    return int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2]]
