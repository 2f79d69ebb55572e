"""`pocketrec bench compare`: two sides of cards held against each other."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pocketrec.cli.exits import ExitCode
from pocketrec.cli.options import INPUT_PATH, json_option
from pocketrec.cli.output import emit, emit_json, say, table
from pocketrec_runtime.errors import InputError

if TYPE_CHECKING:
    from pocketrec_bench.card import Card
    from pocketrec_bench.compare import KindComparison, Verdict

_CODES: dict[str, ExitCode] = {
    "equal": ExitCode.OK,
    "faster": ExitCode.OK,
    "slower": ExitCode.QUALITY,
    "undecided": ExitCode.UNDECIDED,
}


@click.command("compare", short_help="Hold one card against another.")
@click.argument("first", metavar="A", type=INPUT_PATH)
@click.argument("second", metavar="B", type=INPUT_PATH)
@click.option(
    "--margin",
    type=float,
    default=0.05,
    show_default=True,
    help="Smallest change that matters, as a share.",
)
@click.option("--across-devices", is_flag=True, help="Compare although the devices differ.")
@click.option("--allow-invalid", is_flag=True, help="Compare although runs are not valid.")
@json_option
def compare(
    *,
    first: Path,
    second: Path,
    margin: float,
    across_devices: bool,
    allow_invalid: bool,
    as_json: bool,
) -> ExitCode:
    """Say whether B is slower than A, or that noise does not let tell.

    A and B are card.json files, or folders that hold card.json files at any depth; all runs of one
    kind are replicates. Exit codes: 0 equal or faster, 7 slower, 8 undecided, 5 not comparable.
    """
    from pocketrec_bench.compare import CompareSettings, compare_cards, overall

    settings = CompareSettings(margin=margin)
    found = compare_cards(
        _cards(first),
        _cards(second),
        settings,
        across_devices=across_devices,
        allow_invalid=allow_invalid,
    )
    verdict = overall(found)
    if as_json:
        emit_json("bench_compare", _document(found, verdict, margin))
    else:
        _show(found, verdict)
    return _CODES[verdict]


def _cards(path: Path) -> list["Card"]:
    """The cards of one side."""
    from pocketrec_bench.card import CARD_NAME, read_card

    if not path.is_dir():
        return [read_card(path)]
    files = [path / CARD_NAME] if (path / CARD_NAME).exists() else sorted(path.rglob(CARD_NAME))
    if not files:
        raise InputError(
            f"{path} holds no {CARD_NAME}; make one with: pocketrec bench BUNDLE --out DIR"
        )
    return [read_card(file) for file in files]


def _show(found: Sequence["KindComparison"], verdict: "Verdict") -> None:
    for comparison in found:
        pair = comparison.pair
        emit(f"{pair.name}: {len(pair.first)} and {len(pair.second)} runs")
        head = ["", "A ms", "B ms", "B / A", "95% interval", ""]
        emit(table(head, [_row(comparison, place) for place in range(len(comparison.rows))]))
        for note in comparison.notes:
            emit(f"  {note}")
        emit()
    decided = found[0].rows[0].reason if len(found) == 1 else verdict
    emit(f"B is {decided}" if verdict != "undecided" else decided)
    if verdict == "undecided":
        say("No difference was shown, and no equality either.")


def _row(comparison: "KindComparison", place: int) -> list[str]:
    row = comparison.rows[place]
    interval = row.interval
    name = {"throughput": "per history"}.get(row.metric, row.metric)
    times = [f"{value * 1e3:.4f}" for value in (row.first, row.second)]
    if interval is None:
        return [name, *times, f"{row.second / row.first:.3f}", "", row.verdict]
    between = f"{interval.low:.3f} to {interval.high:.3f}"
    return [name, *times, f"{interval.ratio:.3f}", between, row.verdict]


def _document(
    found: Sequence["KindComparison"], verdict: "Verdict", margin: float
) -> dict[str, Any]:
    kinds = []
    for comparison in found:
        rows = []
        for row in comparison.rows:
            interval = row.interval
            rows.append({
                "metric": row.metric,
                "a_s": row.first,
                "b_s": row.second,
                "ratio": row.second / row.first if interval is None else interval.ratio,
                "ci95": None if interval is None else [interval.low, interval.high],
                "method": None if interval is None else interval.method,
                "verdict": row.verdict,
                "reason": row.reason,
            })  # fmt: skip
        kinds.append({
            "name": comparison.pair.name,
            "runs": [len(comparison.pair.first), len(comparison.pair.second)],
            "changed": list(comparison.pair.changed),
            "notes": list(comparison.notes),
            "verdict": comparison.verdict,
            "rows": rows,
        })  # fmt: skip
    return {"verdict": verdict, "margin": margin, "kinds": kinds}
