"""What a store of events keeps, and how it waits and writes."""

from dataclasses import dataclass

from pocketrec_runtime.errors import InputError

MEBIBYTE = 1024**2


@dataclass(frozen=True)
class EventStoreSettings:
    """Settings of an `EventStore`.

    Attributes:
        busy_timeout_ms: How long a call waits for another process before `EventStoreBusyError`.
        power_safe: Whether a recorded event also survives a power cut: every record then waits
            for the disk. Without, it survives the death of the process, and a power cut may take
            the events of the last moments (never the store).

    Raises:
        InputError: A value is out of bounds.
    """

    busy_timeout_ms: int = 5000
    power_safe: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.busy_timeout_ms <= 600_000:
            raise InputError(f"busy_timeout_ms is {self.busy_timeout_ms}; give 0 to 600000")
