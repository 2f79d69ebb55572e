"""One deadline for one answer, carried from the app to the last byte that is read."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from pocketrec_runtime.errors import InputError

Clock = Callable[[], float]
"""Seconds that never go back, from any origin."""


@dataclass(frozen=True)
class Deadline:
    """A moment of a monotonic clock, by which an answer must be there.

    Attributes:
        at_s: The moment, in seconds of `clock`.
        clock: What `at_s` is compared with; never the time of day, which may jump.
    """

    at_s: float
    clock: Clock = field(default=time.monotonic, repr=False)

    @classmethod
    def after_ms(cls, budget_ms: float, clock: Clock = time.monotonic) -> Self:
        """The deadline that lies `budget_ms` from now.

        Raises:
            InputError: The budget is not finite, or below 0.
        """
        if not (math.isfinite(budget_ms) and budget_ms >= 0):
            raise InputError(f"deadline is {budget_ms} ms; give a finite number of at least 0")
        return cls(clock() + budget_ms / 1e3, clock)

    def left_s(self) -> float:
        """Seconds until the deadline; 0 once it has passed."""
        return max(0.0, self.at_s - self.clock())

    def left_ms(self) -> float:
        """Milliseconds until the deadline; 0 once it has passed."""
        return self.left_s() * 1e3

    def sooner_ms(self, margin_ms: float) -> "Deadline":
        """The deadline that lies `margin_ms` before this one."""
        return Deadline(self.at_s - margin_ms / 1e3, self.clock)
