"""Inline SVG marks for one table cell or one figure; positions are percentages of the width.

Each mark repeats what a table cell beside it says in digits, so a screen reader skips the mark.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pocketrec_distill.report.markup import Markup, element, join

_ROW_HEIGHT = 22
_CURVE_HEIGHT = 170


@dataclass(frozen=True)
class Scale:
    """Maps values from `low` to `high` onto 0 to 100 percent of a width.

    `log` says that equal ratios, not equal differences, are equally far apart.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(
                f"a scale from {self.low} to {self.high} (log: {self.log}) has no width"
            )

    def position(self, value: float) -> float:
        """Percent of the width at which `value` stands, clipped to 0 to 100."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return 100 * (at - low) / (high - low)

    def ticks(self) -> list[float]:
        """Round values along the scale: about four of them, or powers of ten."""
        if self.log:
            first = math.ceil(math.log10(self.low) - 1e-9)
            last = math.floor(math.log10(self.high) + 1e-9)
            return [10.0**exponent for exponent in range(first, last + 1)]
        step = _round_step((self.high - self.low) / 4)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [step * index for index in range(first, last + 1)]


def linear_scale(values: Sequence[float], *, zero: bool = True) -> Scale:
    """A scale that holds all of `values` (and zero), with a little air at the far ends."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        high = low + 1.0
    air = 0.04 * (high - low)
    # A bar grows from an end at zero, so no air stands there.
    return Scale(low if zero and low == 0 else low - air, 0.0 if zero and high == 0 else high + air)


def log_scale(values: Sequence[float]) -> Scale:
    """A logarithmic scale over whole powers of ten that holds all of the positive `values`."""
    positive = [value for value in values if value > 0] or [1.0]
    low = 10.0 ** math.floor(math.log10(min(positive)))
    high = 10.0 ** math.ceil(math.log10(max(positive)))
    return Scale(low, high if high > low else 10 * low, log=True)


def bar(value: float, scale: Scale, *, interval: tuple[float, float] | None = None) -> Markup:
    """A bar from zero to `value` on a linear scale, its confidence interval as a whisker."""
    start, end = scale.position(0.0), scale.position(value)
    rect = element("rect", class_="bar", x=_pc(start), y=4, width=_pc(end - start), height=14, rx=2)
    return _cell(_grid(scale), rect, _whisker(interval, scale) if interval else Markup())


def dot(value: float, scale: Scale, *, interval: tuple[float, float] | None = None) -> Markup:
    """A dot at `value`, its interval as a whisker, and a line at zero where the scale has it."""
    zero = Markup()
    if not scale.log and scale.low < 0 < scale.high:
        zero = _upright("zero", scale.position(0.0), 0, _ROW_HEIGHT)
    mark = element("circle", class_="dot", cx=_pc(scale.position(value)), cy=11, r=4.5)
    whisker = _whisker(interval, scale) if interval else Markup()
    return _cell(_grid(scale), zero, whisker, mark)


def axis(scale: Scale, labels: Sequence[str]) -> Markup:
    """The tick labels under a column of marks that share `scale`; one label per tick."""
    texts = []
    for value, label in zip(scale.ticks(), labels, strict=True):
        at = scale.position(value)
        anchor = "start" if at < 4 else "end" if at > 96 else "middle"
        texts.append(element("text", label, x=_pc(at), y=12, text_anchor=anchor))
    return element("svg", *texts, class_="axis", width="100%", height=16, aria_hidden="true")


def curve(values: Sequence[float], *, label: str, labels: Sequence[str]) -> Markup:
    """A line over equally spaced steps; `labels` are the first, best and last value in words."""
    scale = linear_scale(values, zero=False)
    points = [
        (100 * (i + 0.5) / len(values), 92 - 0.84 * scale.position(value))
        for i, value in enumerate(values)
    ]
    path = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    # Stretched to any width; only the dots lie outside, so that they stay round.
    line = element(
        "svg",
        element("polyline", points=path, vector_effect="non-scaling-stroke"),
        width="100%", height="100%", viewBox="0 0 100 100", preserveAspectRatio="none",
    )  # fmt: skip
    dots = [element("circle", class_="dot", cx=_pc(x), cy=_pc(y), r=3) for x, y in points]
    drawing = element(
        "svg",
        _curve_grid(),
        line,
        *dots,
        class_="curve",
        width="100%",
        height=_CURVE_HEIGHT,
        role="img",
        aria_label=f"{label}: {', '.join(labels)}",
    )
    notes = join(*(element("span", text) for text in labels))
    return element(
        "figure", element("figcaption", label), drawing, element("div", notes, class_="notes")
    )


def _cell(*marks: str) -> Markup:
    return element(
        "svg", *marks, class_="mark", width="100%", height=_ROW_HEIGHT, aria_hidden="true"
    )


def _grid(scale: Scale) -> Markup:
    return join(*(_upright("grid", scale.position(tick), 0, _ROW_HEIGHT) for tick in scale.ticks()))


def _curve_grid() -> Markup:
    return join(
        *(
            element("line", class_="grid", x1="0", x2="100%", y1=_pc(y), y2=_pc(y))
            for y in (8, 50, 92)
        )
    )


def _whisker(interval: tuple[float, float], scale: Scale) -> Markup:
    left, right = (scale.position(end) for end in interval)
    across = element("line", class_="whisker", x1=_pc(left), x2=_pc(right), y1=11, y2=11)
    return join(across, _upright("whisker", left, 7, 15), _upright("whisker", right, 7, 15))


def _upright(class_: str, at: float, top: int, bottom: int) -> Markup:
    return element("line", class_=class_, x1=_pc(at), x2=_pc(at), y1=top, y2=bottom)


def _pc(value: float) -> str:
    return f"{value:.2f}%"


def _round_step(step: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(
        factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= step * 0.999
    )
