"""One run: open, check the answers, load, time the stages, and judge."""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

from pocketrec_bench.accuracy import judge, reference_for, require_quality
from pocketrec_bench.calibrate import load_settings
from pocketrec_bench.figures import Accuracy, Latency, Load, Overhead, Stages
from pocketrec_bench.loadgen import (
    LoadRecord,
    empty_query_s,
    require_loadgen,
    run_accuracy,
    run_load,
)
from pocketrec_bench.measure import watch
from pocketrec_bench.measure.bandwidth import bandwidth, read_bytes_s
from pocketrec_bench.measure.cold import ColdStarts, cold_starts
from pocketrec_bench.measure.files import disk_bytes
from pocketrec_bench.measure.stages import StageTimes, time_stages, timer_s
from pocketrec_bench.plan import BenchPlan
from pocketrec_bench.queries import Queries, drawn
from pocketrec_bench.results import Result, Settings, Subject
from pocketrec_bench.series import energy_of, slices_of, sustained_of
from pocketrec_bench.system import System, system_of
from pocketrec_bench.verdict import OVERHEAD_LIMIT, reasons_against
from pocketrec_bench.weights import stored_weights
from pocketrec_runtime import Engine, read_bundle
from pocketrec_runtime.bundle import Bundle
from pocketrec_runtime.cores import usable_cores
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.selftest import self_test
from pocketrec_runtime.state import cache_bytes

Say = Callable[[str], None]

_STATES_BYTES = 2**30
"""Most memory that the states of the loaded samples may take together."""

_COLD_HISTORIES = 16


@dataclass(frozen=True)
class HeldOut:
    """Held-out events of a bundle's users.

    Attributes:
        queries: Histories and what came next.
        split: How they were held out, for example "leave-one-out".
    """

    queries: Queries
    split: str


FindQueries = Callable[[Engine], HeldOut]
"""Gives the held-out events in the indices of an opened bundle."""


@dataclass(frozen=True)
class _Opened:
    """A bundle and everything that a run needs of it."""

    path: Path
    bundle: Bundle
    engine: Engine
    queries: Queries
    recorded: float | None


def run_bench(
    path: Path,
    plan: BenchPlan,
    *,
    find_queries: FindQueries | None = None,
    reference: Path | None = None,
    logs: Path | None = None,
    say: Say,
) -> Result:
    """Measures a bundle as a plan says.

    Args:
        path: A directory or zip bundle.
        plan: What to do.
        find_queries: Held-out events; None draws histories from the bundle's popularity.
        reference: A bundle of the same catalogue whose answers stand for full quality; None for
            the bundle's own weights, ranked by brute force.
        logs: A folder that LoadGen's logs are kept in; None keeps none.
        say: Takes lines about the progress.

    Raises:
        MissingExtraError: LoadGen, or the backend's package, is not installed.
        BundleError: The bundle fails its verification or its self-test.
        InputError: The bundle or this device does not have what is asked for.
        QualityError: The accuracy run failed.
        InvalidRunError: The scenario cannot become valid in its time.
    """
    require_loadgen()
    if plan.run.threads > usable_cores():
        raise InputError(
            f"threads is {plan.run.threads}; this process may use {usable_cores()} cores"
        )
    measured_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    load_average = _load_average()
    opened = _open(path, plan, find_queries)
    _warn_of_others(plan, say)
    with tempfile.TemporaryDirectory(prefix="pocketrec-bench-") as temporary:
        folder = Path(temporary) if logs is None else logs
        system = system_of(plan.division, opened.engine, opened.queries, plan.k)
        settings = load_settings(system, opened.queries, plan)
        say(f"accuracy run: {len(opened.queries)} histories")
        accuracy = _accuracy(opened, system, plan, reference, folder / "accuracy")
        say("cold starts in fresh processes")
        cold = _cold(opened, plan)
        harness_s = empty_query_s(plan.effort.overhead_seconds, folder / "overhead")
        say(f"{plan.scenario}, {plan.division}: {settings.seconds:g} s or more")
        before = watch.snapshot()
        record = run_load(system, len(opened.queries), settings, folder / "load")
        after = watch.snapshot()
    say("stages, each by itself")
    stages = time_stages(opened.engine, opened.queries, plan.k, plan.effort.stage_seconds)
    return _result(
        opened, plan, record,
        measured_at=measured_at, accuracy=accuracy, cold=cold, stages=stages,
        harness_s=harness_s, target_qps=settings.target_qps,
        snapshots=(before, after), load_average=load_average,
    )  # fmt: skip


def _open(path: Path, plan: BenchPlan, find_queries: FindQueries | None) -> _Opened:
    bundle = read_bundle(path)
    engine = Engine(bundle, plan.run)
    self_test(engine, bundle.contents.golden)
    if find_queries is None:
        queries = drawn(engine.catalogue, count=plan.samples, events=engine.window, seed=plan.seed)
        recorded = None
    else:
        held_out = find_queries(engine)
        queries, recorded = held_out.queries, _recorded(bundle, held_out)
    queries.check_fit(len(engine.catalogue))
    kept = queries.first(min(plan.samples, _most_samples(engine, queries, plan)))
    return _Opened(path, bundle, engine, kept, recorded if len(kept) == len(queries) else None)


def _most_samples(engine: Engine, queries: Queries, plan: BenchPlan) -> int:
    """How many states fit into the memory that they may take; an LLM student's are large."""
    if plan.division == "uncached":
        return len(queries)
    longest = max(queries.histories, key=len)
    return max(1, _STATES_BYTES // max(1, cache_bytes(engine.prefill(longest)[0].kv)))


def _recorded(bundle: Bundle, held_out: HeldOut) -> float | None:
    """NDCG@10 that the manifest records for the shipped model on these very events."""
    metrics = bundle.manifest.metrics
    test = metrics.get("test")
    shipped = test.get("shipped") if isinstance(test, dict) else None
    if metrics.get("split") != held_out.split or not isinstance(shipped, dict):
        return None
    value, users = shipped.get("ndcg@10"), shipped.get("users")
    if not isinstance(value, int | float) or users != len(held_out.queries):
        return None
    return float(value)


def _accuracy(
    opened: _Opened, system: System, plan: BenchPlan, reference: Path | None, folder: Path
) -> Accuracy:
    other = None if reference is None else read_bundle(reference)
    ranker = reference_for(opened.bundle, opened.engine, other)
    answers = run_accuracy(system, len(opened.queries), folder)
    expected = ranker.top(opened.queries.histories, plan.division)
    # What is recorded was measured with the whole window, as the uncached division reads it.
    recorded = opened.recorded if plan.division == "uncached" else None
    found = judge(
        answers, expected, opened.queries, k=plan.k, reference=ranker.name, recorded=recorded
    )
    require_quality(found)
    return found


def _cold(opened: _Opened, plan: BenchPlan) -> ColdStarts:
    ids = opened.engine.catalogue.ids
    histories = [
        [ids[item] for item in history]
        for history in opened.queries.first(_COLD_HISTORIES).histories
    ]
    return cold_starts(opened.path, plan.run, histories, plan.effort.cold_starts)


def _result(
    opened: _Opened,
    plan: BenchPlan,
    record: LoadRecord,
    *,
    measured_at: str,
    accuracy: Accuracy,
    cold: ColdStarts,
    stages: StageTimes,
    harness_s: float,
    target_qps: float,
    snapshots: tuple[watch.Snapshot, watch.Snapshot],
    load_average: float,
) -> Result:
    latency = Latency.of(record.latencies_s.tolist())
    duration_s = float(record.ends_s.max())
    per_history_s = duration_s / record.samples if plan.scenario == "offline" else latency.p50_s
    overhead = _overhead(stages, latency, harness_s)
    load = _load(plan, *snapshots, load_average)
    settings = _settings(opened, plan, target_qps)
    reasons = reasons_against(settings, record.loadgen, accuracy, overhead, load)
    return Result(
        measured_at=measured_at,
        subject=_subject(opened),
        settings=settings,
        latency=latency,
        duration_s=duration_s,
        throughput_qps=record.samples / duration_s,
        loadgen=record.loadgen,
        stages=Stages(
            cold.imports, cold.open_verify, cold.first_answer,
            stages.prefill, stages.append, stages.scan, stages.end_to_end,
        ),
        slices=slices_of(record),
        sustained=sustained_of(record, *snapshots),
        memory=cold.memory,
        energy=energy_of(*snapshots, record.samples),
        accuracy=accuracy,
        bandwidth=bandwidth(
            opened.bundle, opened.engine, opened.queries.histories[0], plan.division,
            median_s=per_history_s / plan.samples_per_query,
            machine_bytes_s=read_bytes_s(plan.run.threads, plan.effort.read_bytes),
        ),
        overhead=overhead,
        load=load,
        valid=not reasons,
        reasons=reasons,
    )  # fmt: skip


def _subject(opened: _Opened) -> Subject:
    shape = opened.bundle.contents.model
    return Subject(
        name=opened.path.resolve().name,
        fingerprint=opened.engine.fingerprint,
        items=shape.items,
        width=shape.width,
        blocks=shape.blocks,
        window=shape.window,
        disk_bytes=disk_bytes(opened.path),
    )


def _settings(opened: _Opened, plan: BenchPlan, target_qps: float) -> Settings:
    account = opened.engine.backend
    is_server = plan.scenario == "server"
    return Settings(
        scenario=plan.scenario,
        division=plan.division,
        backend=account.backend,
        devices=account.used,
        weights=stored_weights(opened.bundle, account),
        rows=opened.bundle.contents.model.rows,
        cache=account.cache,
        threads=plan.run.threads,
        k=plan.k,
        history_events=median_low(
            min(len(history), opened.engine.window) for history in opened.queries.histories
        ),
        samples=len(opened.queries),
        queries_from=opened.queries.source,
        seconds=plan.load_seconds,
        min_queries=plan.load_queries,
        samples_per_query=plan.samples_per_query,
        target_qps=target_qps if is_server else None,
        target_latency_s=plan.target_latency_s if is_server else None,
        seed=plan.seed,
        quick=plan.quick,
    )


def _overhead(stages: StageTimes, latency: Latency, harness_s: float) -> Overhead:
    timer = timer_s()
    fastest_stage = min(
        each.p50_s for each in (stages.prefill, stages.append, stages.scan, stages.end_to_end)
    )
    carried = [(timer / fastest_stage, fastest_stage), (harness_s / latency.p50_s, latency.p50_s)]
    share, fastest = max(carried)
    return Overhead(timer, harness_s, fastest, share, OVERHEAD_LIMIT)


def _load(
    plan: BenchPlan, before: watch.Snapshot, after: watch.Snapshot, load_average: float
) -> Load:
    return Load(
        load_average=load_average,
        other_cores=watch.other_cores(before, after),
        limit_cores=watch.limit_cores(plan.run.threads),
        waited_share=watch.waited_share(before, after),
        waited_limit=watch.WAITED_LIMIT,
    )


def _load_average() -> float:
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return 0.0


def _warn_of_others(plan: BenchPlan, say: Say) -> None:
    """Says before the run, not after it, that the machine is busy."""
    before = watch.snapshot()
    time.sleep(plan.effort.settle_seconds)
    taken = watch.other_cores(before, watch.snapshot())
    limit = watch.limit_cores(plan.run.threads)
    if taken is not None and taken > limit:
        say(
            f"warning: other processes take {taken:.2f} cores, the run can spare {limit:.2f}; its "
            "result will not be valid unless they end, or this process goes before them (nice)"
        )
