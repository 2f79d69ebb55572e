"""A standalone SVG of lines on two linear axes."""

from collections.abc import Sequence
from dataclasses import dataclass

from pocketrec_runtime.page.frame import Frame
from pocketrec_runtime.page.markup import Markup, element
from pocketrec_runtime.page.scale import linear_scale

HEIGHT = 320
_COLOURS = ("#2f6f9f", "#b5541c", "#3f7d4f", "#7a4fa3")


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
    frame = Frame(
        HEIGHT,
        linear_scale([x for x, _ in points]),
        linear_scale([y for _, y in points], zero=False),
    )
    marks = (
        _line(frame, line, _COLOURS[place % len(_COLOURS)], place)
        for place, line in enumerate(drawn)
    )
    return frame.drawing(title, across, up, *marks)


def _line(frame: Frame, line: Line, colour: str, place: int) -> Markup:
    path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in line.points)
    return element(
        "g",
        # As a style: the page's own rule for polylines would win over an attribute.
        element("polyline", points=path, style=f"fill:none;stroke:{colour}", stroke_width=2),
        frame.beside(line.label, place, colour),
    )
