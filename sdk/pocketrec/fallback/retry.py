"""Whether a request that failed is sent once more, and when."""

import threading
from collections.abc import Callable

from pocketrec.fallback.faults import ServerFault

# Of these another try may well go better; what timed out has no time left, and a server that
# answers nonsense will answer it again.
_KINDS = frozenset({"refused", "broken", "truncated"})
_STATUSES = frozenset({429, 502, 503})

#: Where the server does not say, or says more than is sensible.
DEFAULT_RETRY_AFTER_S = 1.0
LONGEST_RETRY_AFTER_S = 300.0


class RetryBudget:
    """Retries as a share of requests, so that they never multiply the load of a struggling server.

    Each request puts `share` of a token in, each retry takes one out (as in Finagle and gRPC).

    Args:
        share: Retries per request in the long run.
        most: Tokens kept at most; also what there is at the start.
    """

    def __init__(self, share: float = 0.1, most: float = 3.0) -> None:
        self._share, self._most = share, most
        self._tokens = most
        self._lock = threading.Lock()

    def deposit(self) -> None:
        """One request was sent."""
        with self._lock:
            self._tokens = min(self._most, self._tokens + self._share)

    def withdraw(self) -> bool:
        """Take leave for one retry; False where there is none."""
        with self._lock:
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True


def retry_delay_s(
    fault: ServerFault, left_s: float, uniform: Callable[[], float], base_s: float = 0.02
) -> float | None:
    """Seconds until a retry, or None where there shall be none.

    A wait that the server asks for is kept in full, and a jitter comes on top.

    Args:
        fault: What the first try ended with.
        left_s: Seconds left of the deadline.
        uniform: Numbers from 0 to 1.
        base_s: The longest jitter.
    """
    if fault.kind not in _KINDS and fault.status not in _STATUSES:
        return None
    delay = (fault.retry_after_s or 0.0) + base_s * uniform()
    # What would be sent at the last moment would not be answered in time.
    return delay if delay < 0.5 * left_s else None


def parse_retry_after(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, at most LONGEST_RETRY_AFTER_S.

    A date says nothing to a device whose clock may be years off; it counts as if nothing was said.
    """
    text = (header or "").strip()
    if not (text.isascii() and text.isdigit()):
        return None
    return min(float(text[:9]), LONGEST_RETRY_AFTER_S)
