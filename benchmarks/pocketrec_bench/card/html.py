"""`card.html`: a card as one self-contained page, no script, nothing fetched."""

from pocketrec_bench.card import drawings, sections
from pocketrec_bench.card.document import Card
from pocketrec_bench.card.words import Kind, duration, kinds_of, size
from pocketrec_runtime.page import Markup, element, html_document


def render_card(card: Card) -> str:
    """The page of a card, as text."""
    kinds = kinds_of(card)
    best = min(kinds, key=lambda kind: kind.first.latency.p50_s)
    charts = element(
        "section",
        element("h2", "Latency"),
        element("p", _note(kinds)),
        drawings.distribution(kinds),
        drawings.sustained(kinds),
        drawings.stages(best),
    )
    costs = element(
        "section",
        element("h2", "Memory and quality"),
        element("p", "A fresh process that opened the bundle and answered for one user."),
        drawings.memory(kinds),
        drawings.pareto(kinds),
    )
    main = element(
        "main",
        sections.notice(card),
        sections.runs(card, kinds),
        sections.replicates(kinds),
        charts,
        costs,
        sections.trust(kinds),
        sections.device(card),
        sections.glossary(),
    )
    return html_document("pocketrec benchmark card", _header(card, best), main)


def headline(card: Card, kind: Kind) -> str:
    """What a kind of run found, in one sentence; first of all whether it may be quoted."""
    result = kind.first
    several = len(kinds_of(card)) > 1
    name = f"{result.subject.name}, {kind.label}," if several else result.subject.name
    told = (
        f"{name} answers a query in {duration(result.latency.p50_s)} "
        f"(p99 {duration(result.latency.p99_s)}) on {card.device.cpu}, {sections.quality(result)}."
    )
    return told if result.valid else f"Not valid. {told}"


def _note(kinds: list[Kind]) -> str:
    count = sum(len(kind.runs) for kind in kinds)
    if count == 1:
        return "Every query was timed inside of LoadGen; the first chart stretches the slow tail."
    return f"{count} runs; a kind's replicates are thin lines of its colour in the first chart."


def _header(card: Card, best: Kind) -> Markup:
    result = best.first
    tiles = (
        ("Median latency", duration(result.latency.p50_s), f"p99 {duration(result.latency.p99_s)}"),
        ("Throughput", f"{result.throughput_qps:,.0f}/s", f"{result.settings.threads} thread(s)"),
        ("Quality kept", _kept(result.accuracy.ratio if result.accuracy else None),
         sections.quality(result)),
        ("Resident memory", size(result.memory.resident_bytes),
         f"{size(result.subject.disk_bytes)} on the disk"),
    )  # fmt: skip
    return element(
        "header",
        element("p", "pocketrec · benchmark card", class_="kicker"),
        element("h1", headline(card, best)),
        element("dl", *(_tile(*tile) for tile in tiles), class_="tiles"),
    )


def _kept(ratio: float | None) -> str:
    return "not measured" if ratio is None else f"{ratio:.1%}"


def _tile(name: str, figure: str, note: str) -> Markup:
    return element(
        "div",
        element("dt", name),
        element("dd", figure, class_="figure"),
        element("dd", note, class_="note"),
        class_="tile",
    )
