"""Results to the tables of README.md, between its markers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BEGIN = "<!-- domains: begin, written by run.py -->"
END = "<!-- domains: end -->"
MODELS = {
    "teacher": "LLM teacher",
    "blend": "Blend",
    "shipped": "**Shipped**",
    "control": "Control",
    "sasrec": "SASRec (id)",
    "ease": "EASE",
    "itemitem": "Co-occurrence",
    "popularity": "Popularity",
}
Result = Mapping[str, Any]


def write_tables(readme: Path, results: Path) -> None:
    """Put the tables of all results between the markers; both are added at the end if missing."""
    read = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))]
    domains = [result for result in read if {"set", "split", "test"} <= result.keys()]
    text = readme.read_text(encoding="utf-8") if readme.is_file() else "# Distillation benchmarks\n"
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n{BEGIN}\n{END}\n"
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    content = f"{before}{BEGIN}\n{tables_of(domains)}{END}{after}"
    readme.write_text(content, encoding="utf-8")


def tables_of(results: Sequence[Result]) -> str:
    """All three tables as Markdown; empty where there is no result."""
    if not results:
        return ""
    ranked = [result for result in results if result["split"] != "cold"]
    asked = [result for result in results if "cold" in result]
    parts = []
    if ranked:
        parts += [_quality(ranked), _by_item([r for r in ranked if "test_by_item" in r])]
    if asked:
        parts.append(_cold(asked))
    return "\n".join([*filter(None, parts), _origin(results)])


def _quality(results: Sequence[Result]) -> str:
    head = ["Set", "Split", "Users", "Items", *MODELS.values()]
    rows = [
        [
            result["set"],
            result["split"],
            f"{result['test']['shipped']['users']:,}",
            f"{result['data']['items']:,}",
            *(_cell(result["test"].get(model)) for model in MODELS),
        ]
        for result in results
    ]
    return "Test NDCG@10 with its 95% interval, full ranking:\n\n" + _table(head, rows)


def _by_item(results: Sequence[Result]) -> str:
    """Targets with and without a training event, apart."""
    if not results:
        return ""
    head = ["Set", "Split", "Next item", "Queries", *MODELS.values()]
    rows = []
    for result in results:
        for kind, name in (("warm", "seen in training"), ("cold", "never seen")):
            models = result["test_by_item"].get(kind)
            if not models:
                continue
            count = models["shipped"]["users"]
            cells = (_cell(models.get(model)) for model in MODELS)
            rows.append([result["set"], result["split"], name, f"{count:,}", *cells])
    return "The same, by whether the next item has a training event:\n\n" + _table(head, rows)


def _cold(results: Sequence[Result]) -> str:
    head = ["Set", "Cold items", "Queries", "Among", "Shipped", "tf-idf", "Shipped / tf-idf"]
    rows = []
    for result in results:
        cold = result["cold"]
        for among, name in (("among_cold", "the cold items"), ("among_all", "all items")):
            figures = [
                _interval(cold[model][f"recall@10_{among}"]) for model in ("shipped", "tfidf")
            ]
            over = cold["shipped_over_tfidf"][among]
            ratio = f"{over['value']:.2f} ({over['ci95'][0]:.2f} to {over['ci95'][1]:.2f})"
            rows.append(
                [result["set"], f"{cold['items']:,}", f"{cold['queries']:,}", name, *figures, ratio]
            )
    title = "Recall@10 of a tenth of the items, held out with all their events, from text alone:"
    return f"{title}\n\n" + _table(head, rows)


def _origin(results: Sequence[Result]) -> str:
    """Where the figures are from: one line per distinct machine and commit."""
    lines = []
    for result in results:
        machine = result["device"]
        lines.append(
            f"- {result['set']}, {result['split']}: `{result['command']}`, {machine['cpu']}, "
            f"{machine['cores']} cores, {result['wall_seconds'] / 60:.1f} min, commit "
            f"{result['commit'][:10]}, {result['measured_at'][:10]}"
        )
    return "\n".join(lines) + "\n"


def _cell(measured: Result | None) -> str:
    if measured is None:
        return ""
    low, high = measured["ndcg@10_ci95"]
    return f"{_short(measured['ndcg@10'])} ({_short(low)} to {_short(high)})"


def _interval(recall: Result) -> str:
    low, high = recall["ci95"]
    return f"{_short(recall['value'])} ({_short(low)} to {_short(high)})"


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
