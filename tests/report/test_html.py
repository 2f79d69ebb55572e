"""The page: whole, self-contained, and safe whatever the data says."""

import html.parser
import re

import pytest

from pocketrec_distill.report import headline, render_html
from pocketrec_distill.report.summary import duration_text, milliseconds_text, size_text
from pocketrec_runtime.page import Scale, element, escape, linear_scale, log_scale

VOID = {"meta", "rect", "line", "circle", "polyline"}


class Reader(html.parser.HTMLParser):
    """Collects tags, attributes and text, and checks that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_is_well_formed_and_says_the_headline(report) -> None:
    reader = read(render_html(report))
    text = " ".join(reader.text)
    assert headline(report) in text
    for words in ("Shipped bundle", "Popularity", "Who beats whom", "Latency", "Training"):
        assert words in text
    assert dict(reader.tags)["html"] == {"lang": "en"}


def test_a_student_that_does_not_beat_its_control_is_said_first(report, gate) -> None:
    first = headline({**report, "gate": gate})
    assert first.startswith(
        "The gate failed. The student does not beat its control, the same model trained without "
        "distillation (NDCG@10 -0.0012, 95% interval -0.0041 to +0.0017, threshold +0.0000, "
        "943 users). The student does not beat popularity (not a number, 943 users). A bundle of"
    )
    # A check that decides nothing, and is itself undecided, does not stand in the first line.
    assert "EASE" not in first
    text = " ".join(read(render_html({**report, "gate": gate})).text)
    assert text.index("does not beat its control") < text.index("A bundle of")
    assert "Gate: failed" in text
    assert "not beyond doubt better than EASE" in text


def test_a_gate_that_passed_leaves_the_first_line_alone(report, gate) -> None:
    passed = {**gate, "status": "passed", "checks": gate["checks"][:1]}
    assert headline({**report, "gate": passed}) == headline(report)
    page = render_html({**report, "gate": passed})
    assert "keeps at least 90% of the blended teacher it learned from (98.2%" in page


def test_shares_of_the_blend_and_of_the_llm_are_told_apart(report, gate) -> None:
    """The gate divides by what the student learned from, the headline by the LLM: 98% and 105%."""
    kept = {**gate["checks"][0], "status": "undecided"}
    both = {**report, "gate": {**gate, "status": "undecided", "checks": [kept]}}
    first = headline(both)
    assert first.startswith(
        "The gate is undecided. That the student keeps 90% of the blended teacher it learned from "
        "is not beyond doubt (98.2%, 95% interval 96.1% to 100.3%, 943 users). A bundle of"
    )
    assert "105% of the LLM teacher alone (98% to 111%)" in first
    page = render_html(both)
    assert "its teacher" not in page
    text = " ".join(read(page).text)
    assert "Of the LLM teacher alone 104.6% of its NDCG@10, 95% interval 98.1% to 111.3%" in text
    assert "809 times faster than the LLM teacher alone" in text


def test_where_there_is_no_blend_the_llm_is_what_was_learned_from(report, gate) -> None:
    del report["test"]["blend"]
    report["comparisons"] = report["comparisons"][:2]
    kept = {**gate["checks"][0], "rival": "teacher"}
    page = render_html({**report, "gate": {**gate, "checks": [kept]}})
    assert "keeps at least 90% of the LLM teacher it learned from (98.2%" in page
    assert "105% of the LLM teacher (98% to 111%)" in page
    assert "alone (98%" not in page


def test_the_page_fetches_and_runs_nothing(report) -> None:
    page = render_html(report)
    reader = read(page)
    names = {tag for tag, _ in reader.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "image", "use"}
    attributes = {name for _, given in reader.tags for name in given}
    assert not {name for name in attributes if name.startswith("on")}
    assert not attributes & {"src", "href", "srcset", "xlink:href"}
    assert "url(" not in page
    assert "@import" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_data_never_becomes_markup(report) -> None:
    evil = "<script>alert('x')</script>\" onload=\"y"
    report["config"][evil] = evil
    report["data"][evil] = {evil: evil}
    report["device"]["cpu"] = evil
    report["test"][evil] = report["test"]["ease"]
    report["seconds"][evil] = 1.0
    report["history"][0]["stage"] = evil
    report["history"][1]["stage"] = evil
    report["comparisons"][0]["a"] = evil
    reader = read(render_html(report))
    assert "script" not in {tag for tag, _ in reader.tags}
    assert not any("onload" in given for _, given in reader.tags)
    assert evil in "".join(reader.text)


def test_text_in_any_script_and_broken_text_are_shown(report) -> None:
    report["data"]["title"] = "七人の侍 \udcff \x00 \x1b[1m"
    page = render_html(report)
    assert "七人の侍 \ufffd \ufffd \ufffd[1m" in page
    page.encode("utf-8")


def test_optional_sections_come_and_go(report) -> None:
    titles = re.findall(r"<h2>(.*?)</h2>", render_html(report))
    assert {"Parity", "Quantization", "Data", "Machine", "Training", "Configuration"} <= set(titles)
    for key in ("parity", "quantization", "data", "device", "history", "config", "comparisons"):
        report[key] = []
    fewer = re.findall(r"<h2>(.*?)</h2>", render_html(report))
    assert set(titles) - set(fewer) == {
        "Parity",
        "Quantization",
        "Data",
        "Machine",
        "Training",
        "Configuration",
        "Who beats whom",
    }


def test_models_stand_best_first(report) -> None:
    page = render_html(report)
    test = page[page.index("on the test split") : page.index("Who beats whom")]
    names = re.findall(r'<th scope="row">(.+?)</th>', test)
    assert names[:3] == ["Blended teacher", "Student, 32-bit", "Shipped bundle"]
    assert names[-1] == "Popularity"


def test_a_report_of_zeros_still_renders(report) -> None:
    zero = dict.fromkeys(("ndcg@10", "recall@10", "mrr@10", "coverage@10"), 0.0)
    zero["ndcg@10_ci95"] = [0.0, 0.0]
    for split in ("test", "validation"):
        report[split] = dict.fromkeys(report[split], zero)
    report["comparisons"][0] |= {"difference": 0.0, "ci95": [0.0, 0.0]}
    report["comparisons"] = report["comparisons"][:1]
    report["seconds"] = {"prepare": 0.0}
    report["latency_ms"] = {
        "teacher": {"median": 0.0, "p95": 0.0},
        "shipped": {"median": 0.0, "p95": 0.0},
        "ratio": 0.0,
    }
    report["parameters"] = {"shipped": 0}
    read(render_html(report))


def test_the_headline_in_words(report) -> None:
    assert headline(report) == (
        "A bundle of 1.9 MB ranks at NDCG@10 0.106 on the test split: 105% of the LLM teacher "
        "alone (98% to 111%) and 809 times faster than it, 0.104 ms an answer."
    )


@pytest.mark.parametrize(
    ("text", "markup"),
    [("a < b & \"c\"", "a &lt; b &amp; &quot;c&quot;"), ("\ud800", "\ufffd")],
)  # fmt: skip
def test_escape(text, markup) -> None:
    assert escape(text) == markup
    assert escape(escape(text)) == markup


def test_element() -> None:
    inner = element("b", "x<y")
    assert element("a", inner, "&", class_="c", aria_label='"') == (
        '<a class="c" aria-label="&quot;"><b>x&lt;y</b>&amp;</a>'
    )
    assert element("line", x1=3) == '<line x1="3"/>'


def test_scales() -> None:
    scale = Scale(0.0, 0.2)
    assert [scale.position(value) for value in (0.0, 0.05, 0.2, 9.0)] == [0, 25, 100, 100]
    assert scale.ticks() == pytest.approx([0.0, 0.05, 0.1, 0.15, 0.2])
    assert Scale(0.1, 1000.0, log=True).position(10.0) == pytest.approx(50)
    assert log_scale([0.104, 84.0]).ticks() == pytest.approx([0.1, 1, 10, 100])
    around = linear_scale([-0.002, 0.02])
    assert (around.low < -0.002, around.high > 0.02) == (True, True)
    with pytest.raises(ValueError, match="no width"):
        Scale(1.0, 1.0)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (size_text(999), "999 B"),
        (size_text(1_874_112), "1.9 MB"),
        (size_text(999_600), "1.0 MB"),
        (size_text(134_515_008), "135 MB"),
        (size_text(3_900_000_000), "3.9 GB"),
        (duration_text(0.44), "0.4 s"),
        (duration_text(59.96), "1 min 00 s"),
        (duration_text(125.2), "2 min 05 s"),
        (duration_text(3_725.0), "1 h 02 min"),
        (milliseconds_text(0.1042), "0.104 ms"),
        (milliseconds_text(5.456), "5.46 ms"),
        (milliseconds_text(84.12), "84.1 ms"),
        (milliseconds_text(1234.5), "1,234 ms"),
    ],
)
def test_figures_in_words(found, expected) -> None:
    assert found == expected
