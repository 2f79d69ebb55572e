"""The sections of the report page, one function each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pocketrec_distill.report import svg
from pocketrec_distill.report.schema import INTERVAL, Report
from pocketrec_distill.report.summary import (
    duration_text,
    milliseconds_text,
    model_name,
    ranked_models,
    size_text,
)
from pocketrec_runtime.page import (
    Line,
    Markup,
    Scale,
    element,
    join,
    linear_scale,
    lines,
    log_scale,
    row,
    table,
)


def quality(report: Report, split: str, title: str) -> Markup:
    """All models of one split, best first: NDCG@10 drawn with its interval, the rest in digits."""
    models: Report = report[split]
    scale = linear_scale([models[model][INTERVAL][1] for model in models])
    rows = []
    for model in ranked_models(models):
        measured = models[model]
        low, high = measured[INTERVAL]
        rows.append(
            row(
                model_name(model),
                svg.bar(measured["ndcg@10"], scale, interval=(low, high)),
                f"{measured['ndcg@10']:.4f}",
                _interval(f"{low:.4f} to {high:.4f}"),
                *(f"{measured[key]:.4f}" for key in ("recall@10", "mrr@10", "coverage@10")),
                class_=_class(model),
            )
        )
    rows.append(_axis_row(scale, [f"{tick:.2f}" for tick in scale.ticks()], empty=5))
    head = ["Model", "", "NDCG@10", "95% interval", "Recall@10", "MRR@10", "Coverage@10"]
    note = "Full ranking over the whole catalogue; items of the history are excluded."
    users = models["shipped"].get("users")
    if users is not None:
        note = f"{users:,} users. {note}"
    return _section(title, note, table(head, rows, caption=title, class_="plot"))


def comparisons(report: Report) -> Markup:
    """Paired differences in test NDCG@10, drawn around zero."""
    pairs = report["comparisons"]
    if not pairs:
        return Markup()
    scale = linear_scale([end for pair in pairs for end in pair["ci95"]])
    rows = []
    for pair in pairs:
        low, high = pair["ci95"]
        rows.append(
            row(
                f"{model_name(pair['a'])} − {model_name(pair['b'])}",
                svg.dot(pair["difference"], scale, interval=(low, high)),
                f"{pair['difference']:+.4f}",
                _interval(f"{low:+.4f} to {high:+.4f}"),
                _verdict(low, high),
                class_="better" if low > 0 else "",
            )
        )
    rows.append(
        _axis_row(scale, [f"{tick:+.2f}" if tick else "0" for tick in scale.ticks()], empty=3)
    )
    return _section(
        "Who beats whom",
        "Difference in test NDCG@10 between two models on the same users; an interval that holds "
        "zero decides nothing.",
        table(
            ["Pair", "", "Difference", "95% interval", "Says"],
            rows,
            caption="Paired differences in NDCG@10",
            class_="plot",
        ),
    )


def latency(report: Report) -> Markup:
    """Median and 95th percentile of one answer, on a logarithmic scale."""
    timed = {
        model: values
        for model, values in report["latency_ms"].items()
        if isinstance(values, Mapping) and "median" in values and "p95" in values
    }
    scale = log_scale([values[key] for values in timed.values() for key in ("median", "p95")])
    rows = [
        row(
            model_name(model),
            svg.dot(values["median"], scale, interval=(values["median"], values["p95"])),
            milliseconds_text(values["median"]),
            milliseconds_text(values["p95"]),
            class_=_class(model),
        )
        for model, values in timed.items()
    ]
    rows.append(_axis_row(scale, [f"{tick:g} ms" for tick in scale.ticks()], empty=2))
    return _section(
        "Latency of one answer",
        "From a new event to ten items, on this machine; the line runs from the median to the "
        "95th percentile.",
        table(["Model", "", "Median", "p95"], rows, caption="Latency", class_="plot"),
    )


def parameters(report: Report) -> Markup:
    """Number of parameters per model, on a logarithmic scale."""
    counts = {model: count for model, count in report["parameters"].items() if count > 0}
    if not counts:
        return Markup()
    scale = log_scale(list(counts.values()))
    rows = [
        row(model_name(model), svg.dot(count, scale), f"{count:,}", class_=_class(model))
        for model, count in sorted(counts.items(), key=lambda pair: -pair[1])
    ]
    rows.append(_axis_row(scale, [_count(tick) for tick in scale.ticks()], empty=1))
    return _section(
        "Parameters",
        f"The whole bundle, with the catalogue, is {size_text(report['bundle_bytes'])}.",
        table(["Model", "", "Parameters"], rows, caption="Parameters", class_="plot"),
    )


def stages(report: Report) -> Markup:
    """Wall time and peak memory of each stage, in the order in which they ran."""
    seconds, memory = report["seconds"], report["peak_memory_bytes"]
    if not seconds:
        return Markup()
    scale = linear_scale(list(seconds.values()))
    rows = [
        row(
            model_name(stage),
            svg.bar(taken, scale),
            duration_text(taken),
            size_text(memory[stage]) if stage in memory else "",
        )
        for stage, taken in seconds.items()
    ]
    rows.append(_axis_row(scale, [f"{tick:g} s" for tick in scale.ticks()], empty=2))
    note = "Wall time of each stage and the most memory the process held until its end."
    if "total" not in seconds:
        note += f" All stages together: {duration_text(sum(seconds.values()))}."
    return _section(
        "Stages",
        note,
        table(["Stage", "", "Time", "Peak memory"], rows, caption="Stages", class_="plot"),
    )


def curves(report: Report) -> Markup:
    """Validation NDCG@10 and loss by epoch, a figure per training stage."""
    history: Sequence[Mapping[str, Any]] = report.get("history") or ()
    figures = []
    for stage in dict.fromkeys(str(point["stage"]) for point in history):
        points = [point for point in history if str(point["stage"]) == stage]
        for key, name, best in (("ndcg", "validation NDCG@10", max), ("loss", "loss", min)):
            values = [float(point[key]) for point in points if point.get(key) is not None]
            if len(values) > 1:
                figures.append(_curve(f"{model_name(stage)}, {name}", values, best))
    if not figures:
        return Markup()
    note = "One dot per epoch. Training stops when validation NDCG@10 no longer rises."
    return _section("Training", note, element("div", *figures, class_="figures"))


DEFERRAL_NOTE = (
    "What a server that runs the blend would bring where the device asks it for a share of "
    "requests: those that the bundle's deferral policy picks, and as many at random. The policy "
    "was fitted on validation."
)


def deferral_drawing(deferral: Report) -> Markup:
    """Test NDCG@10 against the share of requests deferred; empty where there is no policy."""
    points = deferral.get("test") or ()
    if len(points) < 2:
        return Markup()
    return lines(
        [
            Line("policy", [(point["share"], point["ndcg"]) for point in points]),
            Line("random", [(point["share"], point["random"]) for point in points]),
        ],
        title="NDCG@10 on test by the share of requests deferred",
        across="share deferred",
        up="NDCG@10",
    )


def deferral(report: Report) -> Markup:
    """The deferral policy: drawn against random deferral, and in digits."""
    found: Report = report.get("deferral") or {}
    if not found.get("test"):
        return Markup()
    rows = [
        row(
            f"{point['share']:.0%}",
            f"{point['ndcg']:.4f}",
            f"{point['random']:.4f}",
            f"{point['gain']:+.4f}",
            _interval(f"{point['ci95'][0]:+.4f} to {point['ci95'][1]:+.4f}"),
        )
        for point in found["test"]
    ]
    steps = found.get("validation") or ()
    offered = ", ".join(f"{step['share']:.0%}" for step in steps)
    said = (
        f"Shown to gain on validation, and so offered by the bundle: {offered}."
        if steps
        else "No share was shown to gain on validation: the bundle defers nothing."
    )
    head = ["Deferred", "NDCG@10", "At random", "Gain", "95% interval"]
    return _section(
        "Deferral to a server",
        f"{DEFERRAL_NOTE} {said}",
        element("figure", deferral_drawing(found)),
        table(head, rows, caption="Deferral", class_="words"),
    )


def facts(title: str, note: str, value: object) -> Markup:
    """Free JSON as tables: objects of objects get a column per inner key, the rest a row each."""
    return _section(title, note, _facts(title, value))


def _facts(title: str, value: object) -> Markup:
    if isinstance(value, Mapping):
        flat = {key: inner for key, inner in value.items() if not _is_table(inner)}
        tables = [
            element("h3", _words(key)) + _facts(f"{title}: {_words(key)}", inner)
            for key, inner in value.items()
            if key not in flat
        ]
        if flat and all(isinstance(inner, Mapping) for inner in flat.values()):
            return join(_grid(title, flat), *tables)
        rows = [row(_words(key), _plain(inner)) for key, inner in flat.items()]
        first = table(["", ""], rows, caption=title, class_="words") if rows else Markup()
        return join(first, *tables)
    if isinstance(value, list) and value and all(isinstance(inner, Mapping) for inner in value):
        return _grid(title, {str(index + 1): inner for index, inner in enumerate(value)})
    return element("p", _plain(value))


def _is_table(value: object) -> bool:
    """Whether a value needs a table of its own instead of one row."""
    inner: Sequence[object] = ()
    if isinstance(value, Mapping):
        inner = list(value.values())
    elif isinstance(value, list):
        inner = value
    return any(isinstance(item, Mapping) for item in inner)


def _grid(title: str, rows: Mapping[str, Any]) -> Markup:
    keys = list(dict.fromkeys(key for inner in rows.values() for key in inner))
    body = [
        row(_words(name), *(_plain(inner.get(key, "")) for key in keys))
        for name, inner in rows.items()
    ]
    return table(["", *(_words(key) for key in keys)], body, caption=title, class_="words")


def _plain(value: object) -> str:
    """A JSON value in words: a list and an object become one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(key)}: {_plain(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:.4g}" if value and not 0.001 <= abs(value) < 1e5 else f"{value:,.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _curve(label: str, values: list[float], best: Callable[[list[float]], float]) -> Markup:
    at = values.index(best(values))
    return svg.curve(
        values,
        label=label,
        labels=[
            f"first {values[0]:.4f}",
            f"best {values[at]:.4f} at epoch {at + 1}",
            f"last {values[-1]:.4f}",
        ],
    )


def _section(title: str, note: str, *content: str) -> Markup:
    return element("section", element("h2", title), element("p", note), *content)


def _axis_row(scale: Scale, labels: Sequence[str], *, empty: int) -> Markup:
    cells = join(*(element("td", cell) for cell in ("", svg.axis(scale, labels), *[""] * empty)))
    return element("tr", cells, class_="axis", aria_hidden="true")


def _interval(text: str) -> Markup:
    return element("span", text, class_="interval")


def _class(model: str) -> str:
    return model if model in {"shipped", "teacher"} else ""


def _words(key: str) -> str:
    return key.replace("_", " ")


def _verdict(low: float, high: float) -> str:
    return "better" if low > 0 else "worse" if high < 0 else "undecided"


def _count(value: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"
