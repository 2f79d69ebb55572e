"""What is measured along each axis: items, length of history, events of a stream, users."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from pocketrec_bench.figures import nearest_rank
from pocketrec_bench.grid.catalogues import drawn_vectors, named
from pocketrec_bench.queries import drawn
from pocketrec_runtime import Engine, StateStore, quantize_rows
from pocketrec_runtime.bundle import Bundle
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.scan import Scan
from pocketrec_runtime.state import cache_bytes
from pocketrec_runtime.towers import RunSettings

Clock = Callable[[], float]

K = 10
_QUERIES = 16
_CALLS, _MOST, _TURN_S, _FINE_S = 5, 200, 0.02, 1e-6
_USER_EVENTS, _STORE_BYTES, _ENTRY_BYTES, _LEAST_SIZES = 20, 2**31, 2**11, 3


@dataclass(frozen=True)
class Series:
    """Costs along one axis.

    Attributes:
        sizes: Ascending.
        rounds: Seconds at each size, a list per round.
        bytes_each: Bytes that one unit more adds to what is read or kept; 0 where unknown.
    """

    sizes: tuple[int, ...]
    rounds: tuple[tuple[float, ...], ...]
    bytes_each: float


def long_engine(bundle: Bundle, settings: RunSettings, events: int) -> Engine:
    """An engine whose window holds so many events: the tower itself knows no length.

    What it answers beyond the trained window is not meaningful; what it costs is.
    """
    model = bundle.contents.model
    wide = replace(model, window=max(events, model.window))
    return Engine(replace(bundle, contents=replace(bundle.contents, model=wide)), settings)


def items_axis(
    bundle: Bundle, engine: Engine, sizes: Sequence[int], rounds: int, *, threads: int, seed: int
) -> Series:
    """Certified top-10 over catalogues drawn from the bundle's own distribution."""
    vectors = _user_vectors(engine, seed)
    scans = []
    for size in sizes:
        drawn = drawn_vectors(bundle.contents.catalogue, size, seed)
        rows, scales = quantize_rows(drawn.rows)
        scans.append(Scan(named(drawn, rows, scales), threads=threads))
    calls = [partial(_scan_next, scan, cycle(vectors)) for scan in scans]
    width = bundle.contents.model.width
    # What a second thread computes is no time of this one.
    clock = thread_clock() if threads == 1 else time.perf_counter
    return Series(tuple(sizes), _in_turns(calls, rounds, clock), width + 4.0)


def history_axis(
    engine: Engine, sizes: Sequence[int], rounds: int, seed: int
) -> tuple[Series, Series]:
    """Prefill of a history, and append of one event to it."""
    rng = np.random.default_rng(seed)
    longest = rng.integers(len(engine.catalogue), size=max(sizes) + 1).tolist()
    states = [engine.prefill(longest[:size])[0] for size in sizes]
    prefills = [partial(engine.prefill, longest[:size]) for size in sizes]
    appends = [partial(engine.append, state, longest[-1]) for state in states]
    kept = cache_bytes(states[-1].kv) / sizes[-1]
    return (
        Series(tuple(sizes), _in_turns(prefills, rounds), kept),
        Series(tuple(sizes), _in_turns(appends, rounds), kept),
    )


def events_axis(engine: Engine, sizes: Sequence[int], rounds: int, seed: int) -> Series:
    """A whole stream of events, one append after another; windows that run full are among them."""
    rng = np.random.default_rng(seed)
    stream = rng.integers(len(engine.catalogue), size=max(sizes)).tolist()

    def follow(count: int) -> None:
        state, _ = engine.prefill(stream[:1])
        for item in stream[1:count]:
            state, _ = engine.append(state, item)

    return Series(tuple(sizes), _in_turns([partial(follow, size) for size in sizes], rounds), 0.0)


def users_axis(engine: Engine, sizes: Sequence[int], rounds: int, seed: int) -> Series:
    """One event of a random user, with so many users' states kept in memory.

    Sizes whose states would take more than 2 GiB are left out: an LLM student's are large.

    Raises:
        InputError: Fewer than three sizes are left.
    """
    events = max(1, min(_USER_EVENTS, engine.window // 2))
    calls: list[Callable[[], object]] = []
    kept = 0.0
    one = cache_bytes(engine.prefill([0] * events)[0].kv) + _ENTRY_BYTES
    sizes = [size for size in sizes if size * one <= _STORE_BYTES]
    if len(sizes) < _LEAST_SIZES:
        raise InputError(f"a user's state takes {one} bytes; {_STORE_BYTES >> 20} MiB hold too few")
    for size in sizes:
        rng = np.random.default_rng(seed)
        store = StateStore(memory_bytes=2 * _STORE_BYTES)
        known = rng.integers(len(engine.catalogue), size=(size, events)).tolist()
        for user, history in enumerate(known):
            store.follow(engine, str(user), history)
        kept = store.stats.memory_bytes / size
        calls.append(partial(_next_event, engine, store, known, rng))
    return Series(tuple(sizes), _in_turns(calls, rounds), kept)


def _next_event(
    engine: Engine, store: StateStore, known: list[list[int]], rng: np.random.Generator
) -> None:
    user = int(rng.integers(len(known)))
    history = known[user]
    history.append(history[0])
    store.follow(engine, str(user), history)


def _user_vectors(engine: Engine, seed: int) -> list[NDArray[np.float32]]:
    """User vectors of histories drawn by popularity, as the scan of real users has them."""
    queries = drawn(engine.catalogue, count=_QUERIES, events=engine.window, seed=seed)
    return [engine.prefill(history)[1] for history in queries.histories]


def _scan_next(scan: Scan, vectors: Iterator[NDArray[np.float32]]) -> None:
    scan.top_k(next(vectors), K)


def thread_clock() -> Clock:
    """Processor time of this thread in seconds, which stands while others have the core.

    Wall time where the system counts the other too coarsely, as Windows does.
    """
    resolution_s = time.get_clock_info("thread_time").resolution
    return time.thread_time if resolution_s <= _FINE_S else time.perf_counter


def _in_turns(
    calls: Sequence[Callable[[], object]], rounds: int, clock: Clock | None = None
) -> tuple[tuple[float, ...], ...]:
    """Lower quartile of the seconds of each call, by round; every size has its turn in every round.

    In a turn a call runs until 20 ms are over, five times at least, and once before that to bring
    its data back into the caches. Neighbours on the machine only ever slow a call down, long ones
    more than short ones, which would bend the law; a fastest call would be a lucky user.
    """
    clock = thread_clock() if clock is None else clock
    found = []
    for number in range(rounds + 1):
        row = []
        for call in calls:
            call()
            times, end = list[float](), clock() + _TURN_S
            while len(times) < _CALLS or (clock() < end and len(times) < _MOST):
                begun = clock()
                call()
                times.append(clock() - begun)
            row.append(nearest_rank(sorted(times), 0.25))
        if number:  # the first round warms up
            found.append(tuple(row))
    return tuple(found)
