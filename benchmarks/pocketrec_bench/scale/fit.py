"""Laws of growth: how a cost depends on a size, and where the law bends."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_bench.compare.intervals import t_quantile

_LEAST_SIDE = 3
_BEND_GAIN = 4.0


@dataclass(frozen=True)
class Estimate:
    """A fitted number with its 95% interval over rounds.

    Attributes:
        value: The mean of the rounds' fits.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bend:
    """Where a cost starts to grow at another rate.

    Attributes:
        size: The last size of the first part.
        before: Cost of one unit more up to there.
        after: Cost of one unit more beyond.
    """

    size: int
    before: float
    after: float


@dataclass(frozen=True)
class Fit:
    """What a cost is at any size: fixed + each * size.

    Attributes:
        fixed: Cost at size 0.
        each: Cost of one unit more.
        slope: Of the logarithm of the cost over that of the size, on the upper half of the sizes:
            1 is proportional, 0 does not depend.
        worst: Largest relative error of the line at a measured size.
        bend: None where two lines fit little better than one.
    """

    fixed: Estimate
    each: Estimate
    slope: Estimate
    worst: float
    bend: Bend | None


def fit_growth(sizes: Sequence[int], rounds: Sequence[Sequence[float]]) -> Fit:
    """The law of a cost that was measured at each size in each round.

    Rounds are independent, costs of one round are not: each round is fitted by itself, and the
    interval is Student's over the rounds. The line is fitted to relative errors, so that small
    sizes count as much as large ones.

    Args:
        sizes: Ascending, at least three.
        rounds: At least two; positive costs, one per size.

    Raises:
        ValueError: Too few sizes or rounds, or costs that are not positive.
    """
    x = np.asarray(sizes, np.float64)
    y = np.asarray(rounds, np.float64)
    if x.size < 3 or np.any(np.diff(x) <= 0) or x[0] <= 0:
        raise ValueError(f"sizes are {list(sizes)[:5]}; give three or more, ascending, above 0")
    if y.ndim != 2 or y.shape[0] < 2 or y.shape[1] != x.size or not np.all(y > 0):
        raise ValueError("costs must be positive, one per size, in at least two rounds")
    lines = np.array([_line(x, costs) for costs in y])
    upper = slice(x.size // 2, None)
    slopes = [float(np.polyfit(np.log(x[upper]), np.log(costs[upper]), 1)[0]) for costs in y]
    middle = np.median(y, axis=0)
    fixed, each = _line(x, middle)
    worst = float(np.max(np.abs((fixed + each * x) / middle - 1)))
    return Fit(
        _estimate(lines[:, 0]), _estimate(lines[:, 1]), _estimate(np.array(slopes)), worst,
        _bend(x, y),
    )  # fmt: skip


def at(fit: Fit, size: float) -> float:
    """The cost that a fit says for a size; beyond a bend, along the part behind it."""
    bend = fit.bend
    if bend is None or size <= bend.size:
        return fit.fixed.value + fit.each.value * size
    return fit.fixed.value + bend.before * bend.size + bend.after * (size - bend.size)


def relative_line(sizes: Sequence[int], costs: Sequence[float]) -> tuple[float, float]:
    """(fixed, each) of the line with the least squares of relative errors, neither below 0."""
    return _line(np.asarray(sizes, np.float64), np.asarray(costs, np.float64))


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """(a, b) of a + b x with the least squares of relative errors, neither below 0."""
    a, b = _free_line(x, y)
    if a < 0:
        a, b = 0.0, float((x / y).sum() / ((x / y) ** 2).sum())
    if b < 0:
        a, b = float((1 / y).sum() / ((1 / y) ** 2).sum()), 0.0
    return a, b


def _free_line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """The same with any sign: a steeper second part starts below 0."""
    design = np.stack([1 / y, x / y], axis=1)
    (a, b), *_ = np.linalg.lstsq(design, np.ones_like(y), rcond=None)
    return float(a), float(b)


def _error(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    a, b = _free_line(x, y)
    return float((((a + b * x) / y - 1) ** 2).sum())


def _bend(x: NDArray[np.float64], rounds: NDArray[np.float64]) -> Bend | None:
    """The place where two lines fit best, if they fit much better than one in every sense.

    Their squared error must be a quarter of one line's at most, and the rounds must agree that the
    rates before and after differ.
    """
    y = np.median(rounds, axis=0)
    places = range(_LEAST_SIDE, x.size - _LEAST_SIDE + 1)
    if not places:
        return None
    errors = [_error(x[:n], y[:n]) + _error(x[n:], y[n:]) for n in places]
    best = int(np.argmin(errors))
    # A perfect line leaves rounding only, which no second line should be praised for.
    if _error(x, y) < max(_BEND_GAIN * errors[best], 1e-3):
        return None
    n = places[best]
    change = [_free_line(x[n:], costs[n:])[1] - _free_line(x[:n], costs[:n])[1] for costs in rounds]
    sure = _estimate(np.array(change))
    # Twice the interval: the place was chosen among several.
    if abs(sure.value) <= 2 * (sure.high - sure.value):
        return None
    return Bend(int(x[n - 1]), _free_line(x[:n], y[:n])[1], _free_line(x[n:], y[n:])[1])


def _estimate(values: NDArray[np.float64]) -> Estimate:
    mean = float(values.mean())
    half = t_quantile(len(values) - 1) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Estimate(mean, mean - half, mean + half)
