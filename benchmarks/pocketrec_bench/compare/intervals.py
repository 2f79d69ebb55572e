"""Intervals for a ratio of times, from replicates or from the stretches of single runs.

Everything is done on logarithms: a ratio is a difference there, and a neighbour on the machine
makes a run slower by a factor. Queries that follow each other are not independent, so no interval
here is made from single queries. The unit is the run (Kalibera and Jones, Rigorous benchmarking
in reasonable time, ISMM 2013); within one run it is a block of consecutive stretches (Künsch, The
jackknife and the bootstrap for general stationary observations, Ann. Statist. 1989).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# 97.5% points of Student's t for 1 to 30 degrees of freedom.
_T = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
    2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
    2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
)  # fmt: skip
_T_LIMIT = 1.95996
_RESAMPLES = 2_000
BETWEEN_RUNS = 0.05 / 2.326
"""Standard deviation of runs whose five replicates lie 5% apart: the mean range of five draws of
a normal variable is 2.326 of its standard deviations (Tippett, Biometrika 1925)."""
_LEAST_STRETCHES = 10
LEAST_PAIRS = 3


@dataclass(frozen=True)
class Interval:
    """A ratio with its 95% interval.

    Attributes:
        ratio: The estimate.
        low: Lower end.
        high: Upper end.
        method: What the interval was made from, in words.
    """

    ratio: float
    low: float
    high: float
    method: str

    @property
    def spread(self) -> float:
        """How far the farther end lies from the estimate, as a share of it."""
        return max(self.high / self.ratio, self.ratio / self.low) - 1


def t_quantile(degrees: float) -> float:
    """The 97.5% point of Student's t, within 0.1%; between whole degrees on 1 / degrees.

    Raises:
        ValueError: Fewer than 1 degree of freedom.
    """
    if degrees < 1:
        raise ValueError(f"degrees of freedom are {degrees}; at least 1 is needed")
    if degrees >= len(_T):
        last = len(_T)
        return _T_LIMIT + (_T[-1] - _T_LIMIT) * last / degrees
    lower = int(degrees)
    weight = (1 / lower - 1 / degrees) / (1 / lower - 1 / (lower + 1))
    return _T[lower - 1] + weight * (_T[lower] - _T[lower - 1])


def ratio_of_replicates(first: Sequence[float], second: Sequence[float]) -> Interval:
    """Second / first from one figure per run: Welch's interval on the logarithms.

    Where one side has a single run, it is taken to vary as the other side's runs do.

    Args:
        first: A positive figure of each run of the first side; two runs on one side at least.
        second: Of the second.

    Raises:
        ValueError: A single run on both sides, or a figure that is not positive.
    """
    a, b = np.log(_positive(first)), np.log(_positive(second))
    if len(a) < 2 and len(b) < 2:
        raise ValueError("one run a side has no replicates; give at least two on one side")
    variance_a = float(a.var(ddof=1)) if len(a) > 1 else float(b.var(ddof=1))
    variance_b = float(b.var(ddof=1)) if len(b) > 1 else variance_a
    shares = variance_a / len(a), variance_b / len(b)
    error = math.sqrt(sum(shares))
    if len(a) > 1 and len(b) > 1:
        degrees = _welch(shares, (len(a) - 1, len(b) - 1))
    else:
        degrees = max(len(a), len(b)) - 1
    method = f"Student's t over {len(a)} and {len(b)} runs"
    return _interval(float(b.mean() - a.mean()), t_quantile(degrees) * error, method)


def ratio_of_pairs(first: Sequence[float], second: Sequence[float]) -> Interval:
    """Second / first of runs that were taken in turns: Student's interval over the pairs.

    What slows a machine for minutes meets both of a pair, and leaves their ratio alone.

    Args:
        first: A positive figure of each run of the first side, in order, at least three.
        second: Of the second side; the run beside each.

    Raises:
        ValueError: Fewer than three pairs, sides of unequal size, or a figure not above 0.
    """
    a, b = np.log(_positive(first)), np.log(_positive(second))
    if len(a) != len(b) or len(a) < LEAST_PAIRS:
        raise ValueError(f"{len(a)} and {len(b)} runs are no pairs; give three or more of each")
    change = b - a
    error = float(change.std(ddof=1)) / math.sqrt(len(change))
    method = f"Student's t over {len(a)} pairs of runs taken in turns"
    return _interval(float(change.mean()), t_quantile(len(a) - 1) * error, method)


def ratio_of_stretches(
    first: Sequence[float], second: Sequence[float], *, seed: int = 0
) -> Interval:
    """Second / first of two single runs from a figure per stretch: a moving block bootstrap.

    How much runs differ from each other no single run knows. They are taken to differ as five
    replicates do that just agree (`BETWEEN_RUNS`), which widens the interval.

    Args:
        first: A positive figure of each stretch of the first run, in order, at least 10.
        second: Of the second run.
        seed: Of the bootstrap.

    Raises:
        ValueError: Fewer than 10 stretches, or a figure that is not positive.
    """
    rng = np.random.default_rng(seed)
    sides = [np.log(_positive(side)) for side in (first, second)]
    for side in sides:
        if len(side) < _LEAST_STRETCHES:
            raise ValueError(f"{len(side)} stretches are too few; at least 10 are needed")
    means = [_block_means(side, rng) for side in sides]
    low, high = np.quantile(means[1] - means[0], (0.025, 0.975))
    centre = float(sides[1].mean() - sides[0].mean())
    runs = _T_LIMIT * math.sqrt(2) * BETWEEN_RUNS
    return Interval(
        math.exp(centre),
        math.exp(centre - math.hypot(centre - low, runs)),
        math.exp(centre + math.hypot(high - centre, runs)),
        f"block bootstrap over {len(first)} and {len(second)} stretches of one run a side",
    )


def _block_means(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Means of resampled series: blocks of sqrt(n) neighbours, the end joined to the start."""
    length = max(1, round(math.sqrt(len(values))))
    around = np.concatenate([values, values[: length - 1]])
    blocks = np.lib.stride_tricks.sliding_window_view(around, length).mean(axis=1)
    starts = rng.integers(len(blocks), size=(_RESAMPLES, -(-len(values) // length)))
    return np.asarray(blocks[starts].mean(axis=1))


def _welch(shares: tuple[float, float], degrees: tuple[int, int]) -> float:
    """Welch-Satterthwaite; as cautious as possible where nothing varied."""
    total = sum(shares)
    if total == 0:
        return float(min(degrees))
    parts = (share**2 / each for share, each in zip(shares, degrees, strict=True))
    return max(1.0, total**2 / sum(parts))


def _interval(centre: float, half: float, method: str) -> Interval:
    return Interval(math.exp(centre), math.exp(centre - half), math.exp(centre + half), method)


def _positive(values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.size == 0 or not np.all(np.isfinite(array) & (array > 0)):
        raise ValueError("figures must be above 0 and finite, at least one a side")
    return array
