"""`pocketrec events`: what a store of events holds, taken along or removed."""

import csv
import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click

from pocketrec.cli.options import json_option
from pocketrec.cli.output import emit, emit_json, printable, say, table
from pocketrec.events import Event, EventStore
from pocketrec.events.store import ENCRYPTED_NAME, PLAIN_NAME
from pocketrec_runtime.errors import InputError

_COLUMNS = ("user", "item", "event", "timestamp", "sequence")

_store = click.argument("store", metavar="STORE", type=click.Path(path_type=Path))
_user = click.option("--user", metavar="NAME", help="Only this user.")


@click.group("events", short_help="List, export or erase what users did.")
def command() -> None:
    """Look into STORE, the folder that a Recommender keeps its users' events in.

    The key of an encrypted store comes from the environment variable POCKETREC_STORE_KEY.
    """


@command.command("list", short_help="Users and the number of their events, or one user's events.")
@_store
@_user
@json_option
def list_events(store: Path, user: str | None, as_json: bool) -> None:
    """List the users of STORE with the number of their events; with --user that user's events."""
    with _opened(store) as events:
        if user is not None:
            _show_events(user, events.events(user), as_json=as_json)
            return
        counts = events.users()
    if as_json:
        users = [{"user": name, "events": count} for name, count in counts.items()]
        emit_json("events_list", {"users": users})
        return
    emit(table(["user", "events"], [[name, f"{count:,}"] for name, count in counts.items()]))
    say(f"{len(counts):,} users, {sum(counts.values()):,} events")


@command.command("export", short_help="Events as JSON lines or CSV.")
@_store
@_user
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="One JSON object a line, or the table that distill, update and evaluate read.",
)
def export_events(store: Path, user: str | None, form: str) -> None:
    """Print every event of STORE in the order of recording, or those of one user."""
    with _opened(store) as events:
        found = events.events(user)
    for line in _csv_lines(found) if form == "csv" else _json_lines(found):
        click.echo(line.encode("utf-8"))
    say(f"{len(found):,} events")


@command.command("erase", short_help="Remove all that is kept of a user.")
@_store
@click.argument("user")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def erase_user(store: Path, user: str, yes: bool, as_json: bool) -> None:
    """Remove all that STORE keeps of USER, byte by byte: events, KV state, copies in SQLite's log.

    Programs that have the store open forget the user before they answer again. Where something
    could not be removed, the message says what; run it again.
    """
    with _opened(store) as events:
        if not yes:
            count = len(events.events(user))
            question = f"Erase {count:,} events of {printable(user)}? This cannot be undone"
            click.confirm(question, abort=True, err=True)
        erased = events.erase(user)
    if as_json:
        emit_json("events_erase", {"user": user, "events": erased})
    else:
        emit(f"{printable(user)}: {erased:,} events erased")


def _opened(folder: Path) -> EventStore:
    """The store of a folder; none is made."""
    if not (folder / PLAIN_NAME).exists() and not (folder / ENCRYPTED_NAME).exists():
        raise InputError(
            f"no store of events at {folder}; give the folder of a Recommender's store"
        )
    return EventStore(folder)


def _show_events(user: str, events: list[Event], *, as_json: bool) -> None:
    if as_json:
        listed = [_json_object(event) for event in events]
        emit_json("events_list", {"user": user, "events": listed})
        return
    rows = [[str(e.sequence), _moment(e.time_s), e.event, e.item] for e in events]
    emit(table(["#", "time", "event", "item"], rows))


def _moment(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(" ", "seconds")


def _json_object(event: Event) -> dict[str, str | float | int]:
    return {
        "user": event.user,
        "item": event.item,
        "event": event.event,
        "time_s": event.time_s,
        "sequence": event.sequence,
    }


def _json_lines(events: Iterable[Event]) -> Iterable[str]:
    return (json.dumps(_json_object(event), ensure_ascii=False) for event in events)


def _csv_lines(events: Iterable[Event]) -> Iterable[str]:
    rows = [(e.user, e.item, e.event, repr(e.time_s), str(e.sequence)) for e in events]
    for row in (_COLUMNS, *rows):
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(row)
        yield line.getvalue()
