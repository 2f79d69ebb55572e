"""`pocketrec evaluate`: how well a bundle ranks held-out events, through the runtime."""

from pathlib import Path
from typing import Any

import click

from pocketrec.cli.extras import require_extra
from pocketrec.cli.options import INPUT_PATH, bundle_argument, json_option
from pocketrec.cli.output import emit, emit_json, table


@click.command("evaluate", short_help="Measure a bundle on interactions.")
@bundle_argument()
@click.option(
    "--interactions",
    required=True,
    type=INPUT_PATH,
    help="Table of interactions, or a data set's folder.",
)
@click.option(
    "--split",
    type=click.Choice(["leave-one-out", "temporal"]),
    default="leave-one-out",
    show_default=True,
    help="Which events are held out.",
)
@click.option("--config", "config_path", type=INPUT_PATH, help="TOML file; its [data] is used.")
@json_option
def command(
    bundle: Path, interactions: Path, split: str, config_path: Path | None, as_json: bool
) -> None:
    """Rank the whole catalogue of BUNDLE for every held-out event and print the metrics.

    It is the bundle that is measured, through the device runtime: what a user would get. Items of
    the history are excluded, and an event that repeats one of them is not evaluated.
    """
    require_extra("distill")
    from pocketrec_distill.config import load_config
    from pocketrec_distill.evaluation.bundle import evaluate_bundle

    measured = evaluate_bundle(bundle, interactions, split, load_config(config_path).data)
    if as_json:
        emit_json("evaluate", measured)
        return
    emit(table(["metric", "value"], [[key, _plain(value)] for key, value in measured.items()]))


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list):
        return " to ".join(_plain(item) for item in value)
    return str(value)
