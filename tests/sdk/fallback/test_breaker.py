"""The circuit as a table of states: what is let through when, with a clock made of numbers."""

from dataclasses import replace

import pytest

from pocketrec.fallback.breaker import (
    Breaker,
    BreakerSettings,
    Circuit,
    admit,
    hold,
    settle,
)
from pocketrec_runtime.errors import InputError

SETTINGS = BreakerSettings(failures=3, open_s=10.0, longest_open_s=35.0)


def failed(circuit: Circuit, times: int, now_s: float = 0.0) -> Circuit:
    for _ in range(times):
        circuit, permit = admit(circuit, now_s, SETTINGS)
        circuit = settle(circuit, permit, "failed", now_s, SETTINGS)
    return circuit


def test_two_failures_leave_it_closed_and_the_third_opens_it() -> None:
    two = failed(Circuit(), 2)
    assert (two.phase, two.failures) == ("closed", 2)
    three = failed(two, 1)
    assert (three.phase, three.until_s) == ("open", 10.0)
    assert admit(three, 9.9, SETTINGS) == (three, None)


def test_an_answer_between_failures_starts_the_count_again() -> None:
    circuit, permit = admit(failed(Circuit(), 2), 0.0, SETTINGS)
    circuit = settle(circuit, permit, "answered", 0.0, SETTINGS)
    assert failed(circuit, 2).phase == "closed"


def test_what_was_not_sent_counts_neither_way() -> None:
    circuit, permit = admit(failed(Circuit(), 2), 0.0, SETTINGS)
    circuit = settle(circuit, permit, "unknown", 0.0, SETTINGS)
    assert circuit.failures == 2


def test_the_way_back_is_one_check_then_one_probe() -> None:
    circuit, check = admit(failed(Circuit(), 3), 10.0, SETTINGS)
    assert check.kind == "check"
    assert admit(circuit, 10.0, SETTINGS)[1] is None
    circuit = settle(circuit, check, "answered", 11.0, SETTINGS)
    circuit, probe = admit(circuit, 11.0, SETTINGS)
    assert probe.kind == "probe"
    # Nobody else passes while the probe is out.
    assert [admit(circuit, 11.0 + later, SETTINGS)[1] for later in (0, 1, 29)] == [None] * 3
    circuit = settle(circuit, probe, "answered", 12.0, SETTINGS)
    assert circuit == replace(Circuit(), number=circuit.number)
    assert admit(circuit, 12.0, SETTINGS)[1].kind == "request"


def test_without_a_check_the_probe_comes_at_once() -> None:
    settings = replace(SETTINGS, check=False)
    assert admit(failed(Circuit(), 3), 10.0, settings)[1].kind == "probe"


@pytest.mark.parametrize("kind", ["check", "probe"])
def test_a_failed_trial_opens_for_twice_as_long_up_to_the_longest(kind: str) -> None:
    settings = replace(SETTINGS, check=kind == "check")
    circuit, now, waits = failed(Circuit(), 3), 0.0, []
    for _ in range(4):
        waits.append(circuit.until_s - now)
        now = circuit.until_s
        circuit, permit = admit(circuit, now, settings)
        assert permit.kind == kind
        circuit = settle(circuit, permit, "failed", now, settings)
    assert waits == [10.0, 20.0, 35.0, 35.0]


def test_an_answer_after_the_probe_makes_the_next_opening_short_again() -> None:
    settings = replace(SETTINGS, check=False)
    circuit = failed(Circuit(), 3)
    for outcome in ("failed", "answered"):
        now = circuit.until_s
        circuit, probe = admit(circuit, now, settings)
        circuit = settle(circuit, probe, outcome, now, settings)
    assert failed(circuit, 3, 100.0).until_s == 110.0


def test_a_trial_whose_outcome_is_unknown_is_taken_again() -> None:
    circuit, check = admit(failed(Circuit(), 3), 10.0, SETTINGS)
    circuit = settle(circuit, check, "unknown", 11.0, SETTINGS)
    circuit, check = admit(circuit, 11.0, SETTINGS)
    assert check.kind == "check"
    circuit = settle(circuit, check, "answered", 11.0, SETTINGS)
    circuit, probe = admit(circuit, 11.0, SETTINGS)
    circuit = settle(circuit, probe, "unknown", 12.0, SETTINGS)
    assert admit(circuit, 12.0, SETTINGS)[1].kind == "probe"


def test_a_probe_that_never_reports_gives_way_after_its_lease() -> None:
    settings = replace(SETTINGS, check=False)
    circuit, lost = admit(failed(Circuit(), 3), 10.0, settings)
    assert admit(circuit, 39.9, settings)[1] is None
    circuit, probe = admit(circuit, 40.0, settings)
    assert probe.kind == "probe"
    # The lost one comes back after all: it no longer decides.
    assert settle(circuit, lost, "answered", 41.0, settings) == circuit


def test_a_request_from_before_the_opening_does_not_close_it() -> None:
    circuit, early = admit(Circuit(), 0.0, SETTINGS)
    circuit = failed(circuit, 3)
    assert settle(circuit, early, "answered", 1.0, SETTINGS) == circuit


def test_a_hold_refuses_whatever_the_phase_and_ends_by_itself() -> None:
    held = hold(Circuit(), 7.0)
    assert admit(held, 6.9, SETTINGS)[1] is None
    assert admit(held, 7.0, SETTINGS)[1].kind == "request"
    assert hold(held, 5.0).held_until_s == 7.0


@pytest.mark.parametrize(("spread", "until_s"), [(0.0, 8.0), (0.5, 10.0), (1.0, 12.0)])
def test_devices_come_back_at_different_times(spread: float, until_s: float) -> None:
    circuit, permit = admit(failed(Circuit(), 2), 0.0, SETTINGS)
    assert settle(circuit, permit, "failed", 0.0, SETTINGS, spread).until_s == pytest.approx(
        until_s
    )


def test_the_breaker_keeps_a_circuit_and_its_clock() -> None:
    now = [0.0]
    breaker = Breaker(SETTINGS, lambda: now[0], lambda: 0.5)
    for _ in range(3):
        breaker.settle(breaker.admit(), "failed")
    assert breaker.admit() is None
    now[0] = 10.0
    assert breaker.admit().kind == "check"
    breaker.hold_s(5.0)
    assert breaker.circuit.held_until_s == 15.0


@pytest.mark.parametrize(
    "values",
    [
        {"failures": 0},
        {"open_s": 0.0},
        {"open_s": 9.0, "longest_open_s": 8.0},
        {"longest_open_s": float("inf")},
        {"open_s": float("nan")},
    ],
)
def test_settings_out_of_bounds_are_refused(values) -> None:
    with pytest.raises(InputError, match="breaker"):
        BreakerSettings(**values)
