"""The frame of a drawing: its title, two axes with a grid, and where on it a value stands."""

from dataclasses import dataclass

from pocketrec_runtime.page.markup import Markup, element
from pocketrec_runtime.page.scale import Scale

WIDTH = 640
LEFT, RIGHT, TOP, BOTTOM = 64, 120, 44, 44
_GRID: dict[str, str | float] = {"stroke": "currentColor", "stroke_opacity": 0.15}


@dataclass(frozen=True)
class Frame:
    """Two axes on a canvas of WIDTH times `height`.

    Attributes:
        height: Of the canvas.
        across: The horizontal scale.
        up: The vertical one.
    """

    height: int
    across: Scale
    up: Scale

    def x(self, at: float) -> float:
        """Horizontal place of a value on the canvas."""
        return LEFT + (WIDTH - LEFT - RIGHT) * self.across.position(at) / 100

    def y(self, at: float) -> float:
        """Vertical place of a value on the canvas, from its top."""
        return self.height - BOTTOM - (self.height - TOP - BOTTOM) * self.up.position(at) / 100

    def drawing(self, title: str, across: str, up: str, *marks: Markup) -> Markup:
        """The drawing: title, axes with their names, and marks on them."""
        return element(
            "svg",
            element("text", title, x=LEFT, y=16, font_weight="bold"),
            *self._axes(across, up),
            *marks,
            xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {self.height}", width=WIDTH,
            height=self.height, role="img", aria_label=title, font_size=12,
            font_family="sans-serif", fill="currentColor",
        )  # fmt: skip

    def beside(self, label: str, row: int, colour: str) -> Markup:
        """A word right of the grid, in a colour; rows from 0 stand below one another."""
        return element("text", label, x=WIDTH - RIGHT + 12, y=TOP + 16 * row + 12,
                       style=f"fill:{colour}")  # fmt: skip

    def _axes(self, across: str, up: str) -> list[Markup]:
        """Grid lines with their values, and the names of both axes."""
        right, bottom = WIDTH - RIGHT, self.height - BOTTOM
        marks = []
        for tick in self.across.ticks():
            at = f"{self.x(tick):.1f}"
            marks.append(element("line", x1=at, x2=at, y1=TOP, y2=bottom, **_GRID))
            marks.append(element("text", f"{tick:g}", x=at, y=bottom + 16, text_anchor="middle"))
        for tick in self.up.ticks():
            at = f"{self.y(tick):.1f}"
            marks.append(element("line", x1=LEFT, x2=right, y1=at, y2=at, **_GRID))
            marks.append(element("text", f"{tick:.4g}", x=LEFT - 6, y=at, text_anchor="end"))
        middle = (LEFT + right) / 2
        marks.append(element("text", across, x=middle, y=self.height - 8, text_anchor="middle"))
        marks.append(element("text", up, x=4, y=TOP - 10))
        return marks
