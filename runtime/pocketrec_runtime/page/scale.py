"""Axes: where on a width a value stands, and which round values are written under it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Maps values from `low` to `high` onto 0 to 100 percent of a width.

    `log` says that equal ratios, not equal differences, are equally far apart.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(
                f"a scale from {self.low} to {self.high} (log: {self.log}) has no width"
            )

    def position(self, value: float) -> float:
        """Percent of the width at which `value` stands, clipped to 0 to 100."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return 100 * (at - low) / (high - low)

    def ticks(self) -> list[float]:
        """Round values along the scale: about four, or powers of ten and what lies between few."""
        if self.log:
            first = math.ceil(math.log10(self.low) - 1e-9)
            last = math.floor(math.log10(self.high) + 1e-9)
            powers = [10.0**exponent for exponent in range(first, last + 1)]
            if len(powers) > 2:
                return powers
            steps = [10.0**at * step for at in (first - 1, first) for step in (1, 2, 3, 5)]
            return [step for step in steps if self.low <= step <= self.high]
        step = _round_step((self.high - self.low) / 4)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [step * index for index in range(first, last + 1)]


def linear_scale(values: Sequence[float], *, zero: bool = True) -> Scale:
    """A scale that holds all of `values` (and zero), with a little air at the far ends."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        high = low + 1.0
    air = 0.04 * (high - low)
    # A bar grows from an end at zero, so no air stands there.
    return Scale(low if zero and low == 0 else low - air, 0.0 if zero and high == 0 else high + air)


def log_scale(values: Sequence[float]) -> Scale:
    """A logarithmic scale over whole powers of ten that holds all of the positive `values`."""
    positive = [value for value in values if value > 0] or [1.0]
    low = 10.0 ** math.floor(math.log10(min(positive)))
    high = 10.0 ** math.ceil(math.log10(max(positive)))
    return Scale(low, high if high > low else 10 * low, log=True)


def tight_log_scale(values: Sequence[float]) -> Scale:
    """A logarithmic scale that ends near the positive `values`, so that small spreads are seen."""
    positive = [value for value in values if value > 0] or [1.0]
    return Scale(min(positive) / 1.25, max(positive) * 1.25, log=True)


def _round_step(step: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(
        factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= step * 0.999
    )
