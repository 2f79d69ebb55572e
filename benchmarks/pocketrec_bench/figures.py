"""The figures of one run, part by part; `results.Result` holds them together.

Times are seconds, sizes bytes. None always means "not measured", never zero.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

#: Shares at which `Latency.curve_s` has the quantiles.
CURVE = (0.01, 0.05, *(tenth / 10 for tenth in range(1, 10)), 0.95, 0.98, 0.99, 0.995, 0.999)


@dataclass(frozen=True)
class Latency:
    """How long calls of one kind took.

    Attributes:
        count: Calls that were timed, warm-up not among them.
        min_s: The fastest.
        mean_s: Their mean.
        p50_s: Half were at most as slow (nearest rank).
        p90_s: 90% were.
        p99_s: 99% were; says little below 662 calls.
        max_s: The slowest.
        curve_s: Quantiles at the shares of `CURVE`, for drawings; empty where they were not kept.
            Two sets of figures are equal whether they were kept or not.
    """

    count: int
    min_s: float
    mean_s: float
    p50_s: float
    p90_s: float
    p99_s: float
    max_s: float
    curve_s: tuple[float, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count is {self.count}; at least one call must have been timed")
        ordered = (self.min_s, self.p50_s, self.p90_s, self.p99_s, self.max_s)
        if not all(math.isfinite(value) for value in ordered) or self.min_s < 0:
            raise ValueError(f"times are {ordered}; they must be finite and not negative")
        if list(ordered) != sorted(ordered):
            raise ValueError(f"min, p50, p90, p99, max are {ordered}; they must not fall")
        within = (self.min_s, *self.curve_s, self.max_s)
        if self.curve_s and (len(self.curve_s) != len(CURVE) or list(within) != sorted(within)):
            raise ValueError(
                f"curve has {len(self.curve_s)} quantiles; it must have {len(CURVE)} that do not "
                "fall, between min and max"
            )

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Latency":
        """The figures of measured times.

        Raises:
            ValueError: No times.
        """
        ordered = sorted(float(value) for value in seconds)
        if not ordered:
            raise ValueError("no times were measured; run at least once")
        return cls(
            count=len(ordered),
            min_s=ordered[0],
            mean_s=math.fsum(ordered) / len(ordered),
            p50_s=nearest_rank(ordered, 0.50),
            p90_s=nearest_rank(ordered, 0.90),
            p99_s=nearest_rank(ordered, 0.99),
            max_s=ordered[-1],
            curve_s=tuple(nearest_rank(ordered, share) for share in CURVE),
        )


@dataclass(frozen=True)
class Stages:
    """What each part of the way costs, each timed by itself.

    Attributes:
        imports: Importing the runtime and the backend, in fresh processes.
        open_verify: Reading and hashing the bundle, opening its models, the golden self-test; in
            fresh processes, like the next.
        first_answer: The first `recommend` after that.
        prefill: Reading a whole history.
        append: Reading one event more from the cache.
        scan: The exact top-k of a user vector.
        end_to_end: The call that an app makes: `recommend` with ids in and ranked items out.
    """

    imports: Latency
    open_verify: Latency
    first_answer: Latency
    prefill: Latency
    append: Latency
    scan: Latency
    end_to_end: Latency


@dataclass(frozen=True)
class LoadGenRun:
    """What LoadGen itself says of the load.

    Attributes:
        version: Its version and commit.
        valid: Its verdict, with min duration, min queries and early stopping.
        reasons: Why not, in its words.
        queries: Queries that it issued.
        p50_s: Its own median latency, the harness included; None where it does not say.
        p90_s: Its 90th percentile.
        p99_s: Its 99th.
        early_stopping_p90_s: Its bound of p90 with 99% confidence; None below 64 queries.
        early_stopping_p99_s: Its bound of p99; None below 662 queries.
    """

    version: str
    valid: bool
    reasons: tuple[str, ...]
    queries: int
    p50_s: float | None
    p90_s: float | None
    p99_s: float | None
    early_stopping_p90_s: float | None
    early_stopping_p99_s: float | None


@dataclass(frozen=True)
class Slice:
    """One stretch of the load: the raw material of intervals and of plots over time.

    Attributes:
        start_s: Since the first query.
        count: Queries that ended in it.
        p50_s: Their median latency.
        p90_s: Their 90th percentile.
    """

    start_s: float
    count: int
    p50_s: float
    p90_s: float


@dataclass(frozen=True)
class Sustained:
    """Whether the device keeps its speed.

    Attributes:
        window_s: Length of the first and of the last stretch; 30 s in a valid run.
        first_s: Median latency in the first.
        last_s: Median latency in the last.
        ratio: last_s / first_s.
        throttled: The ratio is above 1.10, or the processor counted a throttling event.
        throttle_events: Counted by the processor during the load; None where it does not count.
        mhz_first: Mean clock of all cores as the load began; None where it is not readable.
        mhz_last: As it ended.
    """

    window_s: float
    first_s: float
    last_s: float
    ratio: float
    throttled: bool
    throttle_events: int | None
    mhz_first: float | None
    mhz_last: float | None


@dataclass(frozen=True)
class Memory:
    """Memory of a fresh process that opened the bundle and answered for one user.

    Attributes:
        base_bytes: Resident before the bundle was opened, packages imported.
        resident_bytes: Resident after the answers.
        peak_bytes: Largest resident so far.
    """

    base_bytes: int
    resident_bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class Energy:
    """Energy of the whole package, as the processor's own counter has it.

    Attributes:
        source: Where the counter was read.
        joules: During the load.
        joules_per_query: Divided by its queries; the idle machine is not subtracted.
    """

    source: str
    joules: float
    joules_per_query: float


@dataclass(frozen=True)
class Accuracy:
    """The accuracy run: the same system under test, every history once, answers compared.

    Attributes:
        queries: Histories that were answered.
        metric: "ndcg@10" on held-out events; "agreement@10" where there are none: NDCG@10 with the
            reference's own top ten as graded relevance, 1 where the order is the same.
        value: Of this run's answers.
        reference_value: Of the reference's answers; 1 for agreement.
        ratio: value / reference_value.
        floor: Least ratio that passes.
        overlap: Mean share of the reference's top ten that was answered.
        reference: What the reference is, in words.
        recorded: NDCG@10 in the bundle's own manifest for its shipped model; None where there is
            none, or the split is another.
        passed: The ratio is at least the floor, here and to what is recorded.
    """

    queries: int
    metric: Literal["ndcg@10", "agreement@10"]
    value: float
    reference_value: float
    ratio: float
    floor: float
    overlap: float
    reference: str
    recorded: float | None
    passed: bool


@dataclass(frozen=True)
class Bandwidth:
    """How near a query comes to the memory's limit.

    Attributes:
        machine_bytes_s: What the threads of the run read from memory, measured in this run.
        query_bytes: Bytes that one query must read at least: weights once, keys and values, rows.
        query_bytes_s: query_bytes over the median latency.
        share: query_bytes_s / machine_bytes_s. Above 1 where caches hold what is read.
    """

    machine_bytes_s: float
    query_bytes: int
    query_bytes_s: float
    share: float


@dataclass(frozen=True)
class Overhead:
    """What measuring itself costs.

    Attributes:
        timer_s: Median cost of reading the clock twice: every figure of a stage carries it.
        harness_s: Median latency of an empty query through LoadGen: the load's figures carry it.
        fastest_s: The median that it weighs on most, of the stages and of the load.
        share: What that median carries, over it.
        limit: Largest share of a valid result.
    """

    timer_s: float
    harness_s: float
    fastest_s: float
    share: float
    limit: float


@dataclass(frozen=True)
class Load:
    """Who else used the machine.

    Attributes:
        load_average: Of one minute, before the run.
        other_cores: Cores' worth of time that others took during the load, a hypervisor included.
        limit_cores: Most of it in a valid result: the cores that the run does not use.
        waited_share: Share of the time in which this process was ready to run and had no core.
        waited_limit: Most of it in a valid result.
    """

    load_average: float
    other_cores: float | None
    limit_cores: float
    waited_share: float | None
    waited_limit: float


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """The smallest of ascending values that at least this share of all does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]
