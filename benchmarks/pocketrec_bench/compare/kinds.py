"""Which results of two sides may be held against each other."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from pocketrec_bench.card import Card
from pocketrec_bench.errors import NotComparableError
from pocketrec_bench.results import Result

#: What a query is; two results that differ here did different work.
LOAD = (
    "scenario", "division", "k", "history_events", "samples", "queries_from", "samples_per_query",
    "target_qps", "target_latency_s", "quick",
)  # fmt: skip
#: How it was answered; two results that differ here may be what is compared.
MEANS = ("backend", "devices", "weights", "rows", "cache", "threads")
_SHAPE = ("items", "width", "blocks", "window")


@dataclass(frozen=True)
class Pair:
    """Replicates of one kind on both sides.

    Attributes:
        name: Scenario, division, backend, weights and threads of the first side.
        first: Its runs.
        second: The other side's.
        changed: In words, what differs between the sides besides the build.
    """

    name: str
    first: tuple[Result, ...]
    second: tuple[Result, ...]
    changed: tuple[str, ...]

    @property
    def in_turns(self) -> bool:
        """Whether the runs of the sides were taken one beside the other, pair after pair.

        In order of time, each two runs are one of each side; sides hold as many, in order.
        """
        if len(self.first) != len(self.second):
            return False
        times = [[run.measured_at for run in side] for side in (self.first, self.second)]
        beside = list(zip(*times, strict=True))
        return all(a != b for a, b in beside) and all(
            max(one) < min(other) for one, other in pairwise(beside)
        )


def pairs(first: Sequence[Card], second: Sequence[Card]) -> list[Pair]:
    """Results of equal kind, paired.

    Where each side has one kind only, and both did the same work, those two are a pair.

    Raises:
        NotComparableError: Nothing on one side is comparable with anything on the other.
    """
    a, b = _kinds(first), _kinds(second)
    shared = [kind for kind in a if kind in b]
    if shared:
        return [_pair(a[kind], b[kind]) for kind in shared]
    if len(a) == len(b) == 1:
        [left], [right] = a.values(), b.values()
        differing = _differing(left[0], right[0], LOAD)
        if not differing:
            return [_pair(left, right)]
        raise NotComparableError(
            "the runs did different work, so that no ratio says anything: "
            f"{'; '.join(differing)}. Measure both with the same settings"
        )
    raise NotComparableError(
        f"none of the {len(a)} kinds of runs on one side is among the {len(b)} on the other; "
        "measure both with the same settings"
    )


def _kinds(cards: Sequence[Card]) -> dict[tuple[object, ...], list[Result]]:
    kinds: dict[tuple[object, ...], list[Result]] = {}
    for card in cards:
        for result in card.results:
            settings = asdict(result.settings)
            shape = (getattr(result.subject, name) for name in _SHAPE)
            key = (*(settings[name] for name in (*LOAD, *MEANS)), *shape)
            kinds.setdefault(key, []).append(result)
    return kinds


def _pair(first: list[Result], second: list[Result]) -> Pair:
    a, b = first[0], second[0]
    settings = a.settings
    name = (
        f"{settings.scenario}, {settings.division}, {settings.backend} {settings.weights}, "
        f"{settings.threads} {'thread' if settings.threads == 1 else 'threads'}"
    )
    changed = _differing(a, b, MEANS)
    if a.subject.fingerprint != b.subject.fingerprint:
        changed.append(
            f"bundle: {a.subject.name} {a.subject.fingerprint[:12]} and "
            f"{b.subject.name} {b.subject.fingerprint[:12]}"
        )
    return Pair(name, _in_order(first), _in_order(second), tuple(changed))


def _in_order(runs: list[Result]) -> tuple[Result, ...]:
    return tuple(sorted(runs, key=lambda run: run.measured_at))


def _differing(first: Result, second: Result, names: Sequence[str]) -> list[str]:
    a: dict[str, Any] = asdict(first.settings)
    b: dict[str, Any] = asdict(second.settings)
    return [f"{name}: {a[name]} and {b[name]}" for name in names if a[name] != b[name]]
