"""How axes are timed: by the thread's own clock, every size in every round."""

import time
from pathlib import Path

import pytest

from pocketrec_bench.scale import axes
from pocketrec_runtime import Engine
from pocketrec_runtime.bundle import read_bundle
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.scan import Scan
from pocketrec_runtime.towers import RunSettings

RINGS = Path(__file__).parents[2] / "golden" / "v1_0" / "rings"


class Work:
    """A clock that work moves on, a second for each event read and each item scanned."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done = 0
        monkeypatch.setattr(axes, "thread_clock", lambda: lambda: float(self.done))
        prefill, append, top_k = Engine.prefill, Engine.append, Scan.top_k

        def counted_prefill(engine, history):
            self.done += len(history)
            return prefill(engine, history)

        def counted_append(engine, state, item):
            self.done += 1
            return append(engine, state, item)

        def counted_top_k(scan, vector, k):
            self.done += len(scan)
            return top_k(scan, vector, k)

        monkeypatch.setattr(Engine, "prefill", counted_prefill)
        monkeypatch.setattr(Engine, "append", counted_append)
        monkeypatch.setattr(Scan, "top_k", counted_top_k)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(monkeypatch)


@pytest.mark.usefixtures("work")
def test_each_size_of_a_history_costs_the_work_of_that_size() -> None:
    sizes = (1, 5, 60)
    engine = axes.long_engine(read_bundle(RINGS), RunSettings(), max(sizes) + 1)
    prefill, append = axes.history_axis(engine, sizes, 2, seed=0)
    assert prefill.rounds == ((1.0, 5.0, 60.0),) * 2
    assert append.rounds == ((1.0, 1.0, 1.0),) * 2
    assert axes.events_axis(engine, sizes, 2, seed=0).rounds == prefill.rounds


@pytest.mark.usefixtures("work")
def test_each_size_of_a_catalogue_is_scanned_whole() -> None:
    bundle = read_bundle(RINGS)
    engine = Engine(bundle, RunSettings())
    found = axes.items_axis(bundle, engine, (100, 1_000, 5_000), 2, threads=1, seed=0)
    assert found.rounds == ((100.0, 1_000.0, 5_000.0),) * 2


def test_every_call_has_its_turn_in_every_round_and_the_first_is_not_counted() -> None:
    now, order = [0.0], []

    def call(name: str, seconds: float) -> None:
        order.append(name)
        now[0] += seconds

    calls = [lambda: call("a", 0.001), lambda: call("b", 0.5)]
    found = axes._in_turns(calls, 2, lambda: now[0])
    assert found == (pytest.approx((0.001, 0.5)),) * 2
    # A turn is one call to warm up, then 20 ms of calls, at least five: 21 of a, 6 of b.
    turns = "".join(order)
    assert turns.count("b" * 6 + "a") == 2
    assert turns.endswith("b" * 6)
    assert turns.startswith("a" * 21 + "b")
    assert turns.count("ab") == 3


def test_the_threads_clock_stands_while_it_sleeps() -> None:
    clock = axes.thread_clock()
    begun = clock()
    time.sleep(0.05)
    assert clock() - begun < 0.05


def test_users_that_memory_does_not_hold_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine.open(RINGS)
    sizes = (2, 4, 8, 100_000_000)
    found = axes.users_axis(engine, sizes, 2, seed=0)
    assert found.sizes == (2, 4, 8)
    assert found.bytes_each > 0
    monkeypatch.setattr(axes, "_STORE_BYTES", 10_000)
    with pytest.raises(InputError, match="hold too few"):
        axes.users_axis(engine, sizes, 2, seed=0)
