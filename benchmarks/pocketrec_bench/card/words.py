"""Figures and kinds of runs in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from pocketrec_bench.card.document import Card
from pocketrec_bench.results import Result

#: What tells kinds of runs apart, what readers look for first.
_PARTS = (
    "scenario", "division", "weights", "backend", "threads", "rows", "cache", "history_events",
    "samples_per_query", "k", "target_qps", "seconds",
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
    labels = _labels([runs[0] for runs in groups.values()])
    return [Kind(label, tuple(runs)) for label, runs in zip(labels, groups.values(), strict=True)]


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


def _labels(firsts: Sequence[Result]) -> list[str]:
    """The fewest words that tell the runs apart; a bundle's name where settings do not."""
    found: list[list[str]] = [[] for _ in firsts]
    for part in (*_PARTS, "name"):
        words = [_word(result, part) for result in firsts]
        longer = [[*label, word] for label, word in zip(found, words, strict=True)]
        if len(set(map(tuple, longer))) > len(set(map(tuple, found))):
            found = longer
    settings = firsts[0].settings
    plain = f"{settings.division}, {settings.scenario}"
    return [" ".join(words) or plain for words in found]


def _word(result: Result, part: str) -> str:
    if part == "name":
        return result.subject.name
    value = getattr(result.settings, part)
    unit = {
        "threads": " threads", "history_events": " events", "samples_per_query": " at once",
        "target_qps": " a second", "seconds": " s",
    }.get(part, "")  # fmt: skip
    return f"k={value}" if part == "k" else f"{value}{unit}"
