"""What a run is asked to do, checked before anything is opened."""

from dataclasses import dataclass, field
from typing import get_args

from pocketrec_bench.results import Division, Scenario
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.towers import RunSettings

VALID_SECONDS = 60.0
"""Shortest load of a valid run; MLPerf's rule is longer for servers and this for the edge."""

VALID_QUERIES = 1024
"""Least number of queries of a valid run, MLPerf's for single-stream."""

QUICK_SECONDS, QUICK_QUERIES = 1.0, 64
_LONGEST_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class Effort:
    """How much is measured beside the load.

    Attributes:
        cold_starts: Fresh processes.
        stage_seconds: For all stages together.
        overhead_seconds: For empty queries.
        calibrate_seconds: For the queries that tell LoadGen what to expect.
        settle_seconds: For a look at what other processes take before the run.
        read_bytes: Of the array whose reading gives the machine's bandwidth.
    """

    cold_starts: int
    stage_seconds: float
    overhead_seconds: float
    calibrate_seconds: float
    settle_seconds: float
    read_bytes: int


FULL = Effort(5, 6.0, 0.5, 2.0, 1.0, 256 * 2**20)
QUICK = Effort(1, 0.2, 0.05, 0.1, 0.05, 64 * 2**20)


@dataclass(frozen=True)
class BenchPlan:
    """How a bundle is to be measured.

    Attributes:
        scenario: How queries arrive: "single-stream" (the next when the last was answered),
            "multi-stream" (`streams` at once, likewise), "offline" (all at once) or "server"
            (at random times, `target_qps` a second).
        division: "cached" or "uncached", see `results.Settings`.
        run: Backend, devices, threads.
        seconds: Least time of the load; None for 60, or 1 in a quick run.
        min_queries: Least number of queries; None for 1,024, or 64 in a quick run.
        samples: Different histories in the load, at most.
        k: Items in an answer.
        streams: Histories in one multi-stream query; MLPerf's eight.
        target_qps: Arrivals a second in the server scenario; None for half of what one stream
            reaches.
        target_latency_s: What 99% of the server scenario's queries must meet; MLPerf's 10 ms.
        seed: Of histories that are drawn.
        quick: A trial of a second or two, which is never valid.
    """

    scenario: Scenario = "single-stream"
    division: Division = "cached"
    run: RunSettings = field(default_factory=RunSettings)
    seconds: float | None = None
    min_queries: int | None = None
    samples: int = 1024
    k: int = 10
    streams: int = 8
    target_qps: float | None = None
    target_latency_s: float = 0.010
    seed: int = 7
    quick: bool = False

    def __post_init__(self) -> None:
        if self.scenario not in get_args(Scenario):
            raise InputError(f"scenario is {self.scenario!r}; give {', '.join(get_args(Scenario))}")
        if self.division not in get_args(Division):
            raise InputError(f"division is {self.division!r}; give cached or uncached")
        if not 0.05 <= self.load_seconds <= _LONGEST_SECONDS:
            raise InputError(f"seconds is {self.seconds}; give 0.05 to {_LONGEST_SECONDS:g}")
        for name in ("load_queries", "samples", "k", "streams"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; give 1 or more")
        if self.target_qps is not None and not self.target_qps > 0:
            raise InputError(f"target_qps is {self.target_qps}; give more than 0")
        if not self.target_latency_s > 0:
            raise InputError(f"target latency is {self.target_latency_s} s; give more than 0")
        self._check_validity()

    @property
    def load_seconds(self) -> float:
        """Least time of the load."""
        if self.seconds is not None:
            return self.seconds
        return QUICK_SECONDS if self.quick else VALID_SECONDS

    @property
    def load_queries(self) -> int:
        """Least number of its queries."""
        if self.min_queries is not None:
            return self.min_queries
        return QUICK_QUERIES if self.quick else VALID_QUERIES

    @property
    def effort(self) -> Effort:
        """How much is measured beside the load."""
        return QUICK if self.quick else FULL

    @property
    def samples_per_query(self) -> int:
        """Histories in one query that LoadGen issues; offline has one query with all of them."""
        return self.streams if self.scenario == "multi-stream" else 1

    def _check_validity(self) -> None:
        if self.quick:
            return
        if self.load_seconds < VALID_SECONDS:
            raise InputError(
                f"seconds is {self.load_seconds:g}; a valid run lasts at least {VALID_SECONDS:g} "
                "(--quick is a trial run, marked as not valid)"
            )
        if self.load_queries < VALID_QUERIES:
            raise InputError(
                f"min_queries is {self.load_queries}; a valid run has at least {VALID_QUERIES} "
                "(--quick is a trial run, marked as not valid)"
            )
