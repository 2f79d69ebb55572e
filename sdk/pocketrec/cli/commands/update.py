"""`pocketrec update`: a bundle learns new events and items without the full pipeline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from pocketrec.cli.extras import require_extra
from pocketrec.cli.options import INPUT_PATH, OUTPUT_PATH, bundle_argument, json_option
from pocketrec.cli.output import emit, emit_json, table
from pocketrec.cli.threads import let_threads_sleep
from pocketrec_runtime.errors import InputError


@click.command("update", short_help="Teach a bundle new events and items.")
@bundle_argument()
@click.option("--interactions", required=True, type=INPUT_PATH, help="Table of new interactions.")
@click.option("--items", type=INPUT_PATH, help="Table of items, the new ones among them.")
@click.option(
    "--replay",
    type=INPUT_PATH,
    help="Table of old interactions: they are replayed, and show what was forgotten.",
)
@click.option("--out", type=OUTPUT_PATH, help="The new bundle.")
@click.option(
    "--delta",
    type=OUTPUT_PATH,
    help="In place of a bundle: a delta for devices that hold BUNDLE. Nothing is trained.",
)
@click.option("--config", "config_path", type=INPUT_PATH, help="Settings; [update] is used.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed, over the one in the settings.")
@json_option
def command(
    *,
    bundle: Path,
    interactions: Path,
    items: Path | None,
    replay: Path | None,
    out: Path | None,
    delta: Path | None,
    config_path: Path | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Teach BUNDLE new interactions and new items, and write the result to another bundle.

    Neither the language model nor the old data is needed: the student comes back from BUNDLE, new
    items start with what its item tower says of their text, and without --replay the old student
    makes up the histories by which it is kept. The report, update-report.json in a folder
    NAME-report beside --out or --delta, measures new and old events before and after.

    With --delta the models stay: new items, popularity and the trend, where BUNDLE follows one, go
    into a small file that devices lay over the bundle that they have.
    """
    path = _only_one(out, delta)
    require_extra("distill")
    let_threads_sleep()
    from pocketrec_distill.config import load_config
    from pocketrec_distill.pipeline.freshen import freshen_bundle
    from pocketrec_distill.pipeline.update import update_bundle
    from pocketrec_distill.report.write import write_json

    config = load_config(config_path, seed=seed)
    make = update_bundle if delta is None else freshen_bundle
    report = make(bundle, interactions, items, path, replay=replay, config=config)
    told = write_json(report, path.with_name(f"{path.stem}-report") / "update-report.json")
    if as_json:
        emit_json("update", report)
        return
    emit(_text(report))
    emit(f"{'bundle' if delta is None else 'delta '}  {path}\nreport  {told}")


def _only_one(out: Path | None, delta: Path | None) -> Path:
    """Where the result goes.

    Raises:
        InputError: Both are given, or none.
    """
    path = delta if out is None else out
    if path is None or None not in (out, delta):
        raise InputError("give either --out, for a new bundle, or --delta, for what devices add")
    return path


def _text(report: Mapping[str, Any]) -> str:
    """NDCG@10 of new and old events, before and after."""
    rows = []
    for key, title in (("new", "new events"), ("old", report["old_measured_on"])):
        if key not in report:
            continue
        measured = report[key]
        low, high = measured["difference"]["ci95"]
        figures = [f"{measured[when]['ndcg@10']:.4f}" for when in ("before", "after")]
        difference = f"{measured['difference']['value']:+.4f}"
        rows.append([title, *figures, difference, f"{low:+.4f}..{high:+.4f}"])
    head = ["NDCG@10 of", "before", "after", "difference", "95% interval"]
    what = f"{report['new_events']:,} new events, {report['new_items']:,} new items, "
    return f"{what}epoch {report['epoch']} taken\n\n{table(head, rows)}\n"
