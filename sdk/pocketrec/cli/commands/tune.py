"""`pocketrec tune`: the fastest way to run a bundle on this device."""

from pathlib import Path
from typing import Any

import click

from pocketrec.cli.options import OUTPUT_PATH, bundle_argument, json_option
from pocketrec.cli.output import emit, emit_json, say, table
from pocketrec_runtime import read_bundle
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.tuning import profile_path, save_profile
from pocketrec_runtime.tuning.tune import TuneSettings, tune


@click.command("tune", short_help="Measure backends, precisions and threads on this device.")
@bundle_argument()
@click.option("--seconds", type=float, default=4.0, show_default=True, help="Time to measure.")
@click.option(
    "--profile",
    type=OUTPUT_PATH,
    help="Where to write the profile; by default into the user's cache folder, where every later "
    "opening of this bundle on this device finds it.",
)
@json_option
def command(bundle: Path, seconds: float, profile: Path | None, as_json: bool) -> None:
    """Measure every way in which this device can run BUNDLE, and keep the fastest.

    Backends, weight and cache precisions, devices and thread counts are held to the ranking of
    the float32 reference on the golden and on made-up queries, then timed in turns. What ranks
    otherwise is refused, and so is what is rounded without being faster.
    """
    settings = TuneSettings(seconds=seconds)
    opened = read_bundle(bundle)
    target = profile_path(opened.manifest.fingerprint) if profile is None else profile
    _check_outside(target, bundle)
    found = tune(opened, settings)
    save_profile(found, target)
    if as_json:
        document = {"profile": str(target), "model": found.model, "device": found.device}
        emit_json(
            "tune",
            {**document, "settings": found.settings.as_dict(), "measured": found.measured},
        )
        return
    header = ["backend", "weights", "cache", "devices", "threads", "append, us", "overlap", "tau"]
    emit(table([*header, "verdict"], [_row(measured) for measured in found.measured]))
    say(f"profile: {target}")


def _row(measured: dict[str, Any]) -> list[str]:
    settings = measured["settings"]
    timed = f"{measured['append_us']:.1f}" if measured["append_us"] else "-"
    return [
        settings["backend"],
        measured["precision"],
        settings["cache"],
        ",".join(settings["providers"]) if settings["backend"] == "onnx" else "-",
        str(settings["threads"]),
        timed,
        f"{measured['overlap']:.3f}",
        f"{measured['tau']:.3f}",
        measured["verdict"],
    ]


def _check_outside(target: Path, bundle: Path) -> None:
    if target.resolve().is_relative_to(bundle.resolve()):
        raise InputError(f"{target} lies in the sealed bundle; write the profile beside it")
