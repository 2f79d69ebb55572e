"""Renders a report as one self-contained page: no script, nothing fetched, readable offline."""

import json

from pocketrec_distill.report import sections
from pocketrec_distill.report.schema import Report, validate_report
from pocketrec_distill.report.summary import headline, llm_teacher, milliseconds_text, size_text
from pocketrec_distill.report.verdict import sentence
from pocketrec_runtime.page import Markup, element, html_document, join, row, table

_TERMS = {
    "NDCG@10": "how near the top of the ten the user's next item stands: 1 first, 0.63 second, "
    "0 not among them; the mean over users.",
    "Recall@10": "share of users whose next item is among the ten.",
    "MRR@10": "mean of one over the next item's place, 0 when it is not among the ten.",
    "Coverage@10": "share of the catalogue that stands in somebody's ten.",
    "95% interval": "bootstrap over users; for a difference or a ratio, of the same users paired.",
    "Full ranking": "every item of the catalogue competes, except those already in the history; "
    "no sampled negatives. Ties count against the model.",
    "Shipped bundle": "the quantized bundle measured through the device runtime, never the "
    "training code.",
    "Blended teacher": "what the student learned from, where there is one: the LLM teacher and "
    "other models, each weighted on validation. The gate's retention is a share of it.",
    "LLM teacher": "the fine-tuned language model alone, whatever the student learned from.",
    "Control": "the student's shape and budget, trained without any teacher.",
}


def render_html(report: Report) -> str:
    """The page for a report, as text.

    Raises:
        ReportError: the report does not hold its fixed keys.
    """
    validate_report(report)
    body = join(_header(report), element("main", *_sections(report)))
    return html_document("pocketrec report", body)


def _header(report: Report) -> Markup:
    return element(
        "header",
        element("p", "pocketrec · report of one run", class_="kicker"),
        element("h1", headline(report)),
        element("dl", *_tiles(report), class_="tiles"),
    )


def _tiles(report: Report) -> list[Markup]:
    shipped, teacher = report["test"]["shipped"], report["test"]["teacher"]
    retention, latency = report["retention"], report["latency_ms"]
    low, high = retention["ci95"]
    return [
        _tile(
            "NDCG@10, shipped, test",
            f"{shipped['ndcg@10']:.4f}",
            f"{llm_teacher(report)} {teacher['ndcg@10']:.4f}",
        ),
        _tile(
            f"Of {llm_teacher(report)}",
            f"{retention['ratio']:.1%}",
            f"of its NDCG@10, 95% interval {low:.1%} to {high:.1%}",
        ),
        _tile("Bundle", size_text(report["bundle_bytes"]), _parameters(report)),
        _tile(
            "Latency, median",
            milliseconds_text(latency["shipped"]["median"]),
            f"{latency['ratio']:,.0f} times faster than {llm_teacher(report)}",
        ),
    ]


def _tile(name: str, figure: str, note: str) -> Markup:
    return element(
        "div",
        element("dt", name),
        element("dd", figure, class_="figure"),
        element("dd", note, class_="note"),
        class_="tile",
    )


def _parameters(report: Report) -> str:
    for model in ("shipped", "student_fp32", "student"):
        if model in report["parameters"]:
            return f"{report['parameters'][model]:,} parameters"
    return "model, catalogue and tokenizer"


BY_ITEM_NOTE = (
    "Test queries whose next item stands in a training history (warm), and those where it stands "
    "in none (cold)."
)
REFIT_NOTE = (
    "Events that the bundle learned, and those that the measured models did: every model was made "
    "once more from all events, with what validation chose. The figures are of the measured ones."
)
COLD_NOTE = (
    "Items held out with all their events, ranked from their text alone: the bundle's item tower, "
    "and tf-idf over the same histories. Recall@10 among the cold items, and among the whole "
    "catalogue with them."
)


def _sections(report: Report) -> list[Markup]:
    """Every section of the page in reading order; an optional key that is absent leaves none."""
    built = [
        sections.quality(report, "test", "Ranking quality on the test split"),
        sections.comparisons(report),
        _gate(report),
        sections.quality(report, "validation", "Ranking quality on the validation split"),
        sections.deferral(report),
        sections.latency(report),
        sections.parameters(report),
        sections.stages(report),
        sections.curves(report),
    ]
    for key, title, note in (
        ("refit", "Refit", REFIT_NOTE),
        ("test_by_item", "Items with and without a training event", BY_ITEM_NOTE),
        ("cold", "Cold items", COLD_NOTE),
        ("parity", "Parity", "The same histories through PyTorch, ONNX and the bundle."),
        ("quantization", "Quantization", "What was measured, and what was shipped because of it."),
        ("data", "Data", "What was read, what was dropped, and why."),
        ("device", "Machine", "The machine on which everything on this page was measured."),
    ):
        if report.get(key):
            built.append(sections.facts(title, note, report[key]))
    return [*built, _configuration(report), _glossary()]


def _gate(report: Report) -> Markup:
    """Every check of the gate, in words."""
    gate = report.get("gate")
    if not gate:
        return Markup()
    rows = [
        row(check["name"].replace("_", " "), check["status"], check["level"], sentence(check))
        for check in gate["checks"]
    ]
    enforced = "is enforced" if gate["enforced"] else "is not enforced"
    return element(
        "section",
        element("h2", f"Gate: {gate['status']}"),
        element(
            "p",
            "Whether the student may be shipped, by paired bootstrap on the same test users; it "
            f"{enforced} in this run. A check on level warn is told and decides nothing.",
        ),
        table(["Check", "Found", "Level", ""], rows, caption="Gate", class_="words"),
    )


def _configuration(report: Report) -> Markup:
    if not report.get("config"):
        return Markup()
    text = json.dumps(report["config"], indent=2, ensure_ascii=False)
    inner = join(element("summary", "Show every setting"), element("pre", text))
    return element("section", element("h2", "Configuration"), element("details", inner))


def _glossary() -> Markup:
    terms = join(*(element("dt", term) + element("dd", text) for term, text in _TERMS.items()))
    return element("section", element("h2", "Words"), element("dl", terms, class_="words"))
