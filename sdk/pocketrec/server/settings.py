"""How a server behaves: limits, deadlines, batches."""

import math
from dataclasses import dataclass, fields

from pocketrec_runtime.errors import InputError


@dataclass(frozen=True)
class ServerSettings:
    """Limits of one server process.

    Attributes:
        max_batch: Histories of one run of the model, at most.
        max_wait_ms: How long an idle model waits for a batch to fill; a busy one gathers what comes
            in the meantime anyway.
        max_queue: Requests that wait for the model, at most; one more is answered 429.
        deadline_ms: Longest time from a request's head to its answer, over the caller's own.
        header_timeout_ms: How long the head of a request may take, and an unused connection wait.
        body_timeout_ms: How long its body may take.
        connection_timeout_ms: How long one request may hold a connection altogether, also a caller
            that does not read its answer.
        max_connections: Open connections, at most; one more is closed at once.
        max_head_bytes: Request line and headers, at most.
        shutdown_timeout_ms: How long a stopping server finishes what is in flight.
    """

    max_batch: int = 32
    max_wait_ms: float = 2.0
    max_queue: int = 256
    deadline_ms: int = 10_000
    header_timeout_ms: int = 5_000
    body_timeout_ms: int = 5_000
    connection_timeout_ms: int = 30_000
    max_connections: int = 1_024
    max_head_bytes: int = 32 * 1024
    shutdown_timeout_ms: int = 10_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name == "max_wait_ms" else 1
            if not (isinstance(value, int | float) and math.isfinite(value) and value >= least):
                raise InputError(f"{field.name} is {value!r}; give a number of at least {least}")
