"""Which charts a card has."""

from collections.abc import Sequence

from pocketrec_bench.card.charts import Axis, Line, axis, bar_chart, line_chart, span_chart
from pocketrec_bench.card.words import Kind, duration, size
from pocketrec_bench.figures import CURVE, Latency
from pocketrec_runtime.page import (
    Markup,
    Point,
    Scale,
    element,
    join,
    linear_scale,
    pareto_front,
    scatter,
    tight_log_scale,
)

_SHARES = ((0.0, "fastest"), (0.5, "50%"), (0.9, "90%"), (0.99, "99%"), (0.999, "99.9%"))
_STAGES = (
    ("imports", "import"),
    ("open_verify", "open and verify"),
    ("first_answer", "first answer"),
    ("end_to_end", "recommend"),
    ("prefill", "prefill"),
    ("append", "append"),
    ("scan", "scan"),
)


def distribution(kinds: Sequence[Kind]) -> Markup:
    """Latency by the share of queries that it covers; the axis stretches the slow tail."""
    lines = [
        Line(kind.label, _curve(run.latency), faint=run is not kind.first)
        for kind in kinds
        for run in kind.runs
    ]
    values = [y for line in lines for _, y in line.points]
    across = Axis(
        "share of queries that are at least so fast",
        Scale(1.0, 1000.0, log=True),
        [(1 / (1 - share), text) for share, text in _SHARES],
    )
    up = axis("ms", tight_log_scale(values), _plain)
    return line_chart(lines, across, up, label="Latency of one query")


def sustained(kinds: Sequence[Kind]) -> Markup:
    """Median and 90th percentile of each stretch over the time of the load."""
    lines = []
    for kind in kinds:
        # The end of the load cuts the last stretch short.
        slices = kind.first.slices[:-1] or kind.first.slices
        lines.append(Line(kind.label, [(each.start_s, each.p50_s * 1e3) for each in slices]))
        tail = [(each.start_s, each.p90_s * 1e3) for each in slices]
        lines.append(Line(kind.label, tail, faint=True))
    last = max(line.points[-1][0] for line in lines)
    across = axis("seconds since the first query", Scale(0.0, max(last, 1e-3)), _plain)
    up = axis("ms", linear_scale([y for line in lines for _, y in line.points]), _plain)
    return line_chart(
        lines, across, up, label="Latency over the load: median, and thin the 90th percentile"
    )


def stages(kind: Kind) -> Markup:
    """Each part of the way from its median to its 99th percentile."""
    rows = []
    for name, text in _STAGES:
        latency: Latency = getattr(kind.first.stages, name)
        rows.append((text, latency.p50_s * 1e3, latency.p99_s * 1e3, duration(latency.p50_s)))
    scale = tight_log_scale([value for _, low, high, _ in rows for value in (low, high)])
    across = axis("ms, from the median to the 99th percentile", scale, _plain)
    return span_chart(rows, across, label=f"Parts of the way: {kind.label}")


def memory(kinds: Sequence[Kind]) -> Markup:
    """What a fresh process takes: packages, the bundle opened and used, and the peak above it."""
    rows = []
    for kind in kinds:
        found = kind.first.memory
        parts = (
            found.base_bytes / 1e6,
            max(0, found.resident_bytes - found.base_bytes) / 1e6,
            max(0, found.peak_bytes - found.resident_bytes) / 1e6,
        )
        rows.append((kind.label[:28], parts, size(found.resident_bytes)))
    across = axis("MB", linear_scale([sum(parts) for _, parts, _ in rows]), _plain)
    legend = ("Python and packages", "bundle, opened and used", "only at the peak")
    return bar_chart(rows, across, label="Memory of a fresh process", legend=legend)


def pareto(kinds: Sequence[Kind]) -> Markup:
    """Ranking quality over latency and over memory; the line joins what nothing else beats.

    Nothing where there are fewer than two kinds that were held to the same measure.
    """
    measured = [kind for kind in kinds if kind.first.accuracy is not None]
    metrics = {kind.first.accuracy.metric for kind in measured if kind.first.accuracy}
    if len(measured) < 2 or len(metrics) > 1:
        return Markup()
    figures = [
        _pareto(measured, [kind.first.latency.p50_s * 1e3 for kind in measured],
                "median latency, ms", "Quality and latency"),
        _pareto(measured, [kind.first.memory.resident_bytes / 1e6 for kind in measured],
                "resident memory, MB", "Quality and memory"),
    ]  # fmt: skip
    return join(*figures)


def _pareto(kinds: Sequence[Kind], costs: Sequence[float], cost: str, title: str) -> Markup:
    points = [
        Point(kind.label, at, kind.first.accuracy.value, kind.first.settings.backend)
        for kind, at in zip(kinds, costs, strict=True)
        if kind.first.accuracy is not None and at > 0
    ]
    if not points:
        return Markup()
    shared = kinds[0].first.accuracy
    metric = "NDCG@10" if shared and shared.metric == "ndcg@10" else "agreement@10"
    front = ", ".join(point.label for point in pareto_front(points))
    drawing = scatter(points, title=title, cost=cost, value=metric)
    return element("figure", drawing, element("figcaption", f"Beaten by none: {front}"))


def _curve(latency: Latency) -> list[tuple[float, float]]:
    """(1 / (1 - share), ms); from the few figures that every result has where no curve is kept."""
    shares: Sequence[float] = (0.5, 0.9, 0.99)
    values: Sequence[float] = (latency.p50_s, latency.p90_s, latency.p99_s)
    if latency.curve_s:
        shares, values = CURVE, latency.curve_s
    points = [(0.0, latency.min_s), *zip(shares, values, strict=True)]
    return [(1 / (1 - share), value * 1e3) for share, value in points]


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
