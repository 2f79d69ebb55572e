"""`pocketrec explain`: which events of a history drove a recommendation."""

from pathlib import Path

import click

from pocketrec.cli.options import (
    bundle_argument,
    delta_option,
    history_option,
    json_option,
    read_ids,
)
from pocketrec.cli.output import emit, emit_json, say, table
from pocketrec.cli.ranking import listed
from pocketrec.opening import open_engine
from pocketrec_runtime import Evidence, Explanation


@click.command("explain", short_help="Which events of a history drove a recommendation.")
@bundle_argument()
@delta_option
@history_option
@click.option("--item", required=True, metavar="ID", help="The item to explain.")
@click.option(
    "--top",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="How many events to name at most.",
)
@json_option
def command(
    bundle: Path, deltas: tuple[Path, ...], history: str, item: str, top: int, as_json: bool
) -> None:
    """Name the events of a history that carry an item's place in BUNDLE's ranking.

    Each event is left out in turn, and the rest is read anew. The first event named is the one
    without which the item falls most; the second is measured with the first gone, and so on.
    """
    answer = open_engine(bundle, deltas).explain(read_ids(history, "--history"), item, top=top)
    if as_json:
        emit_json("explain", answer.as_dict())
        return
    show_explanation(answer)


def show_explanation(answer: Explanation) -> None:
    """Print the events that carry an item, strongest first."""
    emit(f"{_name(answer)}: place {answer.rank}, score {answer.score:.4f}")
    if answer.because:
        head = ["without", "position", "places lost", "score lost"]
        emit(table(head, [_row(event) for event in answer.because]))
    say(f"source: {answer.source} ({answer.reason}); model {answer.model[:12]}")
    if answer.unknown:
        say(f"not in the catalogue, skipped: {listed(answer.unknown)}")


def _row(event: Evidence) -> list[str]:
    return [_name(event), str(event.position), str(event.rank_drop), f"{event.score_drop:.4f}"]


def _name(of: Explanation | Evidence) -> str:
    return of.item_id if of.title is None else f"{of.item_id} {of.title}"
