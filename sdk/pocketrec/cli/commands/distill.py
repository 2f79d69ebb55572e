"""`pocketrec distill`: from interactions to a verified bundle."""

from pathlib import Path

import click

from pocketrec.cli.exits import ExitCode
from pocketrec.cli.extras import require_extra
from pocketrec.cli.options import INPUT_PATH, OUTPUT_PATH, json_option
from pocketrec.cli.output import emit, emit_json, say
from pocketrec.cli.reporting import report_text
from pocketrec.cli.threads import let_threads_sleep


@click.command("distill", short_help="Train, distil, quantize and write a bundle.")
@click.option(
    "--interactions",
    required=True,
    type=INPUT_PATH,
    help="Table of interactions, or a data set's folder.",
)
@click.option("--items", type=INPUT_PATH, help="Table of items with their text.")
@click.option("--out", required=True, type=OUTPUT_PATH, help="The bundle: a folder, or NAME.zip.")
@click.option("--config", "config_path", type=INPUT_PATH, help="Settings, a TOML file.")
@click.option("--run-dir", type=OUTPUT_PATH, help="Where stages keep their results, to resume.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed, over the one in the settings.")
@json_option
def command(
    *,
    interactions: Path,
    items: Path | None,
    out: Path,
    config_path: Path | None,
    run_dir: Path | None,
    seed: int | None,
    as_json: bool,
) -> ExitCode:
    """Fine-tune a teacher, distil a small student from it, and write a verified bundle.

    Tables are CSV, TSV, Parquet, or RecBole's .inter and .item files. --interactions also takes
    the folder of a published data set: MovieLens, Amazon Reviews, Online Retail, HetRec Last.fm,
    MIND and others; [data] format names one where the files do not tell.

    A stopped run resumes at its last finished stage where the same --run-dir is given. The report
    goes there too, as report.json and report.html; without --run-dir into a folder NAME-report
    beside the bundle.

    A student that fails the gate ([gate] in the settings) ends with exit code 7; its bundle is
    written beside --out, as NAME.failed, and what stood at --out stays.
    """
    require_extra("distill")
    let_threads_sleep()
    from pocketrec_distill.config import load_config
    from pocketrec_distill.pipeline import distill
    from pocketrec_distill.report import write_report

    report = distill(
        interactions,
        items,
        out,
        config=load_config(config_path, seed=seed),
        run_dir=run_dir,
        seed=seed,
    )
    _, page = write_report(report, run_dir or out.with_name(f"{out.stem}-report"))
    gate = report.get("gate", {})
    failed = gate.get("enforced") and not gate["passed"]
    if as_json:
        emit_json("report", report)
    else:
        emit(report_text(report))
        emit(f"bundle  {out.with_name(gate['bundle']) if gate else out}\nreport  {page}")
    if failed:
        say(f"Gate failed; {out} was left as it was.")
    return ExitCode.QUALITY if failed else ExitCode.OK
