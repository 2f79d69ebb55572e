"""Which points are worth a look, and which one is recommended."""

from collections.abc import Sequence
from dataclasses import replace

from pocketrec_bench.grid.points import Point

KEPT = 0.99
"""Share of the best quality that a recommended point keeps."""

UNNOTICED_S = 1e-4
"""Nobody notices a tenth of a millisecond, and everybody downloads the bytes."""

_NOISE = 1.10


def with_fronts(points: Sequence[Point]) -> list[Point]:
    """The points, those on the Pareto front of their catalogue and history marked.

    Quality is to be high, the cached median and resident memory low.
    """
    return [
        replace(
            point,
            front=not any(
                dominates(other, point) for other in points if _place(other) == _place(point)
            ),
        )
        for point in points
    ]


def dominates(first: Point, second: Point) -> bool:
    """Whether the first is at least as good in everything, and better in something."""
    ours, theirs = _costs(first), _costs(second)
    return ours != theirs and all(a <= b for a, b in zip(ours, theirs, strict=True))


def recommend(points: Sequence[Point]) -> tuple[int, str]:
    """Place of the recommended point, and why.

    Of the own catalogue with the longest history: those that keep 99% of the best quality; of
    these the ones that are as fast as the fastest but for noise and for what nobody notices; of
    these the fewest bytes of memory and disk, then the fewest threads.

    Args:
        points: At least one on its bundle's own catalogue, else the smallest catalogue counts.
    """
    places = range(len(points))
    own = [place for place in places if points[place].own]
    fewest = min(point.items for point in points)
    asked = own or [place for place in places if points[place].items == fewest]
    longest = max(points[place].history_events for place in asked)
    asked = [place for place in asked if points[place].history_events == longest]
    best = max(points[place].quality for place in asked)
    good = [place for place in asked if points[place].quality >= KEPT * best]
    fastest = min(points[place].cached.p50_s for place in good)
    slowest = max(_NOISE * fastest, fastest + UNNOTICED_S)
    fast = [place for place in good if points[place].cached.p50_s <= slowest]
    chosen = min(fast, key=lambda place: (_bytes(points[place]), points[place].threads))
    return chosen, _why(points[chosen], best, fastest, [len(asked), len(good), len(fast)])


def _why(point: Point, best: float, fastest: float, counts: list[int]) -> str:
    asked, good, fast = counts
    return (
        f"of {asked} ways to rank {point.items:,} items after {point.history_events} events, "
        f"{good} keep {KEPT:.0%} of the best {point.metric}; {fast} of these are as fast as the "
        f"fastest ({fastest * 1e3:.3f} ms) or slower by what nobody notices; this one takes "
        f"the least memory and disk: {point.metric} {point.quality:.4f} (best {best:.4f}), "
        f"{point.cached.p50_s * 1e3:.3f} ms, {point.resident_bytes / 1e6:.1f} MB resident, "
        f"{point.disk_bytes / 1e6:.2f} MB on disk"
    )


def _bytes(point: Point) -> int:
    return point.resident_bytes + point.disk_bytes


def _costs(point: Point) -> tuple[float, float, int]:
    return (-point.quality, point.cached.p50_s, point.resident_bytes)


def _place(point: Point) -> tuple[int, bool, int]:
    return (point.items, point.own, point.history_events)
