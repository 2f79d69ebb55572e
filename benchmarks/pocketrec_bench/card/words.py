"""Figures and kinds of runs in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from pocketrec_bench.card.document import Card
from pocketrec_bench.results import Result

_PARTS = (
    "scenario", "division", "backend", "weights", "rows", "cache", "threads", "history_events",
    "samples_per_query",
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """Runs of one kind on a card: the first, and its replicates.

    Attributes:
        label: What sets it apart from the other kinds of the card; short.
        runs: In the order in which they ran, at least one.
    """

    label: str
    runs: tuple[Result, ...]

    @property
    def first(self) -> Result:
        """The run that stands for the kind: the one with the middle median latency."""
        ordered = sorted(self.runs, key=lambda run: run.latency.p50_s)
        return ordered[(len(ordered) - 1) // 2]


def kinds_of(card: Card) -> list[Kind]:
    """The kinds of runs of a card, in the order in which each first ran."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in card.results:
        groups.setdefault((result.settings, result.subject), []).append(result)
    firsts = [runs[0] for runs in groups.values()]
    parts = [part for part in _PARTS if len({_part(first, part) for first in firsts}) > 1]
    several = len({first.subject.fingerprint for first in firsts}) > 1
    return [
        Kind(_label(first, parts, with_name=several), tuple(runs))
        for first, runs in zip(firsts, groups.values(), strict=True)
    ]


def duration(seconds: float | None) -> str:
    """Three significant digits with the unit that suits, for example `0.104 ms` or `2.31 s`."""
    if seconds is None:
        return "not measured"
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= (1.0 if unit == "s" else 0.01):
            return f"{number(seconds * factor)} {unit}"
    return f"{number(seconds * 1e9)} ns"


def number(value: float) -> str:
    """Three significant digits, never an exponent."""
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3 if size >= 0.1 else 4
    return f"{value:,.{digits}f}"


def size(size_bytes: float | None) -> str:
    """Decimal units, for example `1.9 MB`."""
    if size_bytes is None:
        return "no limit"
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size_bytes >= factor:
            return f"{number(size_bytes / factor)} {unit}"
    return f"{size_bytes:.0f} B"


def _part(result: Result, name: str) -> object:
    return getattr(result.settings, name)


def _label(result: Result, parts: Sequence[str], *, with_name: bool) -> str:
    words = [result.subject.name] if with_name else []
    for part in parts:
        value = _part(result, part)
        unit = {"threads": " threads", "history_events": " events"}.get(part, "")
        words.append(f"{value}{unit}")
    return " ".join(words) or f"{result.settings.division}, {result.settings.scenario}"
