"""Inline SVG marks for one table cell or one figure; positions are percentages of the width.

Each mark repeats what a table cell beside it says in digits, so a screen reader skips the mark.
"""

from collections.abc import Sequence

from pocketrec_runtime.page import Markup, Scale, element, join, linear_scale

_ROW_HEIGHT = 22
_CURVE_HEIGHT = 170


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
