"""A benchmark in a terminal, and held-out events for one."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pocketrec.cli.output import table

if TYPE_CHECKING:
    from pocketrec_bench.figures import Latency
    from pocketrec_bench.grid.points import Grid, Point
    from pocketrec_bench.results import Result
    from pocketrec_bench.run import FindQueries


def held_out_finder(interactions: Path, split: str, config_path: Path | None) -> "FindQueries":
    """What finds the held-out events of a table in an opened bundle.

    Raises:
        ConfigError: The settings are wrong. When it is called: DataError, the table cannot be
            read, or has no event that the bundle knows.
    """
    from pocketrec_bench.queries import held_out
    from pocketrec_bench.run import HeldOut
    from pocketrec_distill.config import load_config
    from pocketrec_distill.evaluation.bundle import held_out_events
    from pocketrec_runtime import Engine

    settings = load_config(config_path).data

    def find(engine: Engine) -> HeldOut:
        known = held_out_events(engine, interactions, split, settings).known
        return HeldOut(
            held_out([list(history) for history in known.histories], known.targets.tolist()), split
        )

    return find


def result_text(result: "Result") -> str:
    """A result as a table of latencies and lines of what else was measured."""
    rows = [_row("query", result.latency)]
    stages = result.stages
    rows += [
        _row(name, latency)
        for name, latency in (
            ("prefill", stages.prefill),
            ("append", stages.append),
            ("scan", stages.scan),
            ("end to end", stages.end_to_end),
            ("import", stages.imports),
            ("open and verify", stages.open_verify),
            ("first answer", stages.first_answer),
        )
    ]
    head = ["ms", "p50", "p90", "p99", "fastest", "calls"]
    return "\n".join([_title(result), "", table(head, rows), "", *_lines(result)])


def _title(result: "Result") -> str:
    settings, subject = result.settings, result.subject
    return (
        f"{subject.name}: {settings.scenario}, {settings.division}, {settings.backend} "
        f"{settings.weights}, {settings.rows} rows, {settings.threads} thread(s), "
        f"{subject.items} items, {settings.history_events} events"
    )


def _lines(result: "Result") -> list[str]:
    memory, sustained, overhead = result.memory, result.sustained, result.overhead
    lines = [
        f"throughput   {result.throughput_qps:.0f} histories/s over {result.duration_s:.1f} s, "
        f"LoadGen {result.loadgen.version.split()[0]}",
        f"memory       {memory.resident_bytes / 1e6:.1f} MB resident, "
        f"{memory.peak_bytes / 1e6:.1f} MB peak, {memory.base_bytes / 1e6:.1f} MB before opening",
        f"disk         {result.subject.disk_bytes / 1e6:.2f} MB",
        f"energy       {_energy(result)}",
        f"sustained    last {sustained.window_s:.1f} s over first: {sustained.ratio:.3f}"
        + (", throttled" if sustained.throttled else ""),
        f"accuracy     {_accuracy(result)}",
        f"bandwidth    {_bandwidth(result)}",
        f"overhead     {overhead.share:.2%} of the fastest figure: timer "
        f"{overhead.timer_s * 1e9:.0f} ns, LoadGen and harness {overhead.harness_s * 1e6:.2f} us",
        f"others       {_others(result)}",
    ]
    verdict = "VALID" if result.valid else "NOT VALID"
    return [*lines, f"result       {verdict}", *(f"  - {reason}" for reason in result.reasons)]


def _row(name: str, latency: "Latency") -> list[str]:
    figures: Sequence[float] = (latency.p50_s, latency.p90_s, latency.p99_s, latency.min_s)
    return [name, *(f"{value * 1e3:.4f}" for value in figures), str(latency.count)]


def _energy(result: "Result") -> str:
    if result.energy is None:
        return "not measured: no counter that may be read"
    return f"{result.energy.joules_per_query * 1e3:.3f} mJ a query ({result.energy.source})"


def _accuracy(result: "Result") -> str:
    accuracy = result.accuracy
    if accuracy is None:
        return "not measured"
    recorded = (
        "" if accuracy.recorded is None else f", the manifest records {accuracy.recorded:.4f}"
    )
    return (
        f"{accuracy.metric} {accuracy.value:.4f}, {accuracy.ratio:.2%} of the reference's on "
        f"{accuracy.queries} histories, top-10 overlap {accuracy.overlap:.4f}{recorded}"
    )


def _bandwidth(result: "Result") -> str:
    measured = result.bandwidth
    if measured is None:
        return "not measured"
    return (
        f"{measured.query_bytes / 1e6:.2f} MB a query, {measured.query_bytes_s / 1e9:.1f} of "
        f"{measured.machine_bytes_s / 1e9:.1f} GB/s ({measured.share:.0%})"
    )


def _others(result: "Result") -> str:
    load = result.load
    if load.other_cores is None or load.waited_share is None:
        return "not measured"
    return (
        f"{load.other_cores:.2f} cores taken by other processes; waited for a core "
        f"{load.waited_share:.1%} of the time"
    )


def grid_text(grid: "Grid") -> str:
    """A grid as a table, the Pareto front marked, and what is recommended."""
    head = ["bundle", "items", "events", "backend", "weights", "rows", "threads"]
    head += ["cached, ms", "uncached, ms", "open, ms", "MB resident", "MB disk"]
    head += ["metric", "quality", "front"]
    rows = [_point_row(point) for point in grid.points]
    chosen = grid.points[grid.recommended]
    named = f"{chosen.bundle} on {chosen.backend}, {chosen.threads} thread(s)"
    return f"{table(head, rows)}\n\nrecommended: {named}\n{grid.why}"


def _point_row(point: "Point") -> list[str]:
    return [
        point.bundle,
        f"{point.items}{'' if point.own else ' drawn'}",
        str(point.history_events),
        point.backend,
        point.weights,
        point.rows,
        str(point.threads),
        f"{point.cached.p50_s * 1e3:.4f}",
        f"{point.uncached.p50_s * 1e3:.4f}",
        f"{point.open_s * 1e3:.1f}",
        f"{point.resident_bytes / 1e6:.1f}",
        f"{point.disk_bytes / 1e6:.2f}",
        point.metric,
        f"{point.quality:.4f}",
        "*" if point.front else "",
    ]
