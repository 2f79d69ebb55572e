"""`grid.html`: the Pareto front of each catalogue, and what is recommended."""

from collections.abc import Sequence

from pocketrec_bench.card.charts import Line, axis, line_chart
from pocketrec_bench.card.sections import section
from pocketrec_bench.card.words import duration, size
from pocketrec_bench.grid.points import Grid, Point
from pocketrec_runtime import page
from pocketrec_runtime.page import Markup, element, row, table

_MOST_LINES = 12


def render_grid(grid: Grid) -> str:
    """The page of a grid, as text."""
    chosen = grid.points[grid.recommended]
    header = element(
        "header",
        element("p", "pocketrec · every way to run a model here", class_="kicker"),
        element("h1", f"Recommended: {chosen.bundle}, {_way(chosen)}"),
        element(
            "p",
            f"Measured on {grid.device.cpu}, {grid.measured_at}, commit {grid.build.commit}: "
            f"{grid.why}.",
        ),
    )
    # The bundle's own catalogue first.
    places = sorted({_place(p) for p in grid.points}, key=lambda at: (not at[1], at))
    parts = [_catalogue(grid, place) for place in places]
    main = element("main", *parts, _growth(grid))
    return page.html_document("pocketrec grid", header, main)


def _catalogue(grid: Grid, place: tuple[int, bool, int]) -> Markup:
    """One size of catalogue and length of history: drawn, and its front as a table."""
    points = [point for point in grid.points if _place(point) == place]
    items, own, events = place
    front = sorted((point for point in points if point.front), key=lambda p: p.cached.p50_s)
    rows = [
        row(
            f"{point.bundle}, {_way(point)}",
            f"{point.quality:.4f}",
            duration(point.cached.p50_s),
            duration(point.cached.p99_s),
            duration(point.uncached.p50_s),
            size(point.resident_bytes),
            size(point.disk_bytes),
            class_="shipped" if point is grid.points[grid.recommended] else "",
        )
        for point in front
    ]
    head = ["Beaten by none", points[0].metric, "cached p50", "p99", "uncached p50", "memory",
            "disk"]  # fmt: skip
    whose = "its own" if own else "drawn from its own"
    title = f"{items:,} items, history of {events}"
    note = (
        f"A catalogue of {items:,} items, {whose}; {len(points)} ways were measured. Beaten by "
        "none in quality, cached median and memory together."
    )
    drawing = page.scatter(
        [page.Point(_short(p), p.cached.p50_s * 1e3, p.quality, p.backend) for p in points],
        title="Quality and latency",
        cost="cached median, ms",
        value=points[0].metric,
    )
    return section(title, note, element("figure", drawing), table(head, rows, caption=title))


def _growth(grid: Grid) -> Markup:
    """Cached medians over the size of the catalogue; nothing where only one was measured."""
    longest = max(point.history_events for point in grid.points)
    ways: dict[str, list[tuple[float, float]]] = {}
    for point in sorted(grid.points, key=lambda point: point.items):
        if point.history_events == longest:
            costs = ways.setdefault(f"{point.bundle}, {_way(point)}", [])
            costs.append((float(point.items), point.cached.p50_s * 1e3))
    lines = [Line(name, costs) for name, costs in ways.items() if len(costs) > 1][:_MOST_LINES]
    if not lines:
        return Markup()
    values: Sequence[tuple[float, float]] = [at for line in lines for at in line.points]
    across = axis("items", page.tight_log_scale([x for x, _ in values]), lambda at: f"{at:,.0f}")
    up = axis("ms", page.tight_log_scale([y for _, y in values]), lambda at: f"{at:.3g}")
    label = f"Cached median after {longest} events"
    if len(ways) > _MOST_LINES:
        label += f", {_MOST_LINES} of {len(ways)} ways"
    note = "How each way grows with the catalogue; both axes are logarithmic."
    return section("Size of the catalogue", note, line_chart(lines, across, up, label=label))


def _place(point: Point) -> tuple[int, bool, int]:
    return (point.items, point.own, point.history_events)


def _way(point: Point) -> str:
    threads = "" if point.threads == 1 else f", {point.threads} threads"
    cache = "" if point.cache == "float32" else f", {point.cache} cache"
    return f"{point.backend} {point.weights}, {point.rows} rows{cache}{threads}"


def _short(point: Point) -> str:
    return f"{point.weights} x{point.threads}" if point.threads > 1 else point.weights
