"""One event: who did what with which item, and when."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from pocketrec_runtime.errors import InputError

MAX_TEXT_BYTES = 1024
YEAR_10000_S = 253_402_300_800.0


@dataclass(frozen=True)
class Event:
    """One event of a user, checked when made.

    Attributes:
        user: The user's name, as the app calls them; 1 to 1024 bytes of UTF-8, without NUL.
        item: The item's id, likewise. The catalogue need not hold it.
        event: What happened, likewise: "click", "dislike" or a word of the app's own.
        time_s: When, in seconds since 1970, as the app says. Order is that of recording, so that
            a clock that is wrong changes no history.
        sequence: The event's place in its store, from 1; 0 where it is in none.

    Raises:
        InputError: A text is no string, empty, too long, holds NUL or a lone surrogate; or the
            time is no finite number, before 1970 or after the year 9999.
    """

    user: str
    item: str
    event: str
    time_s: float
    sequence: int = 0

    def __post_init__(self) -> None:
        for name in ("user", "item", "event"):
            check_text(name, getattr(self, name))
        check_time(self.time_s)
        object.__setattr__(self, "time_s", float(self.time_s))

    def as_dict(self) -> dict[str, Any]:
        """The event as JSON values."""
        return asdict(self)


def check_text(name: str, value: object) -> None:
    """Returns where a value may be stored as a text.

    Raises:
        InputError: As `Event`.
    """
    if not isinstance(value, str):
        raise InputError(f"{name} is {value!r}, a {type(value).__name__}; give a string")
    try:
        size_bytes = len(value.encode())
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name} is {value!a}, whose character {error.start} is half of a surrogate pair; "
            "decode it as UTF-8 first"
        ) from error
    if not 1 <= size_bytes <= MAX_TEXT_BYTES:
        raise InputError(f"{name} takes {size_bytes} bytes; give 1 to {MAX_TEXT_BYTES}")
    if "\0" in value:
        raise InputError(f"{name} is {value!a}; a NUL cannot be stored")


def check_time(time_s: object) -> None:
    """Returns where a value may be stored as a time.

    Raises:
        InputError: As `Event`.
    """
    if isinstance(time_s, bool) or not isinstance(time_s, int | float):
        raise InputError(f"time_s is {time_s!r}; give seconds since 1970 as a number")
    # Compared before it is converted: an int may be too large for a float.
    if not 0 <= time_s < YEAR_10000_S or not math.isfinite(time_s):
        raise InputError(
            f"time_s is {str(time_s)[:40]}; give seconds (not milliseconds) since 1970, before the "
            "year 10000"
        )
