"""A standalone SVG of points on two axes, and which of them no other point beats."""

from collections.abc import Sequence
from dataclasses import dataclass

from pocketrec_runtime.page.frame import LEFT, RIGHT, WIDTH, Frame
from pocketrec_runtime.page.markup import Markup, element
from pocketrec_runtime.page.scale import linear_scale, log_scale, tight_log_scale

HEIGHT = 360
_LETTER, _LINE = 6.5, 14  # about a letter's width, and a line's height
_COLOURS = ("#2f6f9f", "#b5541c", "#3f7d4f", "#7a4fa3", "#8a7a1f")


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
    frame = Frame(HEIGHT, across, up)
    groups = list(dict.fromkeys(point.group for point in points))
    line = " ".join(f"{frame.x(p.cost):.1f},{frame.y(p.value):.1f}" for p in pareto_front(points))
    return frame.drawing(
        title,
        cost,
        value,
        element(
            "polyline", points=line, fill="none", stroke="currentColor", stroke_opacity=0.5,
            stroke_dasharray="4 3",
        ),
        *_marks(frame, points, groups),
        *(
            frame.beside(group, row, _colour(groups, group))
            for row, group in enumerate(groups)
        ),
    )  # fmt: skip


def _colour(groups: Sequence[str], group: str) -> str:
    return _COLOURS[groups.index(group) % len(_COLOURS)]


def _marks(frame: Frame, points: Sequence[Point], groups: Sequence[str]) -> list[Markup]:
    """A dot and its label each; labels that would lie on others stand a line lower."""
    marks, taken = [], list[tuple[float, float, float]]()
    for point in points:
        x, y = frame.x(point.cost), frame.y(point.value)
        length = _LETTER * len(point.label)
        to_left = x + 6 + length > WIDTH - RIGHT and x - 6 - length > LEFT
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
