"""`pocketrec bench scale`: how costs grow, and what other devices are predicted to do."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from pocketrec.cli.options import OUTPUT_PATH, bundle_argument, json_option
from pocketrec.cli.output import emit, emit_json, say, table

if TYPE_CHECKING:
    from pocketrec_bench.scale import AxisResult, Estimate, ScaleReport
    from pocketrec_runtime.towers import Backend

_UNITS = {
    "items": "item", "history, prefill": "event of history", "history, append": "event of history",
    "events": "event", "users": "user kept",
}  # fmt: skip


@click.command("scale", short_help="How costs grow with items, history, events and users.")
@bundle_argument()
@click.option(
    "--backend",
    type=click.Choice(["auto", "onnx", "llama", "numpy"]),
    default="auto",
    show_default=True,
    help="What runs the user tower.",
)
@click.option(
    "--max-items",
    type=click.IntRange(1_000),
    default=1_000_000,
    show_default=True,
    help="Largest catalogue; made up from the bundle's own distribution.",
)
@click.option(
    "--rounds",
    type=click.IntRange(2),
    default=7,
    show_default=True,
    help="Intervals come from them.",
)
@click.option(
    "--predict",
    "devices",
    multiple=True,
    metavar="NAME:GB/S[:CORES[:SPEED]]",
    help="A device that is not here: its memory's bandwidth, cores, and the speed of a core over "
    "one here, 0.5 where none is given. May be repeated.",
)
@click.option("--out", type=OUTPUT_PATH, help="Folder for scale.json and scale.html.")
@json_option
def scale(
    *,
    bundle: Path,
    backend: "Backend | Literal['auto']",
    max_items: int,
    rounds: int,
    devices: tuple[str, ...],
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure BUNDLE on one thread over three decades, and fit what is found.

    Costs per item (certified top-10), per event of history (prefill, append), per event of a stream
    and per user whose state is kept. Each is fitted as fixed + each * size, with 95% intervals
    over rounds. Predictions are marked as such; the method is tried on this device first.
    """
    from pocketrec_bench.device import read_device
    from pocketrec_bench.scale import (
        ScalePlan,
        measure_scale,
        read_device_class,
        scale_document,
        write_scale,
    )
    from pocketrec_bench.scale.measure import ITEMS
    from pocketrec_runtime.towers import RunSettings

    plan = ScalePlan(
        items=tuple(size for size in ITEMS if size <= max_items),
        rounds=rounds,
        run=RunSettings(backend=backend),
        devices=tuple(map(read_device_class, devices)),
    )
    device = read_device()
    report = measure_scale(bundle, plan, device, say=say)
    if out is not None:
        write_scale(report, device, out)
        say(f"scale.json and scale.html: {out}")
    if as_json:
        emit_json("bench_scale", scale_document(report, device))
    else:
        _show(report)


def _show(report: "ScaleReport") -> None:
    emit(f"{report.bundle}: {report.backend}, width {report.width}, one thread, "
         f"{report.read_bytes_s / 1e9:.1f} GB/s read from memory")  # fmt: skip
    emit()
    head = ["grows", "from", "to", "fixed us", "each ns", "95% interval", "slope", "bends at"]
    emit(table(head, [_axis(axis) for axis in report.axes]))
    emit()
    for axis in report.axes:
        if axis.bytes_each:
            emit(f"{axis.name}: {axis.bytes_each:,.0f} bytes for each {_UNITS[axis.name]}")
    emit()
    emit("The method of prediction, tried here:")
    rows = [
        [check.what, f"{check.items:,}", _ms(check.predicted_s), _ms(check.measured_s),
         f"{check.error:+.0%}"]
        for check in report.checks
    ]  # fmt: skip
    emit(table(["", "items", "predicted ms", "measured ms", "off by"], rows))
    if report.predictions:
        emit()
        emit("PREDICTED, not measured:")
        predicted = [
            [each.device.name, f"{each.device.bandwidth_gb_s:g} GB/s x {each.device.cores} at "
             f"{each.device.core_speed:g}", f"{each.items:,}", _ms(each.scan_s),
             _ms(each.append_s), each.bound]
            for each in report.predictions
        ]  # fmt: skip
        emit(table(["device", "of", "items", "scan ms", "append ms", "bound by"], predicted))


def _axis(axis: "AxisResult") -> list[str]:
    fit = axis.fit
    bend = "" if fit.bend is None else (
        f"{fit.bend.size:,}: {fit.bend.before * 1e9:.3g} to {fit.bend.after * 1e9:.3g} ns"
    )  # fmt: skip
    return [
        axis.name, f"{axis.sizes[0]:,}", f"{axis.sizes[-1]:,}", f"{fit.fixed.value * 1e6:.1f}",
        f"{fit.each.value * 1e9:.3g}", _between(fit.each, 1e9), f"{fit.slope.value:.2f}", bend,
    ]  # fmt: skip


def _between(estimate: "Estimate", factor: float) -> str:
    return f"{estimate.low * factor:.3g} to {estimate.high * factor:.3g}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3f}"
