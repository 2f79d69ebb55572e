"""The parts of the way, each timed by itself, in turns: noise of the machine meets all alike."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from time import perf_counter_ns

from pocketrec_bench.figures import Latency
from pocketrec_bench.queries import Queries
from pocketrec_runtime import Engine

MIN_ROUNDS = 30
_WARM_ROUNDS = 8
_USERS = 64


@dataclass(frozen=True)
class StageTimes:
    """Medians and tails of the warm stages; see `figures.Stages`."""

    prefill: Latency
    append: Latency
    scan: Latency
    end_to_end: Latency


def time_stages(engine: Engine, queries: Queries, k: int, seconds: float) -> StageTimes:
    """Times prefill, append, scan and `recommend` over up to 64 users in turn.

    An append here is one position computed from the cache: no history is longer than the window,
    so that none starts again from its newest half.

    Args:
        engine: The opened bundle.
        queries: Histories.
        k: Items in an answer.
        seconds: Time for all of it; at least 30 calls of each are made.
    """
    users = [_User.of(engine, history) for history in queries.first(_USERS).histories]
    times: list[list[float]] = [[], [], [], []]
    turn = cycle(users)
    for _ in range(_WARM_ROUNDS):
        next(turn).run(engine, k)
    end = perf_counter_ns() + seconds * 1e9
    while perf_counter_ns() < end or len(times[0]) < MIN_ROUNDS:
        for kept, taken in zip(times, next(turn).run(engine, k), strict=True):
            kept.append(taken)
    return StageTimes(*(Latency.of(each) for each in times))


@dataclass(frozen=True)
class _User:
    """One user: the newest events, the state before the last of them, and their ids."""

    items: tuple[int, ...]
    state: object
    ids: list[str]

    @classmethod
    def of(cls, engine: Engine, history: tuple[int, ...]) -> "_User":
        newest = history[-engine.window :]
        before = newest[:-1] or newest
        # A window of one event leaves no place for another.
        state = engine.prefill(before[-max(1, engine.window - 1) :])[0]
        return cls(newest, state, [engine.catalogue.ids[item] for item in newest])

    def run(self, engine: Engine, k: int) -> tuple[float, float, float, float]:
        """Seconds of prefill, append, scan and recommend."""
        last = self.items[-1]
        grown, vector = engine.append(self.state, last)  # type: ignore[arg-type]
        return (
            timed(lambda: engine.prefill(self.items)),
            timed(lambda: engine.append(self.state, last)),  # type: ignore[arg-type]
            timed(lambda: engine.top_k(vector, k, exclude=grown.seen)),
            timed(lambda: engine.recommend(self.ids, k)),
        )


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    begun = perf_counter_ns()
    call()
    return (perf_counter_ns() - begun) / 1e9


def timer_s(calls: int = 20_000) -> float:
    """Median seconds of timing a call that does nothing: what every figure of a stage carries."""
    return Latency.of([timed(_nothing) for _ in range(calls)]).p50_s


def _nothing() -> None:
    pass
