"""Two builds, or two bundles, held against each other on one device."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import geometric_mean
from typing import Literal

from pocketrec_bench.card import Card
from pocketrec_bench.compare.intervals import (
    LEAST_PAIRS,
    Interval,
    ratio_of_pairs,
    ratio_of_replicates,
    ratio_of_stretches,
)
from pocketrec_bench.compare.kinds import Pair, pairs
from pocketrec_bench.compare.verdict import CompareSettings, Verdict, judge, reason
from pocketrec_bench.device import check_one_device
from pocketrec_bench.errors import NotComparableError
from pocketrec_bench.results import Result

Metric = Literal["p50", "p90", "p99", "throughput"]

#: Figures of a run as times, so that a ratio above 1 is always slower.
_FIGURES: dict[Metric, Callable[[Result], float]] = {
    "p50": lambda result: result.latency.p50_s,
    "p90": lambda result: result.latency.p90_s,
    "p99": lambda result: result.latency.p99_s,
    "throughput": lambda result: 1 / result.throughput_qps,
}


@dataclass(frozen=True)
class Row:
    """One metric of one kind of run.

    Attributes:
        metric: Which.
        first: Geometric middle of the first side's runs: seconds, or seconds per history.
        second: Of the second side.
        interval: second / first; None where runs are too few or too short for one.
        verdict: What it says.
        reason: In words.
    """

    metric: Metric
    first: float
    second: float
    interval: Interval | None
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class KindComparison:
    """All metrics of one kind of run.

    Attributes:
        pair: The runs.
        rows: One per metric, p50 first.
        notes: What a reader must know besides.
    """

    pair: Pair
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """That of the median latency, which decides."""
        return self.rows[0].verdict


def compare_cards(
    first: Sequence[Card],
    second: Sequence[Card],
    settings: CompareSettings | None = None,
    *,
    across_devices: bool = False,
    allow_invalid: bool = False,
) -> list[KindComparison]:
    """The second side against the first, per kind of run.

    Args:
        first: Cards of the side that is the measure; replicates may stand in one or in several.
        second: Cards of the other side.
        settings: What counts as a difference.
        across_devices: Whether the cards may be of devices that differ.
        allow_invalid: Whether runs that are not valid may be compared.

    Raises:
        DeviceMismatchError: The devices differ, and that was not asked for.
        NotComparableError: A run is not valid, or nothing is comparable.
    """
    settings = CompareSettings() if settings is None else settings
    if not across_devices:
        check_one_device([card.device for card in (*first, *second)])
    if not allow_invalid:
        _check_valid(first, second)
    return [_compare(pair, settings) for pair in pairs(first, second)]


def overall(comparisons: Sequence[KindComparison]) -> Verdict:
    """One word for all: the worst that is said, "slower" before "undecided" before "equal"."""
    found = {comparison.verdict for comparison in comparisons}
    order: tuple[Verdict, ...] = ("slower", "undecided", "equal", "faster")
    return next(verdict for verdict in order if verdict in found)


def _check_valid(*sides: Sequence[Card]) -> None:
    for card in chain(*sides):
        for result in card.results:
            if not result.valid:
                raise NotComparableError(
                    f"the run of {result.subject.name} at {result.measured_at} is not valid: "
                    f"{'; '.join(result.reasons)}. Measure again, or compare all the same with "
                    "--allow-invalid"
                )


def _compare(pair: Pair, settings: CompareSettings) -> KindComparison:
    rows = tuple(_row(metric, pair, settings) for metric in _FIGURES)
    notes = [f"differs: {change}" for change in pair.changed]
    if len(pair.first) == len(pair.second) == 1:
        notes.append(
            "one run a side: runs are taken to differ by 2%, so that only a large change can be "
            "told, and equality cannot; measure with --replicate 5"
        )
    if not all(result.valid for result in (*pair.first, *pair.second)):
        notes.append("some runs are not valid")
    return KindComparison(pair, rows, tuple(notes))


def _row(metric: Metric, pair: Pair, settings: CompareSettings) -> Row:
    figure = _FIGURES[metric]
    sides = [
        [_positive(figure, result, metric) for result in side] for side in (pair.first, pair.second)
    ]
    middles = [geometric_mean(side) for side in sides]
    interval = _interval(metric, pair, sides, settings.seed)
    if interval is None:
        return Row(metric, middles[0], middles[1], None, "undecided",
                   "undecided: one run a side has no interval for this figure")  # fmt: skip
    verdict = judge(interval, settings.margin)
    return Row(metric, middles[0], middles[1], interval, verdict,
               reason(verdict, interval, settings.margin))  # fmt: skip


def _positive(figure: Callable[[Result], float], result: Result, metric: Metric) -> float:
    try:
        value = figure(result)
    except ZeroDivisionError:
        value = 0.0
    if value <= 0:
        raise NotComparableError(
            f"{metric} of the run of {result.subject.name} at {result.measured_at} is {value}; "
            "a ratio needs a figure above 0"
        )
    return value


def _interval(metric: Metric, pair: Pair, sides: list[list[float]], seed: int) -> Interval | None:
    if pair.in_turns and len(sides[0]) >= LEAST_PAIRS:
        return ratio_of_pairs(sides[0], sides[1])
    if max(map(len, sides)) > 1:
        return ratio_of_replicates(sides[0], sides[1])
    stretches = [_stretches(metric, side[0]) for side in (pair.first, pair.second)]
    if any(len(side) < 10 for side in stretches):
        return None
    return ratio_of_stretches(stretches[0], stretches[1], seed=seed)


def _stretches(metric: Metric, result: Result) -> list[float]:
    """The figure of each stretch that a result keeps; none for p99, which they do not have.

    The last stretch is cut short by the end of the load, and is left out.
    """
    whole = result.slices[:-1]
    figures = {
        "p50": [each.p50_s for each in whole],
        "p90": [each.p90_s for each in whole],
        "throughput": [1 / each.count for each in whole if each.count > 0],
    }
    return [value for value in figures.get(metric, []) if value > 0]
