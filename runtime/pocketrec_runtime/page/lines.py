"""A standalone SVG of lines on two linear axes."""

from collections.abc import Sequence
from dataclasses import dataclass

from pocketrec_runtime.page.markup import Markup, element
from pocketrec_runtime.page.scale import Scale, linear_scale

WIDTH, HEIGHT = 640, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 120, 44, 44
_COLOURS = ("#2f6f9f", "#b5541c", "#3f7d4f", "#7a4fa3")
_GRID: dict[str, str | float] = {"stroke": "currentColor", "stroke_opacity": 0.15}


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        label: Stands at its end, in its colour.
        points: Horizontal and vertical values, at least two, in the order in which they are joined.
    """

    label: str
    points: Sequence[tuple[float, float]]


def lines(drawn: Sequence[Line], *, title: str, across: str, up: str) -> Markup:
    """The drawing.

    Args:
        drawn: At least one line.
        title: Above the drawing.
        across: Name of the horizontal axis.
        up: Name of the vertical axis.
    """
    points = [point for line in drawn for point in line.points]
    horizontal = linear_scale([x for x, _ in points])
    vertical = linear_scale([y for _, y in points], zero=False)
    return element(
        "svg",
        element("text", title, x=_LEFT, y=16, font_weight="bold"),
        *_axes(horizontal, vertical, across, up),
        *(
            _line(line, _COLOURS[place % len(_COLOURS)], place, horizontal, vertical)
            for place, line in enumerate(drawn)
        ),
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {HEIGHT}", width=WIDTH,
        height=HEIGHT, role="img", aria_label=title, font_size=12, font_family="sans-serif",
        fill="currentColor",
    )  # fmt: skip


def _line(line: Line, colour: str, place: int, across: Scale, up: Scale) -> Markup:
    path = " ".join(f"{_x(across, x):.1f},{_y(up, y):.1f}" for x, y in line.points)
    return element(
        "g",
        # As a style: the page's own rule for polylines would win over an attribute.
        element("polyline", points=path, style=f"fill:none;stroke:{colour}", stroke_width=2),
        element("text", line.label, x=WIDTH - _RIGHT + 12, y=_TOP + 16 * place + 12,
                style=f"fill:{colour}"),
    )  # fmt: skip


def _axes(horizontal: Scale, vertical: Scale, across: str, up: str) -> list[Markup]:
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    marks = []
    for tick in horizontal.ticks():
        at = f"{_x(horizontal, tick):.1f}"
        marks.append(element("line", x1=at, x2=at, y1=_TOP, y2=bottom, **_GRID))
        marks.append(element("text", f"{tick:g}", x=at, y=bottom + 16, text_anchor="middle"))
    for tick in vertical.ticks():
        at = f"{_y(vertical, tick):.1f}"
        marks.append(element("line", x1=_LEFT, x2=right, y1=at, y2=at, **_GRID))
        marks.append(element("text", f"{tick:.4g}", x=_LEFT - 6, y=at, text_anchor="end"))
    middle = (_LEFT + right) / 2
    marks.append(element("text", across, x=middle, y=HEIGHT - 8, text_anchor="middle"))
    marks.append(element("text", up, x=4, y=_TOP - 10))
    return marks


def _x(scale: Scale, at: float) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * scale.position(at) / 100


def _y(scale: Scale, at: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * scale.position(at) / 100
