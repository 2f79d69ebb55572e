"""Circuit breaker: a server that fails again and again is left alone for a while.

Nygard, Release It! (2007). The decisions are pure functions of a `Circuit` and of a time that is
passed in; `Breaker` keeps one circuit for many threads.

    closed --failures in a row--> open --time--> checking --> half open --> probing --> closed
                                    ^---failed------'------------------------'

One request at a time goes through on the way back. The first of them, the check, carries nothing
of the user and runs beside the answers, so that a dead server costs nobody any time; only a server
that says it is ready is asked for a real answer again, once.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from pocketrec.fallback.deadline import Clock
from pocketrec_runtime.errors import InputError

Phase = Literal["closed", "open", "checking", "half_open", "probing"]
PermitKind = Literal["request", "check", "probe"]
Outcome = Literal["answered", "failed", "unknown"]
"""`unknown` is neither: the request was not sent, or the server asked for patience."""

# Whoever held a permit and never told how it went is given up after this.
_LEASE_S = 30.0


@dataclass(frozen=True)
class BreakerSettings:
    """When a circuit opens, and for how long.

    Attributes:
        failures: In a row, after which it opens.
        open_s: Seconds that it stays open the first time; twice as long each time after.
        longest_open_s: But no longer than this.
        check: Whether a check comes before the probe.
    """

    failures: int = 3
    open_s: float = 5.0
    longest_open_s: float = 300.0
    check: bool = True

    def __post_init__(self) -> None:
        if self.failures < 1:
            raise InputError(f"breaker failures is {self.failures}; give at least 1")
        if not 0 < self.open_s <= self.longest_open_s < float("inf"):
            raise InputError(
                f"breaker open_s is {self.open_s} and longest_open_s {self.longest_open_s}; "
                "give finite seconds above 0, the second not below the first"
            )


@dataclass(frozen=True)
class Permit:
    """Leave to send one request; told back to the breaker once, with how it went.

    Attributes:
        kind: A plain request, the check, or the probe.
        number: What tells one lease from another.
    """

    kind: PermitKind
    number: int


@dataclass(frozen=True)
class Circuit:
    """The state of a breaker.

    Attributes:
        phase: Where it stands.
        failures: In a row, while closed.
        openings: In a row, since the last answer.
        until_s: Open until then; while checking or probing, when the lease ends.
        held_until_s: No request before then, whatever the phase: the server asked for it.
        number: Of the lease that counts; how an older one went is no longer of interest.
    """

    phase: Phase = "closed"
    failures: int = 0
    openings: int = 0
    until_s: float = float("-inf")
    held_until_s: float = float("-inf")
    number: int = 0


def admit(
    circuit: Circuit, now_s: float, settings: BreakerSettings
) -> tuple[Circuit, Permit | None]:
    """Whether a request may go now: the circuit after it, and its permit or None."""
    if now_s < circuit.held_until_s:
        return circuit, None
    if circuit.phase == "closed":
        return circuit, Permit("request", circuit.number)
    if now_s < circuit.until_s and circuit.phase != "half_open":
        return circuit, None
    # Open for long enough, ready for a probe, or a lease that ran out: one more goes.
    probes = circuit.phase in {"half_open", "probing"} or not settings.check
    number = circuit.number + 1
    leased = replace(
        circuit,
        phase="probing" if probes else "checking",
        until_s=now_s + _LEASE_S,
        number=number,
    )
    return leased, Permit("probe" if probes else "check", number)


def settle(
    circuit: Circuit,
    permit: Permit,
    outcome: Outcome,
    now_s: float,
    settings: BreakerSettings,
    spread: float = 0.5,
) -> Circuit:
    """The circuit after a request ended.

    Args:
        circuit: Before.
        permit: The request's.
        outcome: How it went.
        now_s: The time.
        settings: When to open.
        spread: From 0 to 1: how long within 0.8 to 1.2 of the usual time it stays open, so that
            devices that lost one server do not come back to it all at once.
    """
    if permit.number != circuit.number:
        return circuit
    if outcome == "failed":
        failures = circuit.failures + 1
        if permit.kind == "request" and failures < settings.failures:
            return replace(circuit, failures=failures)
        return _open(circuit, now_s, settings, spread)
    if permit.kind == "request":
        return circuit if outcome == "unknown" else replace(circuit, failures=0, openings=0)
    return _after_trial(circuit, permit, outcome, now_s)


def _after_trial(circuit: Circuit, permit: Permit, outcome: Outcome, now_s: float) -> Circuit:
    """The circuit after a check or a probe that did not fail."""
    if outcome == "unknown":
        # The way back is as it was: the next request takes the same step.
        phase: Phase = "half_open" if permit.kind == "probe" else "open"
        return replace(circuit, phase=phase, until_s=now_s)
    if permit.kind == "check":
        return replace(circuit, phase="half_open")
    return Circuit(held_until_s=circuit.held_until_s, number=circuit.number + 1)


def hold(circuit: Circuit, until_s: float) -> Circuit:
    """The circuit with no request before `until_s`."""
    return replace(circuit, held_until_s=max(circuit.held_until_s, until_s))


def _open(circuit: Circuit, now_s: float, settings: BreakerSettings, spread: float) -> Circuit:
    # The exponent is bounded, so that years of failures overflow nothing.
    usual = min(settings.longest_open_s, settings.open_s * 2.0 ** min(circuit.openings, 60))
    return replace(
        circuit,
        phase="open",
        failures=0,
        openings=circuit.openings + 1,
        until_s=now_s + usual * (0.8 + 0.4 * spread),
        number=circuit.number + 1,
    )


class Breaker:
    """One circuit, shared by threads.

    Args:
        settings: When to open.
        clock: The time.
        uniform: Numbers from 0 to 1.
    """

    def __init__(
        self,
        settings: BreakerSettings,
        clock: Clock,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._settings, self._clock, self._uniform = settings, clock, uniform
        self._circuit = Circuit()
        self._lock = threading.Lock()

    @property
    def circuit(self) -> Circuit:
        """The state as it is now."""
        return self._circuit

    def admit(self) -> Permit | None:
        """Leave to send one request, or None."""
        with self._lock:
            self._circuit, permit = admit(self._circuit, self._clock(), self._settings)
        return permit

    def settle(self, permit: Permit, outcome: Outcome) -> None:
        """Tell how the request of a permit went."""
        with self._lock:
            self._circuit = settle(
                self._circuit, permit, outcome, self._clock(), self._settings, self._uniform()
            )

    def hold_s(self, seconds: float) -> None:
        """Let no request go for so many seconds."""
        with self._lock:
            self._circuit = hold(self._circuit, self._clock() + seconds)
