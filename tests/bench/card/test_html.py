"""card.html: whole, self-contained, escaped, and right in what it says."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pocketrec_bench.card import Build, Card, read_card, render_card, write_card
from pocketrec_bench.card.words import duration, kinds_of, number, size
from pocketrec_bench.device import DeviceCard
from pocketrec_bench.figures import Latency
from pocketrec_bench.results import Result

EVIL = "<script>alert('x')</script>&\"'"


class _Page(HTMLParser):
    """Tags with their attributes, and the text outside of styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def _card(*results: Result) -> Card:
    return Card(Build("0.1.0", "abc"), DeviceCard(cpu="Cortex-A72", architecture="arm64"), results)


def _with(result: Result, **settings: object) -> Result:
    return replace(result, settings=replace(result.settings, **settings))  # type: ignore[arg-type]


def test_the_page_and_the_card_are_written_together(result: Result, tmp_path: Path) -> None:
    card = _card(result)
    write_card(card, tmp_path / "out")
    assert read_card(tmp_path / "out") == card
    assert (tmp_path / "out" / "card.html").read_text("utf-8") == render_card(card)


def test_nothing_is_loaded_and_nothing_runs(result: Result) -> None:
    text = render_card(_card(result, _with(result, weights="int8")))
    page = _Page(text)
    names = {name for name, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    for _, attributes in page.tags:
        assert not {"src", "href", "onload", "onclick"} & attributes.keys()
    policies = [a["content"] for n, a in page.tags if n == "meta" and "http-equiv" in a]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert "url(" not in text
    assert "@import" not in text


def test_every_text_is_escaped(result: Result) -> None:
    evil = replace(
        _with(result, weights=EVIL),
        subject=replace(result.subject, name=EVIL),
        valid=False,
        reasons=(EVIL, "\x1b[31m red"),
    )
    device = DeviceCard(cpu=EVIL, architecture="arm64", versions={"numpy": EVIL}, board=EVIL)
    text = render_card(Card(Build("1", "abc"), device, (evil, result)))
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "\x1b" not in text


def test_every_drawing_is_xml_with_finite_places(result: Result) -> None:
    text = render_card(_card(result, _with(result, weights="int8"), _with(result, threads=2)))
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) == 6  # distribution, load, stages, memory, and two for quality
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        for node in root.iter():
            for across in ("x", "x1", "x2", "cx"):
                assert 0 <= float(node.attrib.get(across, 0)) <= width
            for down in ("y", "y1", "y2", "cy"):
                assert 0 <= float(node.attrib.get(down, 0)) <= height
            pairs = re.findall(r"\S+", node.attrib.get("points", ""))
            assert all(0 <= float(pair.split(",")[0]) <= width for pair in pairs)


def test_a_run_that_is_not_valid_says_so_first(result: Result) -> None:
    bad = replace(result, valid=False, reasons=("the machine was busy",))
    page = _Page(render_card(_card(bad, bad)))
    assert page.texts.index("2 of 2 runs are not valid: do not quote them.") > 0
    assert "the machine was busy (2 runs)" in page.texts
    assert any(text.startswith("Not valid. films.bundle answers") for text in page.texts)
    assert not any("not valid" in text for text in _Page(render_card(_card(result))).texts)


def test_what_was_not_measured_is_called_so(result: Result) -> None:
    bare = replace(result, energy=None, accuracy=None, bandwidth=None,
                   load=replace(result.load, other_cores=None))  # fmt: skip
    texts = _Page(render_card(_card(bare, _with(bare, weights="int8")))).texts
    # Of each of two runs: energy, bandwidth, others' cores, quality; quality again in two tiles.
    assert texts.count("not measured") == 10


def test_replicates_are_told_from_kinds(result: Result) -> None:
    slower = replace(result, latency=Latency.of([2.2e-4 * n for n in range(1, 6)]))
    card = _card(result, _with(result, weights="int8"), slower)
    kinds = kinds_of(card)
    assert [(kind.label, len(kind.runs)) for kind in kinds] == [("float32", 2), ("int8", 1)]
    texts = _Page(render_card(card)).texts
    assert any("float32: 2 replicates do not agree" in text for text in texts)
    assert [kind.label for kind in kinds_of(_card(result))] == ["cached, single-stream"]
    assert "pocketrec bench films.bundle --replicate 2 --interactions TABLE" in "\n".join(texts)


def test_labels_are_the_fewest_words_that_tell_apart(result: Result) -> None:
    """Weights tell the backends apart here, so that the backend is not named."""
    other = replace(result, subject=replace(result.subject, name="b.bundle", fingerprint="cd" * 32))
    llama = _with(result, backend="llama", weights="Q8_0")
    runs = (result, _with(result, division="uncached"), llama)
    assert [kind.label for kind in kinds_of(_card(*runs))] == [
        "cached float32", "uncached float32", "cached Q8_0",
    ]  # fmt: skip
    assert [kind.label for kind in kinds_of(_card(result, other))] == ["films.bundle", "b.bundle"]


def test_a_load_without_time_or_spread_is_drawn(result: Result) -> None:
    [first, *_] = result.slices
    flat = replace(result, latency=Latency.of([0.0]), slices=(first,))
    assert "<svg" in render_card(_card(flat))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "not measured"), (2.312, "2.31 s"), (1.04e-4, "0.104 ms"), (8.1e-6, "8.10 µs"),
     (4e-9, "4.00 ns"), (0.0, "0.0000 ns"), (61.04, "61.0 s"), (1234.5, "1,234 s")],
)  # fmt: skip
def test_durations(value: float | None, expected: str) -> None:
    assert duration(value) == expected


def test_numbers_and_sizes() -> None:
    assert [number(value) for value in (7150.5, 12.34, 1.234, 0.01234)] == [
        "7,150", "12.3", "1.23", "0.0123",
    ]  # fmt: skip
    assert [size(value) for value in (None, 999, 2_402_113, 25_276_510_208)] == [
        "no limit", "999 B", "2.40 MB", "25.3 GB",
    ]  # fmt: skip
