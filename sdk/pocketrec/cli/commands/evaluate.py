"""`pocketrec evaluate`: how well a bundle ranks held-out events, through the runtime."""

from pathlib import Path
from typing import Any

import click

from pocketrec.cli.extras import require_extra
from pocketrec.cli.options import INPUT_PATH, bundle_argument, delta_option, json_option
from pocketrec.cli.output import emit, emit_json, say, table
from pocketrec.opening import open_engine
from pocketrec_runtime.errors import InputError

_OTHER = "the figures are not of the same events"
_SAME = (
    f"{_OTHER}; if the table is the one of the run, --config with the settings of the run measures "
    "what the report did"
)


@click.command("evaluate", short_help="Measure a bundle on interactions.")
@bundle_argument()
@delta_option
@click.option(
    "--interactions", type=INPUT_PATH, help="Table of interactions, or a data set's folder."
)
@click.option(
    "--impressions",
    type=INPUT_PATH,
    help="Clicks and non-clicks instead: MIND's behaviors.tsv, or a data set's folder.",
)
@click.option(
    "--items",
    type=INPUT_PATH,
    help="With --impressions: items with their text; candidates are then scored from text alone.",
)
@click.option(
    "--part",
    type=click.Choice(["train", "valid"]),
    help="With --impressions: the part of a data set's folder.  [default: valid in a folder]",
)
@click.option(
    "--split",
    type=click.Choice(["leave-one-out", "temporal"]),
    help="Which events are held out.  [default: as in the bundle's report, else leave-one-out]",
)
@click.option(
    "--config", "config_path", type=INPUT_PATH, help="TOML file; its [data] and [text] are used."
)
@json_option
def command(
    *,
    bundle: Path,
    deltas: tuple[Path, ...],
    interactions: Path | None,
    impressions: Path | None,
    items: Path | None,
    part: str | None,
    split: str | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Rank the whole catalogue of BUNDLE for every held-out event and print the metrics.

    It is the bundle that is measured, through the device runtime: what a user would get. Items of
    the history are excluded, and an event that repeats one of them is not evaluated.

    With --impressions it is measured how well clicks are told from non-clicks: group AUC, AUC, log
    loss and calibration error.

    A bundle does not remember how its table was read. Where other users are held out than in its
    report, stderr says so: give --config with the settings of the run to measure the same.
    """
    require_extra("distill")
    if (interactions is None) == (impressions is None):
        raise InputError("give either --interactions or --impressions")
    from pocketrec_distill.config import load_config

    config = load_config(config_path)
    if impressions is not None:
        from pocketrec_distill.evaluation.clicks import evaluate_clicks

        chosen = part or ("valid" if impressions.is_dir() else "train")
        clicks = evaluate_clicks(open_engine(bundle, deltas), impressions, items, chosen, config)
        if as_json:
            emit_json("evaluate_clicks", clicks)
            return
        _emit(clicks)
        return
    from pocketrec_distill.evaluation.bundle import evaluate_bundle

    assert interactions is not None  # noqa: S101  (one of the two was given)
    measured = evaluate_bundle(open_engine(bundle, deltas), interactions, split, config.data)
    if differs := measured["differs_from_report"]:
        say(f"{differs}: {_SAME if config_path is None else _OTHER}")
    if as_json:
        emit_json("evaluate", measured)
        return
    _emit({key: value for key, value in measured.items() if key != "differs_from_report"})


def _emit(measured: dict[str, Any]) -> None:
    emit(table(["metric", "value"], [[key, _plain(value)] for key, value in measured.items()]))


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list):
        return " to ".join(_plain(item) for item in value)
    return str(value)
