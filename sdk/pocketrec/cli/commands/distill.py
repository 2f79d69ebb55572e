"""`pocketrec distill`: from interactions to a verified bundle."""

from dataclasses import replace
from pathlib import Path

import click

from pocketrec.cli.exits import ExitCode
from pocketrec.cli.extras import require_extra
from pocketrec.cli.options import INPUT_PATH, OUTPUT_PATH, json_option
from pocketrec.cli.output import emit, emit_json, say
from pocketrec.cli.reporting import click_report_text, report_text
from pocketrec.cli.threads import let_threads_sleep
from pocketrec_runtime.errors import InputError


@click.command("distill", short_help="Train, distil, quantize and write a bundle.")
@click.option(
    "--interactions", type=INPUT_PATH, help="Table of interactions, or a data set's folder."
)
@click.option(
    "--impressions",
    type=INPUT_PATH,
    help="Clicks and non-clicks instead: MIND's behaviors.tsv, or a data set's folder.",
)
@click.option("--items", type=INPUT_PATH, help="Table of items with their text.")
@click.option("--out", required=True, type=OUTPUT_PATH, help="The bundle: a folder, or NAME.zip.")
@click.option("--config", "config_path", type=INPUT_PATH, help="Settings, a TOML file.")
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    metavar="KIND",
    help="One more teacher: llm, text, ease, sasrec, classifier, yes_no or table. Repeatable.",
)
@click.option(
    "--teacher-path",
    "teacher_paths",
    multiple=True,
    type=INPUT_PATH,
    help="Folder or table of the classifier, yes_no or table just named. Repeatable.",
)
@click.option("--run-dir", type=OUTPUT_PATH, help="Where stages keep their results, to resume.")
@click.option(
    "--teacher-out",
    type=OUTPUT_PATH,
    help="Write the full teacher too, as a folder that pocketrec serve opens.",
)
@click.option(
    "--refit",
    is_flag=True,
    help="Ship a student of every event, made anew once the run is measured.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Seed, over the one in the settings.")
@json_option
def command(
    *,
    interactions: Path | None,
    impressions: Path | None,
    items: Path | None,
    out: Path,
    config_path: Path | None,
    teachers: tuple[str, ...],
    teacher_paths: tuple[Path, ...],
    run_dir: Path | None,
    teacher_out: Path | None,
    refit: bool,
    seed: int | None,
    as_json: bool,
) -> ExitCode:
    """Fine-tune a teacher, distil a small student from it, and write a verified bundle.

    Tables are CSV, TSV, Parquet, or RecBole's .inter and .item files. --interactions also takes
    the folder of a published data set: MovieLens, Amazon Reviews, Online Retail, HetRec Last.fm,
    MIND and others; [data] format names one where the files do not tell.

    Bring your own recommender with --teacher and --teacher-path: a fine-tuned sequence classifier,
    a yes/no adapter, or a table of scores. Without a path, a classifier or yes_no is trained here.

    A stopped run resumes at its last finished stage where the same --run-dir is given. The report
    goes there too, as report.json and report.html; without --run-dir into a folder NAME-report
    beside the bundle. The same call again with --teacher-out writes the teacher of a finished run.

    What is measured never learned the events that measure it. With --refit all models are made
    once more from every event, with the choices of the measured run, and that bundle is written.

    With --impressions the bundle says whether a user will click: it scores new items from text
    (pocketrec score --texts); the settings are [clicks], and the report is click-report.json.

    A student that fails the gate ([gate] in the settings) ends with exit code 7; its bundle is
    written beside --out, as NAME.failed, and what stood at --out stays.
    """
    require_extra("distill")
    let_threads_sleep()
    if (interactions is None) == (impressions is None):
        raise InputError("give either --interactions or --impressions")
    reports = run_dir or out.with_name(f"{out.stem}-report")
    if impressions is not None:
        if teacher_out is not None or refit:
            raise InputError("--teacher-out and --refit go with --interactions, not with clicks")
        clicks(impressions, items, out, config_path, run_dir, seed, reports, as_json=as_json)
        return ExitCode.OK
    from pocketrec_distill.config import load_config, with_teachers
    from pocketrec_distill.pipeline import distill
    from pocketrec_distill.report import write_report

    assert interactions is not None  # noqa: S101  (one of the two was given)
    config = with_teachers(load_config(config_path, seed=seed), teachers, teacher_paths)
    if refit:
        config = replace(config, run=replace(config.run, refit=True))
    report = distill(
        interactions, items, out, config=config, run_dir=run_dir, teacher_out=teacher_out
    )
    if not report:  # one of several processes under torchrun, and not the one that leads
        return ExitCode.OK
    _, page = write_report(report, reports)
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


def clicks(
    impressions: Path,
    items: Path | None,
    out: Path,
    config_path: Path | None,
    run_dir: Path | None,
    seed: int | None,
    reports: Path,
    *,
    as_json: bool,
) -> None:
    """Learn from impressions, and print the click metrics."""
    from pocketrec_distill.config import load_config
    from pocketrec_distill.pipeline.impressions import distill_clicks
    from pocketrec_distill.report.write import write_json

    config = load_config(config_path, seed=seed)
    report = distill_clicks(impressions, items, out, config=config, run_dir=run_dir)
    path = write_json(report, reports / "click-report.json")
    if as_json:
        emit_json("click_report", report)
        return
    emit(click_report_text(report))
    emit(f"bundle  {out}\nreport  {path}")
