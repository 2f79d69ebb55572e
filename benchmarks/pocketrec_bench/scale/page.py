"""`scale.json`, and `scale.html`: the curves, the laws, and what is predicted."""

from pathlib import Path

from pocketrec_bench.card.charts import Line, axis, line_chart
from pocketrec_bench.card.sections import section
from pocketrec_bench.card.words import duration, size
from pocketrec_bench.device import DeviceCard
from pocketrec_bench.records import dump
from pocketrec_bench.scale.fit import at
from pocketrec_bench.scale.report import AxisResult, ScaleReport, scale_document
from pocketrec_runtime.page import (
    Markup,
    element,
    html_document,
    row,
    table,
    tight_log_scale,
)
from pocketrec_runtime.storage.atomic import write_atomically

_ACROSS = {
    "items": "items in the catalogue",
    "history, prefill": "events of the history",
    "history, append": "events of the history",
    "events": "events of the stream",
    "users": "users whose states are kept",
}
_UP = {
    "items": "Certified top-10",
    "history, prefill": "Prefill of a history",
    "history, append": "Append of one event",
    "events": "A whole stream of events",
    "users": "The next event of one of many users",
}


def write_scale(report: ScaleReport, device: DeviceCard, folder: Path) -> None:
    """Writes `scale.json` and `scale.html` into a folder, which is made where it is not there.

    Raises:
        OSError: The system could not write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = dump(scale_document(report, device), indent=1) + "\n"
    write_atomically(folder / "scale.json", text.encode("utf-8"))
    page = render_scale(report, device)
    write_atomically(folder / "scale.html", page.encode("utf-8", "replace"))


def render_scale(report: ScaleReport, device: DeviceCard) -> str:
    """The page, as text."""
    header = element(
        "header",
        element("p", "pocketrec · how costs grow", class_="kicker"),
        element("h1", f"{report.bundle} on {device.cpu}, one thread"),
        element(
            "p",
            f"Width {report.width}, {report.backend}, {report.read_bytes_s / 1e9:.1f} GB/s read "
            f"from memory; {report.measured_at}, commit {report.commit}.",
        ),
    )
    note = "Both axes are logarithmic. Thin: each round; thick: the fitted law."
    main = element(
        "main",
        _laws(report),
        section("Curves", note, *map(_curve, report.axes)),
        _checks(report),
        _predictions(report),
    )
    return html_document("pocketrec scale", header, main)


def _laws(report: ScaleReport) -> Markup:
    head = ["Grows", "measured", "fixed", "each", "slope", "line off by", "bends at"]
    rows = []
    for each in report.axes:
        fit = each.fit
        bend = (
            "no"
            if fit.bend is None
            else f"{_count(fit.bend.size)}, to {duration(fit.bend.after)} each"
        )
        if fit.bend is not None and each.name == "items":
            bend += f", {size(fit.bend.size * each.bytes_each)} of rows"
        rows.append(
            row(
                each.name,
                f"{_count(each.sizes[0])} to {_count(each.sizes[-1])}",
                duration(max(fit.fixed.value, 0.0)),
                duration(max(fit.each.value, 0.0)),
                f"{fit.slope.value:.2f} ({fit.slope.low:.2f} to {fit.slope.high:.2f})",
                f"{fit.worst:.0%}",
                bend,
            )
        )
    note = (
        "Cost = fixed + each * size, fitted to relative errors. The slope is that of the "
        "logarithms on the upper half of the sizes, with its 95% interval over rounds: 1 is "
        "proportional."
    )
    return section("Laws", note, table(head, rows, caption="Laws"))


def _curve(each: AxisResult) -> Markup:
    lines = [
        Line("rounds", [(s, y * 1e3) for s, y in zip(each.sizes, costs, strict=True)], faint=True)
        for costs in each.rounds
    ]
    law = [(float(s), at(each.fit, s) * 1e3) for s in each.sizes]
    lines.append(Line("rounds", [point for point in law if point[1] > 0]))
    values = [y for line in lines for _, y in line.points]
    across = axis(_ACROSS[each.name], tight_log_scale([float(s) for s in each.sizes]), _count)
    up = axis("ms", tight_log_scale(values), lambda value: f"{value:.3g}")
    return line_chart(lines, across, up, label=_UP[each.name])


def _checks(report: ScaleReport) -> Markup:
    rows = [
        row(check.what, f"{check.items:,}", duration(check.predicted_s),
            duration(check.measured_s), f"{check.error:+.0%}")
        for check in report.checks
    ]  # fmt: skip
    roof = report.roofline
    note = (
        f"Scan: {duration(roof.fixed_s)} fixed, then per item the longer of "
        f"{duration(roof.compute_s)} of computing and {roof.bytes_each:.0f} bytes at "
        f"{roof.share:.0%} of what memory gives."
    )
    head = ["What", "items", "predicted", "measured", "off by"]
    return section(
        "The method of prediction, tried here", note, table(head, rows, caption="Checks")
    )


def _predictions(report: ScaleReport) -> Markup:
    if not report.predictions:
        return Markup()
    rows = [
        row(
            f"{each.device.name}, predicted",
            f"{each.device.bandwidth_gb_s:g} GB/s",
            f"{each.device.cores} at {each.device.core_speed:g}",
            f"{each.items:,}",
            duration(each.scan_s),
            duration(each.append_s),
            each.bound,
        )
        for each in report.predictions
    ]
    head = ["Device", "memory", "cores", "items", "scan", "append", "bound by"]
    note = (
        "Predicted from the bytes and the work measured here; nothing in this table was measured. "
        "A core's speed is over one of this device's."
    )
    return section("Predictions", note, table(head, rows, caption="Predictions"))


def _count(value: float) -> str:
    for factor, unit in ((1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:g}{unit}"
    return f"{value:g}"
