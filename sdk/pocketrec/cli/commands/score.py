"""`pocketrec score`: how likely given items are to be the next one of a history."""

from pathlib import Path

import click

from pocketrec.cli.options import bundle_argument, history_option, json_option, read_ids
from pocketrec.cli.ranking import emit_answer
from pocketrec_runtime import Engine
from pocketrec_runtime.errors import InputError


@click.command("score", short_help="Scores of given candidates for a history.")
@bundle_argument()
@history_option
@click.option(
    "--candidates",
    required=True,
    metavar="ID,ID,...",
    help='The items to score, as one CSV record; "-" reads one id a line from stdin.',
)
@json_option
def command(bundle: Path, history: str, candidates: str, as_json: bool) -> None:
    """Score candidates for a history with BUNDLE, in the order in which they are given.

    Candidates that the bundle does not know are named and get no score.
    """
    if history == candidates == "-":
        raise InputError("--history and --candidates both read stdin; give one as ID,ID,...")
    history_ids = read_ids(history, "--history")
    candidate_ids = read_ids(candidates, "--candidates")
    if not candidate_ids:
        raise InputError("--candidates names no item; give at least one id")
    answer = Engine.open(bundle).score(history_ids, candidate_ids)
    emit_answer("score", answer, as_json=as_json)
