"""`pocketrec bench`: what a bundle costs on this device, in figures that can be trusted."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from pocketrec.cli.bench_compare import compare
from pocketrec.cli.bench_device import device
from pocketrec.cli.bench_grid import grid
from pocketrec.cli.bench_queries import query_finder, query_options
from pocketrec.cli.bench_scale import scale
from pocketrec.cli.exits import ExitCode
from pocketrec.cli.options import OUTPUT_PATH, bundle_argument, json_option
from pocketrec.cli.output import emit, emit_json, say

if TYPE_CHECKING:
    from pocketrec_bench.results import Division, Result, Scenario
    from pocketrec_runtime.towers import Backend, CachePrecision

SCENARIOS = ("single-stream", "multi-stream", "offline", "server")


class BenchGroup(click.Group):
    """A group whose first word may also be a bundle: `bench BUNDLE` is `bench run BUNDLE`.

    `bench --grid BUNDLE` is `bench grid BUNDLE`.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, with `run` put before anything that is no command of this group."""
        if "--grid" in args:
            args = ["grid", *(arg for arg in args if arg not in ("--grid", "grid"))]
        elif args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(
    "bench",
    cls=BenchGroup,
    short_help="Measure what a bundle costs on this device.",
    subcommand_metavar="BUNDLE | COMMAND [ARGS]...",
)
def command() -> None:
    """Measure a bundle on this device: `pocketrec bench BUNDLE` is `pocketrec bench run BUNDLE`.

    Needs pocketrec[bench], which is MLPerf's LoadGen.
    """


command.add_command(compare)
command.add_command(device)
command.add_command(scale)
command.add_command(grid)


@command.command("run", short_help="One load of one bundle, on MLPerf's LoadGen.")
@bundle_argument()
@click.option(
    "--scenario",
    type=click.Choice(SCENARIOS),
    default="single-stream",
    show_default=True,
    help="How queries arrive.",
)
@click.option(
    "--division",
    type=click.Choice(["cached", "uncached"]),
    default="cached",
    show_default=True,
    help="Whether users' states are warm: a query appends one event, or reads the whole history.",
)
@click.option(
    "--backend",
    type=click.Choice(["auto", "onnx", "llama", "numpy"]),
    default="auto",
    show_default=True,
    help="What runs the user tower.",
)
@click.option(
    "--cache",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    show_default=True,
    help="How llama.cpp stores keys and values.",
)
@click.option("--threads", type=int, default=1, show_default=True, help="Threads of a model run.")
@click.option("--seconds", type=float, help="Least time of the load.  [default: 60]")
@click.option("--queries", type=int, help="Least number of queries.  [default: 1024]")
@click.option("--k", type=int, default=10, show_default=True, help="Items in an answer.")
@click.option("--streams", type=int, default=8, show_default=True, help="In multi-stream.")
@click.option(
    "--target-qps",
    type=float,
    help="In server: arrivals a second.  [default: half of what one stream reaches]",
)
@click.option(
    "--target-latency-ms",
    type=float,
    default=10.0,
    show_default=True,
    help="In server: what 99% of the queries must meet.",
)
@query_options
@click.option("--seed", type=int, default=7, show_default=True, help="Of drawn histories.")
@click.option("--quick", is_flag=True, help="A trial of a second or two, marked as not valid.")
@click.option(
    "--replicate",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Runs, each in a process of its own; their medians must agree within 5%.",
)
@click.option(
    "--out",
    type=OUTPUT_PATH,
    help="Folder for card.json, card.html, result.json and LoadGen's logs; with --replicate a "
    "folder of the latter two for each run.",
)
@json_option
@click.pass_context
def run(
    context: click.Context,
    *,
    bundle: Path,
    scenario: "Scenario",
    division: "Division",
    backend: "Backend | Literal['auto']",
    cache: "CachePrecision",
    threads: int,
    seconds: float | None,
    queries: int | None,
    k: int,
    streams: int,
    target_qps: float | None,
    target_latency_ms: float,
    interactions: Path | None,
    split: str,
    config_path: Path | None,
    reference: Path | None,
    seed: int,
    quick: bool,
    replicate: int,
    out: Path | None,
    as_json: bool,
) -> ExitCode:
    """Measure BUNDLE under MLPerf's rules: at least 60 seconds and 1,024 queries.

    First the answers are checked: where they keep less than 99% of the reference's NDCG@10,
    nothing is timed. Then LoadGen drives the load, and each part of the way is timed by itself.
    Exit code 7 says that the result is not valid, and the output why. With --replicate and --json
    the document is a card.
    """
    from pocketrec_bench.plan import BenchPlan
    from pocketrec_bench.run import run_bench
    from pocketrec_runtime.towers import RunSettings

    plan = BenchPlan(
        scenario=scenario,
        division=division,
        run=RunSettings(backend=backend, threads=threads, cache=cache),
        seconds=seconds,
        min_queries=queries,
        k=k,
        streams=streams,
        target_qps=target_qps,
        target_latency_s=target_latency_ms / 1e3,
        seed=seed,
        quick=quick,
    )
    if replicate > 1:
        return _replicates(context, replicate, out, quick=quick, as_json=as_json)
    result = run_bench(
        bundle,
        plan,
        find_queries=query_finder(interactions, split, config_path),
        reference=reference,
        logs=None if out is None else out / "loadgen",
        say=say,
    )
    _publish(result, out, as_json=as_json)
    return ExitCode.OK if result.valid or quick else ExitCode.QUALITY


def _publish(result: "Result", out: Path | None, *, as_json: bool) -> None:
    """The result on stdout, and in the folder where one is given."""
    from pocketrec.cli.benching import result_text
    from pocketrec_bench.results import to_document, to_json
    from pocketrec_runtime.storage import write_atomically

    if out is not None:
        _write_card([result], out)
        write_atomically(out / "result.json", f"{to_json(result)}\n".encode())
    if as_json:
        emit_json("bench_result", to_document(result))
    else:
        emit(result_text(result))
        if out is not None:
            say(f"card, result and LoadGen's logs: {out}")


def _replicates(
    context: click.Context, count: int, out: Path | None, *, quick: bool, as_json: bool
) -> ExitCode:
    """The same run in several processes, and whether they agree."""
    from pocketrec.cli.bench_replicates import run_replicates
    from pocketrec.cli.benching import result_text
    from pocketrec_bench.card import Card, card_document, this_build
    from pocketrec_bench.device import read_device
    from pocketrec_bench.replicates import agreement

    results = run_replicates(context, count, out)
    if out is not None:
        _write_card(results, out)
    if as_json:
        card = Card(this_build(), read_device(), tuple(results))
        emit_json("bench_card", card_document(card))
    else:
        emit("\n\n".join(map(result_text, results)))
    agreed = agreement(results)
    say(str(agreed))
    good = agreed.agrees and all(result.valid for result in results)
    return ExitCode.OK if good or quick else ExitCode.QUALITY


def _write_card(results: "Sequence[Result]", out: Path) -> None:
    from pocketrec_bench.card import Card, this_build, write_card
    from pocketrec_bench.device import read_device

    write_card(Card(this_build(), read_device(), tuple(results)), out)
