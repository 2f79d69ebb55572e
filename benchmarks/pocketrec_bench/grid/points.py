"""What a grid measured, point by point."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from pocketrec_bench.card import Build
from pocketrec_bench.device import DeviceCard, device_from_dict
from pocketrec_bench.errors import ResultFormatError
from pocketrec_bench.figures import Latency
from pocketrec_bench.records import dump, from_values, parse, to_values

SCHEMA = "pocketrec.bench_grid/1"


@dataclass(frozen=True)
class Point:
    """One way to run a bundle at one size of catalogue and history.

    Attributes:
        bundle: File name of the bundle.
        items: Size of the catalogue.
        own: Whether it is the bundle's own catalogue; otherwise it was drawn from its distribution.
        history_events: Events in a history.
        backend: What runs the user tower.
        weights: How its file stores weights.
        rows: How the catalogue's rows are stored.
        cache: Precision of keys and values.
        threads: Threads of a model run.
        cached: Append of one event, and scan.
        uncached: Prefill of the history, and scan.
        open_s: Opening the bundle in a fresh process.
        resident_bytes: Memory of that process after answers.
        disk_bytes: All files of the bundle.
        metric: As `figures.Accuracy`: NDCG@10 is measured on the own catalogue only.
        quality: Its value.
        front: Whether no other point of this catalogue and history is at least as good in
            quality, cached median and memory, and better in one.
    """

    bundle: str
    items: int
    own: bool
    history_events: int
    backend: str
    weights: str
    rows: str
    cache: str
    threads: int
    cached: Latency
    uncached: Latency
    open_s: float
    resident_bytes: int
    disk_bytes: int
    metric: Literal["ndcg@10", "agreement@10"]
    quality: float
    front: bool


@dataclass(frozen=True)
class Grid:
    """A survey: points measured one after the other for a fraction of a second each.

    Attributes:
        build: The pocketrec that was measured.
        device: The device.
        measured_at: When it began, UTC, ISO 8601.
        points: All of them.
        recommended: Place of the one that is recommended for the bundle's own catalogue.
        why: In words.
    """

    build: Build
    device: DeviceCard
    measured_at: str
    points: tuple[Point, ...]
    recommended: int
    why: str

    def __post_init__(self) -> None:
        if not 0 <= self.recommended < len(self.points):
            raise ValueError(f"recommended is {self.recommended} of {len(self.points)} points")


def grid_document(grid: Grid) -> dict[str, Any]:
    """JSON values of a grid, its schema first."""
    return {
        "schema": SCHEMA,
        "build": to_values(grid.build),
        "device": grid.device.as_dict(),
        "measured_at": grid.measured_at,
        "points": to_values(grid.points),
        "recommended": grid.recommended,
        "why": grid.why,
    }


def grid_to_json(grid: Grid) -> str:
    """A grid as JSON text."""
    return dump(grid_document(grid), indent=1) + "\n"


def grid_from_json(text: str | bytes, name: str = "grid") -> Grid:
    """The grid that `grid_to_json` wrote.

    Raises:
        ResultFormatError: Another schema; a key that is missing, unknown or of another type.
    """
    document = parse(text, name)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ResultFormatError(f"{name} is no {SCHEMA}; write it with: pocketrec bench grid")
    measured = from_values(
        _Measured, {key: document[key] for key in document if key not in _APART}, name
    )
    try:
        build = from_values(Build, document.get("build"), f"{name}.build")
        device = device_from_dict(document.get("device"))
        return Grid(build, device, *(getattr(measured, each.name) for each in fields(measured)))
    except ValueError as error:
        raise ResultFormatError(f"{name}: {error}") from error


_APART = ("schema", "build", "device")


@dataclass(frozen=True)
class _Measured:
    """A grid but for build and device, in the order of its fields."""

    measured_at: str
    points: tuple[Point, ...]
    recommended: int
    why: str
