"""`pocketrec diff`: what changed from one bundle to another."""

from collections.abc import Sequence
from pathlib import Path

import click

from pocketrec.cli.options import bundle_argument, json_option
from pocketrec.cli.output import emit, emit_json, printable, table
from pocketrec_runtime import diff_bundles


@click.command("diff", short_help="What changed between two bundles.")
@bundle_argument("a")
@bundle_argument("b")
@json_option
def command(a: Path, b: Path, as_json: bool) -> None:
    """Compare bundles A and B: model, files, items and metrics.

    Exit code 0 whether they differ or not; the answer says which.
    """
    difference = diff_bundles(a, b)
    if as_json:
        emit_json("diff", difference.as_dict())
        return
    if difference.same:
        emit(f"same: model {difference.fingerprints[0]}")
        return
    old, new = difference.fingerprints
    emit(f"different: model {old[:12]} -> {new[:12]}")
    changes = [
        [name, _plain(before), _plain(after)]
        for name, (before, after) in {**difference.fields, **difference.metrics}.items()
    ]
    if changes:
        emit("\n" + table(["field", "A", "B"], changes))
    for kind, files, items in (
        ("only in A", difference.files_removed, difference.items_removed),
        ("only in B", difference.files_added, difference.items_added),
        ("changed", difference.files_changed, difference.items_changed),
    ):
        if files or items:
            emit(f"\n{kind}: {', '.join(files) or 'no file'}; {len(items):,} items{_some(items)}")


def _plain(value: object) -> str:
    return "-" if value is None else str(value)


def _some(items: Sequence[str], limit: int = 5) -> str:
    if not items:
        return ""
    shown = ", ".join(map(printable, items[:limit]))
    return f" ({shown}{', ...' if len(items) > limit else ''})"
