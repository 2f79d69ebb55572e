"""What a store of events keeps, and how it waits and writes."""

import math
from dataclasses import dataclass

from pocketrec_runtime.errors import InputError

MEBIBYTE = 1024**2


@dataclass(frozen=True)
class EventStoreSettings:
    """Settings of an `EventStore`.

    Attributes:
        ttl_days: How long an event is kept, in days of the store's own clock, which a wrong wall
            clock does not move (see `clock.StoreClock`); None keeps events.
        max_bytes: Size of the file above which the oldest events go, at least 256 KiB. SQLite's
            log beside it takes up to 8 MiB more.
        busy_timeout_ms: How long a call waits for another process before `EventStoreBusyError`.
        power_safe: Whether a recorded event also survives a power cut: every record then waits
            for the disk. Without, it survives the death of the process, and a power cut may take
            the events of the last moments (never the store).

    Raises:
        InputError: A value is out of bounds.
    """

    ttl_days: float | None = None
    max_bytes: int = 64 * MEBIBYTE
    busy_timeout_ms: int = 5000
    power_safe: bool = False

    def __post_init__(self) -> None:
        if self.ttl_days is not None and not 0 < self.ttl_days < math.inf:
            raise InputError(f"ttl_days is {self.ttl_days}; give days above 0, or None")
        if self.max_bytes < MEBIBYTE // 4:
            raise InputError(f"max_bytes is {self.max_bytes}; give at least {MEBIBYTE // 4}")
        if not 0 <= self.busy_timeout_ms <= 600_000:
            raise InputError(f"busy_timeout_ms is {self.busy_timeout_ms}; give 0 to 600000")
