"""A standalone SVG of points on two axes, and which of them no other point beats."""

from collections.abc import Sequence
from dataclasses import dataclass

from pocketrec_runtime.page.markup import Markup, element
from pocketrec_runtime.page.scale import Scale, linear_scale, log_scale, tight_log_scale

WIDTH, HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 120, 44, 44
_LETTER, _LINE = 6.5, 14  # about a letter's width, and a line's height
_COLOURS = ("#2f6f9f", "#b5541c", "#3f7d4f", "#7a4fa3", "#8a7a1f")

_GRID: dict[str, str | float] = {"stroke": "currentColor", "stroke_opacity": 0.15}


@dataclass(frozen=True)
class Point:
    """One model: what it costs, what it reaches, and whose kin it is.

    Attributes:
        label: Stands beside the point.
        cost: Horizontal, above 0, less is better; on a logarithmic axis.
        value: Vertical, more is better.
        group: Points of one group share a colour.
    """

    label: str
    cost: float
    value: float
    group: str


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """The points that no other one matches in both and beats in one, cheapest first."""
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost, -p.value)):
        if not front or point.value > front[-1].value:
            front.append(point)
    return front


def scatter(points: Sequence[Point], *, title: str, cost: str, value: str) -> Markup:
    """The drawing, with a line through the Pareto front.

    Args:
        points: At least one.
        title: Above the drawing.
        cost: Name and unit of the horizontal axis.
        value: Name of the vertical axis.
    """
    costs = [point.cost for point in points]
    across = log_scale(costs) if max(costs) >= 10 * min(costs) else tight_log_scale(costs)
    up = linear_scale([point.value for point in points], zero=False)
    groups = list(dict.fromkeys(point.group for point in points))
    front = pareto_front(points)
    line = " ".join(f"{_x(across, p.cost):.1f},{_y(up, p.value):.1f}" for p in front)
    return element(
        "svg",
        element("text", title, x=_LEFT, y=16, font_weight="bold"),
        *_axes(across, up, cost, value),
        element(
            "polyline", points=line, fill="none", stroke="currentColor", stroke_opacity=0.5,
            stroke_dasharray="4 3",
        ),
        *_marks(points, across, up, groups),
        *(
            element("text", group, x=WIDTH - _RIGHT + 12, y=_TOP + 16 * row + 12,
                    style=f"fill:{_colour(groups, group)}")
            for row, group in enumerate(groups)
        ),
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {HEIGHT}", width=WIDTH,
        height=HEIGHT, role="img", aria_label=title, font_size=12, font_family="sans-serif",
        fill="currentColor",
    )  # fmt: skip


def _colour(groups: Sequence[str], group: str) -> str:
    return _COLOURS[groups.index(group) % len(_COLOURS)]


def _x(scale: Scale, at: float) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * scale.position(at) / 100


def _y(scale: Scale, at: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * scale.position(at) / 100


def _marks(
    points: Sequence[Point], across: Scale, up: Scale, groups: Sequence[str]
) -> list[Markup]:
    """A dot and its label each; labels that would lie on others stand a line lower."""
    marks, taken = [], list[tuple[float, float, float]]()
    for point in points:
        x, y = _x(across, point.cost), _y(up, point.value)
        length = _LETTER * len(point.label)
        to_left = x + 6 + length > WIDTH - _RIGHT and x - 6 - length > _LEFT
        start = x - 6 - length if to_left else x + 6
        at = y - 5
        while any(
            abs(at - other) < _LINE and start < end and first < start + length
            for first, end, other in taken
        ):
            at += _LINE
        taken.append((start, start + length, at))
        dot = element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=4,
                      fill=_colour(groups, point.group))  # fmt: skip
        label = element(
            "text", point.label, x=f"{x - 6 if to_left else x + 6:.1f}", y=f"{at:.1f}",
            text_anchor="end" if to_left else "start",
        )  # fmt: skip
        marks.append(element("g", dot, label))
    return marks


def _axes(across: Scale, up: Scale, cost: str, value: str) -> list[Markup]:
    """Grid lines with their values, and the names of both axes."""
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    marks = []
    for tick in across.ticks():
        at = f"{_x(across, tick):.1f}"
        marks.append(element("line", x1=at, x2=at, y1=_TOP, y2=bottom, **_GRID))
        marks.append(element("text", f"{tick:g}", x=at, y=bottom + 16, text_anchor="middle"))
    for tick in up.ticks():
        at = f"{_y(up, tick):.1f}"
        marks.append(element("line", x1=_LEFT, x2=right, y1=at, y2=at, **_GRID))
        marks.append(element("text", f"{tick:.4g}", x=_LEFT - 6, y=at, text_anchor="end"))
    middle = (_LEFT + right) / 2
    marks.append(element("text", cost, x=middle, y=HEIGHT - 8, text_anchor="middle"))
    marks.append(element("text", value, x=4, y=_TOP - 10))
    return marks
