"""Points on two axes: where they stand, and which are beaten by none."""

import re
from xml.etree import ElementTree

from pocketrec_runtime.page.frame import WIDTH
from pocketrec_runtime.page.scatter import HEIGHT, Point, pareto_front, scatter

POINTS = [
    Point("a", 10.0, 0.10, "tiny"),
    Point("b", 100.0, 0.12, "tiny"),
    Point("c", 100.0, 0.09, "large"),
    Point("d", 1000.0, 0.12, "large"),
    Point("e", 1000.0, 0.15, "large"),
]


def test_the_front_by_hand() -> None:
    """c costs more than a and gives less; d costs more than b and gives the same."""
    assert [point.label for point in pareto_front(POINTS)] == ["a", "b", "e"]
    assert pareto_front(POINTS[:1]) == POINTS[:1]


def test_the_drawing_is_whole_and_everything_stands_inside() -> None:
    drawing = scatter(POINTS, title="Size & quality", cost="bytes", value="NDCG@10")
    root = ElementTree.fromstring(str(drawing))
    space = "{http://www.w3.org/2000/svg}"
    circles = root.findall(f".//{space}circle")
    places = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in circles]
    assert len(places) == 5
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in places)
    # Equal costs stand above each other, equal values beside each other; ten times is one step.
    (ax, ay), (bx, by), (cx, cy), (dx, dy), (_, ey) = places
    assert bx == cx
    assert by == dy
    assert abs((bx - ax) - (dx - bx)) < 0.2
    assert ey < by < ay < cy
    colours = [c.attrib["fill"] for c in circles]
    assert colours[0] == colours[1] != colours[2] == colours[4]
    assert "Size & quality" in [text.text for text in root.iter(f"{space}text")]
    line = re.findall(r"[\d.]+,[\d.]+", str(drawing).partition("polyline")[2])
    assert len(line) == 3
