"""grid.html: the front of each catalogue and how each way grows, from a grid made by hand."""

from dataclasses import replace
from html.parser import HTMLParser

from pocketrec_bench.card import Build
from pocketrec_bench.device import DeviceCard
from pocketrec_bench.figures import Latency
from pocketrec_bench.grid.front import with_fronts
from pocketrec_bench.grid.page import render_grid
from pocketrec_bench.grid.points import Grid, Point

DEVICE = DeviceCard(cpu="Cortex-A72", architecture="arm64")
BASE = Point(
    bundle="a.bundle", items=1_000, own=True, history_events=50, backend="onnx", weights="float32",
    rows="int8", cache="float32", threads=1, cached=Latency.of([2e-4]), uncached=Latency.of([9e-4]),
    open_s=0.1, resident_bytes=90_000_000, disk_bytes=2_000_000, metric="ndcg@10", quality=0.12,
    front=False,
)  # fmt: skip


class _Texts(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def _grid() -> Grid:
    worse = replace(BASE, weights="Q4_0", backend="llama", quality=0.1, cached=Latency.of([3e-4]))
    faster = replace(BASE, weights="int8", threads=2, quality=0.11, cached=Latency.of([1e-4]))
    points = [BASE, worse, faster]
    points += [replace(point, items=10_000, own=False) for point in points]
    return Grid(
        Build("0.1.0", "abc"),
        DEVICE,
        "2026-03-01T12:00:00Z",
        tuple(with_fronts(points)),
        2,
        "it is the fastest",
    )


def test_the_front_of_each_catalogue_is_drawn_and_listed() -> None:
    text = render_grid(_grid())
    found = _Texts(text).found
    assert "Recommended: a.bundle, onnx int8, int8 rows, 2 threads" in found
    assert found.index("1,000 items, history of 50") < found.index("10,000 items, history of 50")
    # On the front of both catalogues, and in the legend of the chart over sizes.
    assert found.count("a.bundle, onnx int8, int8 rows, 2 threads") == 3
    assert found.count("a.bundle, llama Q4_0, int8 rows") == 1
    assert text.count("<svg") == 3
    assert text.count('class="shipped"') == 1
    assert "<script" not in text


def test_one_catalogue_has_no_chart_over_sizes() -> None:
    grid = replace(_grid(), points=_grid().points[:3])
    assert render_grid(grid).count("<svg") == 1
