"""`pocketrec bench grid`: every way to run a model on this device."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from pocketrec.cli.bench_queries import query_finder, query_options
from pocketrec.cli.options import OUTPUT_PATH, json_option
from pocketrec.cli.output import emit, emit_json, say
from pocketrec_runtime.errors import InputError

if TYPE_CHECKING:
    from pocketrec_runtime.shape import RowFormat


@click.command("grid", short_help="Bundles, backends, catalogue sizes, histories, threads.")
@click.argument(
    "bundles", metavar="BUNDLE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--items",
    default="1000,10000,100000,1000000",
    show_default=True,
    metavar="N,N,...",
    help='Sizes of catalogues that are drawn from the bundle\'s own distribution; "" is none.',
)
@click.option(
    "--history", default="10,50", show_default=True, metavar="N,N,...", help="Events in a history."
)
@click.option(
    "--threads", default="1", show_default=True, metavar="N,N,...", help="Threads of a model run."
)
@click.option(
    "--rows",
    default="",
    metavar="NAME,...",
    help="float32, int8, int4: how drawn catalogues are stored.  [default: as each bundle's own]",
)
@click.option(
    "--seconds", type=float, default=0.5, show_default=True, help="Time for each point's queries."
)
@query_options
@click.option("--seed", type=int, default=7, show_default=True, help="Of everything drawn.")
@click.option("--out", type=OUTPUT_PATH, help="Folder for grid.json and grid.html.")
@json_option
def grid(
    *,
    bundles: tuple[Path, ...],
    items: str,
    history: str,
    threads: str,
    rows: str,
    seconds: float,
    interactions: Path | None,
    split: str,
    config_path: Path | None,
    reference: Path | None,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Survey every way to run each BUNDLE here, and recommend one.

    Bundles are precisions of one student, or presets. Each is measured with its own catalogue and
    with drawn ones of other sizes, on every backend that it has a file for. A point takes a
    fraction of a second: figures to quote come from `bench run`.
    """
    from pocketrec.cli.benching import grid_text
    from pocketrec_bench.grid.page import render_grid
    from pocketrec_bench.grid.plan import GridPlan
    from pocketrec_bench.grid.points import grid_document, grid_to_json
    from pocketrec_bench.grid.survey import survey
    from pocketrec_runtime.storage import write_atomically

    plan = GridPlan(
        items=_numbers(items, "--items"),
        history_events=_numbers(history, "--history"),
        threads=_numbers(threads, "--threads"),
        rows=cast("tuple[RowFormat, ...]", tuple(filter(None, rows.split(",")))),
        seconds=seconds,
        seed=seed,
    )
    finder = query_finder(interactions, split, config_path)
    found = survey(bundles, plan, find_queries=finder, reference=reference, say=say)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / "grid.json", grid_to_json(found).encode())
        write_atomically(out / "grid.html", render_grid(found).encode())
    if as_json:
        emit_json("bench_grid", grid_document(found))
    else:
        emit(grid_text(found))


def _numbers(text: str, option: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise InputError(f"{option} is {text!r}; give whole numbers with commas between") from error
