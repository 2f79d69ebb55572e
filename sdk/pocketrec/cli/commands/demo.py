"""`pocketrec demo`: MovieLens-100K and SmolLM2 to a bundle, and a recommendation from it."""

import json
from pathlib import Path

import click

from pocketrec.cli.extras import require_extra
from pocketrec.cli.options import OUTPUT_PATH, json_option, write_ids
from pocketrec.cli.output import emit, emit_json, table
from pocketrec.cli.ranking import emit_answer
from pocketrec.cli.reporting import report_text
from pocketrec.cli.threads import let_threads_sleep
from pocketrec_runtime import Engine, read_bundle

_SAMPLE_EVENTS = 3


@click.command("demo", short_help="The whole way on real data, end to end.")
@click.option(
    "--out", type=OUTPUT_PATH, default=Path("pocketrec-demo"), show_default=True, help="Folder."
)
@json_option
def command(out: Path, as_json: bool) -> None:
    """Distil a recommender for MovieLens-100K from SmolLM2-135M, and recommend with it here.

    Data and model are obtained once, checked by hash and cached. Takes some minutes on two cores.
    """
    require_extra("distill")
    let_threads_sleep()
    from pocketrec_distill.demo import run_demo

    result = run_demo(out)
    if as_json:
        emit_json("demo", result)
        return
    report = Path(result["report"])
    emit(report_text(json.loads(report.with_suffix(".json").read_text(encoding="utf-8"))))
    emit(f"bundle  {result['bundle']}\nreport  {report.with_suffix('.html')}\n")
    _recommend(Path(result["bundle"]))


def _recommend(bundle: Path) -> None:
    """Recommend for the history of the first golden query, as a device would."""
    engine = Engine.open(bundle)
    history = read_bundle(bundle).contents.golden.queries[0].history[-_SAMPLE_EVENTS:]
    ids, titles = engine.catalogue.ids, engine.catalogue.columns["title"]
    names = dict(zip(ids, titles, strict=True))
    emit("A recommendation, scored here from the bundle alone, after:")
    emit(table(["item", "title"], [[item, str(names[item])] for item in history]) + "\n")
    emit_answer("recommend", engine.recommend(history), as_json=False)
    emit(f"\nYours:  pocketrec recommend {bundle} --history {write_ids(history)}")
