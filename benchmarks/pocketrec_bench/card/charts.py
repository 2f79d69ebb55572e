"""Drawings of a card, as SVG that stands in the page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pocketrec_runtime.page import Markup, Scale, element

WIDTH, HEIGHT = 880, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 16, 14, 44
_ROW, _NAME = 30, 200
_COLOURS = 6  # style.css has so many


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        label: In the legend; lines of one label share a colour.
        points: (x, y), in order of x.
        faint: Drawn thin: a replicate, or a second figure.
    """

    label: str
    points: Sequence[tuple[float, float]]
    faint: bool = False


@dataclass(frozen=True)
class Axis:
    """One side of a chart.

    Attributes:
        name: With the unit.
        scale: Where values stand.
        ticks: Values that are written, and how.
    """

    name: str
    scale: Scale
    ticks: Sequence[tuple[float, str]]


def axis(name: str, scale: Scale, text: Callable[[float], str]) -> Axis:
    """An axis with the scale's own ticks."""
    return Axis(name, scale, [(tick, text(tick)) for tick in scale.ticks()])


def line_chart(lines: Sequence[Line], across: Axis, up: Axis, *, label: str) -> Markup:
    """Lines over two axes, and a legend where there is more than one label."""
    labels = list(dict.fromkeys(line.label for line in lines))
    drawn = [
        element(
            "polyline",
            points=" ".join(f"{_x(across, x):.1f},{_y(up, y):.1f}" for x, y in line.points),
            class_=f"line c{labels.index(line.label) % _COLOURS}{' faint' if line.faint else ''}",
        )
        for line in lines
    ]
    svg = element(
        "svg", *_axes(across, up), *drawn,
        class_="chart", viewBox=f"0 0 {WIDTH} {HEIGHT}", width="100%", role="img",
        aria_label=label,
    )  # fmt: skip
    return element("figure", element("figcaption", label), svg, _legend(labels))


def span_chart(
    rows: Sequence[tuple[str, float, float, str]], across: Axis, *, label: str
) -> Markup:
    """One row each: a line from the first value to the second, a dot at the first, a text."""
    height = _ROW * len(rows) + _TOP + _BOTTOM
    marks = []
    for place, (name, low, high, text) in enumerate(rows):
        y = _TOP + _ROW * place + _ROW / 2
        left, right = _across(across, low), _across(across, high)
        marks += [
            element("text", name, x=_NAME - 12, y=y + 4, class_="end"),
            element("line", x1=f"{left:.1f}", x2=f"{right:.1f}", y1=y, y2=y, class_="span"),
            element("circle", cx=f"{left:.1f}", cy=y, r=4.5, class_="dot"),
            element("text", text, x=WIDTH - 4, y=y + 4, class_="end strong"),
        ]
    return _rows(marks, across, height, label)


def bar_chart(
    rows: Sequence[tuple[str, Sequence[float], str]],
    across: Axis,
    *,
    label: str,
    legend: Sequence[str],
) -> Markup:
    """One row each: parts of a whole after one another, and a text."""
    height = _ROW * len(rows) + _TOP + _BOTTOM
    marks = []
    for place, (name, parts, text) in enumerate(rows):
        y = _TOP + _ROW * place + 6
        marks.append(element("text", name, x=_NAME - 12, y=y + 13, class_="end"))
        start = 0.0
        for colour, part in enumerate(parts):
            left, right = _across(across, start), _across(across, start + part)
            marks.append(
                element(
                    "rect", x=f"{left:.1f}", y=y, width=f"{max(0.0, right - left):.1f}", height=18,
                    class_=f"part c{colour % _COLOURS}",
                )
            )  # fmt: skip
            start += part
        marks.append(element("text", text, x=WIDTH - 4, y=y + 13, class_="end strong"))
    return _rows(marks, across, height, label, legend)


def _rows(
    marks: Sequence[Markup], across: Axis, height: int, label: str, legend: Sequence[str] = ()
) -> Markup:
    bottom = height - _BOTTOM + 6
    grid = []
    for value, text in across.ticks:
        x = f"{_across(across, value):.1f}"
        grid.append(element("line", x1=x, x2=x, y1=_TOP, y2=bottom, class_="grid"))
        grid.append(element("text", text, x=x, y=bottom + 16, class_="middle"))
    middle = (_NAME + _last()) / 2
    grid.append(element("text", across.name, x=middle, y=height - 4, class_="middle"))
    svg = element(
        "svg", *grid, *marks, class_="chart", viewBox=f"0 0 {WIDTH} {height}", width="100%",
        role="img", aria_label=label,
    )  # fmt: skip
    return element("figure", element("figcaption", label), svg, _legend(legend))


def _axes(across: Axis, up: Axis) -> list[Markup]:
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    marks = []
    for value, text in across.ticks:
        x = f"{_x(across, value):.1f}"
        marks.append(element("line", x1=x, x2=x, y1=_TOP, y2=bottom, class_="grid"))
        marks.append(element("text", text, x=x, y=bottom + 16, class_="middle"))
    for value, text in up.ticks:
        y = _y(up, value)
        marks.append(
            element("line", x1=_LEFT, x2=right, y1=f"{y:.1f}", y2=f"{y:.1f}", class_="grid")
        )
        marks.append(element("text", text, x=_LEFT - 6, y=f"{y + 4:.1f}", class_="end"))
    middle = (_LEFT + right) / 2
    marks.append(element("text", across.name, x=middle, y=HEIGHT - 6, class_="middle"))
    side = _TOP + (bottom - _TOP) / 2
    turn = f"rotate(-90 12 {side:g})"
    marks.append(element("text", up.name, x=12, y=side, transform=turn, class_="middle"))
    return marks


def _legend(labels: Sequence[str]) -> Markup:
    if len(labels) < 2:
        return Markup()
    entries = (
        element("span", element("span", "", class_=f"key c{n % _COLOURS}"), text)
        for n, text in enumerate(labels)
    )
    return element("div", *entries, class_="legend")


def _last() -> int:
    return WIDTH - 110


def _across(across: Axis, value: float) -> float:
    return _NAME + (_last() - _NAME) * across.scale.position(value) / 100


def _x(across: Axis, value: float) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * across.scale.position(value) / 100


def _y(up: Axis, value: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * up.scale.position(value) / 100
