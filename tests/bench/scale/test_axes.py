"""How axes are timed: by the thread's own clock, every size in every round."""

import time
from pathlib import Path

import pytest

from pocketrec_bench.scale import axes
from pocketrec_runtime import Engine
from pocketrec_runtime.errors import InputError

RINGS = Path(__file__).parents[2] / "golden" / "v1_0" / "rings"


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
