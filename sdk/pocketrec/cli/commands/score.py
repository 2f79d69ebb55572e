"""`pocketrec score`: how likely given items are to be the next one of a history."""

from pathlib import Path

import click

from pocketrec.cli.options import (
    INPUT_PATH,
    bundle_argument,
    delta_option,
    history_option,
    json_option,
    read_ids,
)
from pocketrec.cli.ranking import emit_answer, emit_text_scores
from pocketrec.cli.texts import read_candidates, read_texts_by_id
from pocketrec.opening import open_engine
from pocketrec_runtime.errors import InputError


@click.command("score", short_help="Scores of given candidates for a history.")
@bundle_argument()
@delta_option
@history_option
@click.option(
    "--candidates",
    metavar="ID,ID,...",
    help='The items to score, as one CSV record; "-" reads one id a line from stdin.',
)
@click.option(
    "--texts",
    "texts_path",
    type=INPUT_PATH,
    help="File of candidates that are scored from their text, a line each: TEXT, or ID, tab, TEXT.",
)
@click.option(
    "--history-texts",
    "history_path",
    type=INPUT_PATH,
    help="File of texts for history ids that the bundle does not know: ID, a tab, TEXT.",
)
@json_option
def command(
    bundle: Path,
    deltas: tuple[Path, ...],
    history: str,
    candidates: str | None,
    texts_path: Path | None,
    history_path: Path | None,
    as_json: bool,
) -> None:
    """Score candidates for a history with BUNDLE, in the order in which they are given.

    Candidates are ids of the bundle (--candidates; unknown ones are named and get no score), or
    new items given by their text (--texts), which BUNDLE's item tower reads.
    """
    if (candidates is None) == (texts_path is None):
        raise InputError("give either --candidates or --texts")
    if history == candidates == "-":
        raise InputError("--history and --candidates both read stdin; give one as ID,ID,...")
    history_ids = read_ids(history, "--history")
    if texts_path is not None:
        names, texts = read_candidates(texts_path)
        known = read_texts_by_id(history_path) if history_path is not None else {}
        answer = open_engine(bundle, deltas).score_texts(history_ids, texts, history_texts=known)
        emit_text_scores(answer, names, texts, as_json=as_json)
        return
    if history_path is not None:
        raise InputError("--history-texts goes with --texts")
    candidate_ids = read_ids(candidates or "", "--candidates")
    if not candidate_ids:
        raise InputError("--candidates names no item; give at least one id")
    emit_answer(
        "score", open_engine(bundle, deltas).score(history_ids, candidate_ids), as_json=as_json
    )
