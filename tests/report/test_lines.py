"""Lines on two axes, and the section on deferral that draws them."""

import re
from xml.etree import ElementTree

from pocketrec_distill.report import render_html
from pocketrec_runtime.page import Line, lines
from pocketrec_runtime.page.frame import WIDTH
from pocketrec_runtime.page.lines import HEIGHT

DEFERRAL = {
    "fitted_on": "700 validation queries",
    "validation": [
        {"share": 0.2, "threshold": 0.004, "gain": 0.0017, "low": 0.0003, "high": 0.0032}
    ],
    "test": [
        {"share": 0.0, "ndcg": 0.1189, "random": 0.1189, "gain": 0.0, "ci95": [0.0, 0.0]},
        {"share": 0.2, "ndcg": 0.1215, "random": 0.121, "gain": 0.0026, "ci95": [0.0008, 0.0045]},
        {"share": 1.0, "ndcg": 0.1293, "random": 0.1293, "gain": 0.0104, "ci95": [0.0069, 0.014]},
    ],
    "chosen": [{"share": 0.2, "deferred": 0.31, "gain": 0.003}],
}


def test_lines_stand_inside_and_rise_where_they_should() -> None:
    drawn = lines(
        [Line("up & down", [(0, 1), (1, 3), (2, 2)]), Line("flat", [(0, 2), (2, 2)])],
        title="T", across="x", up="y",
    )  # fmt: skip
    root = ElementTree.fromstring(str(drawn))
    space = "{http://www.w3.org/2000/svg}"
    first, second = (
        [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
        for line in root.iter(f"{space}polyline")
    )
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in first + second)
    # Up is towards 0: the second point is the highest; x values are equally far apart.
    assert first[1][1] < first[2][1] < first[0][1]
    assert abs((first[1][0] - first[0][0]) - (first[2][0] - first[1][0])) < 0.2
    assert second[0][1] == second[1][1] == first[2][1]
    assert {"up & down", "flat", "T", "x", "y"} <= {text.text for text in root.iter(f"{space}text")}


def test_the_report_draws_deferral_beside_random_deferral(report) -> None:
    page = render_html({**report, "deferral": DEFERRAL})
    assert "Deferral to a server" in page
    assert "offered by the bundle: 20%." in page
    assert len(re.findall(r"<polyline[^>]*stroke:#", page)) == 2
    assert "+0.0026" in page
    assert "+0.0008 to +0.0045" in page


def test_a_bundle_that_defers_nothing_says_so(report) -> None:
    assert "the bundle defers nothing" in render_html(
        {**report, "deferral": {**DEFERRAL, "validation": []}}
    )


def test_a_report_without_a_policy_has_no_such_section(report) -> None:
    assert "Deferral to a server" not in render_html(report)
    assert "Deferral to a server" not in render_html({**report, "deferral": {}})
