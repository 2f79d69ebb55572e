"""Measures a grid: every bundle, catalogue, backend, thread count and history, one by one."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from pocketrec_bench.accuracy import Reference, judge
from pocketrec_bench.card import this_build
from pocketrec_bench.device import read_device
from pocketrec_bench.figures import Accuracy, Latency
from pocketrec_bench.grid.catalogues import Vectors, drawn_vectors, named
from pocketrec_bench.grid.front import recommend, with_fronts
from pocketrec_bench.grid.plan import GridPlan
from pocketrec_bench.grid.points import Grid, Point
from pocketrec_bench.measure.cold import ColdStarts, cold_starts
from pocketrec_bench.measure.files import disk_bytes
from pocketrec_bench.measure.stages import timed
from pocketrec_bench.queries import Queries, drawn
from pocketrec_bench.run import FindQueries
from pocketrec_bench.system import CachedSystem, System, UncachedSystem
from pocketrec_bench.weights import stored_weights
from pocketrec_runtime import (
    BundleContents,
    Engine,
    Golden,
    quantize_rows,
    read_bundle,
    record_golden,
    write_bundle,
)
from pocketrec_runtime.bundle import Bundle, assemble
from pocketrec_runtime.shape import RowFormat
from pocketrec_runtime.towers import RunSettings, backends_of

Say = Callable[[str], None]

_COLD_HISTORIES, _TIMED_USERS, _WARM, _LEAST = 4, 64, 8, 30


@dataclass(frozen=True)
class _Case:
    """A bundle on the disk, with a reference that its answers are held to."""

    name: str
    path: Path
    bundle: Bundle
    own: bool
    queries: Queries
    reference: Reference


def survey(
    paths: Sequence[Path],
    plan: GridPlan,
    *,
    find_queries: FindQueries | None = None,
    reference: Path | None = None,
    say: Say,
) -> Grid:
    """Measures every point of a grid.

    Args:
        paths: Bundles: precisions of one student, or presets.
        plan: The axes.
        find_queries: Held-out events, for NDCG@10 on each bundle's own catalogue; None measures
            agreement with the reference.
        reference: A bundle of the same catalogue, whose rows are drawn from and whose answers
            are held to; None takes each bundle for itself.
        say: Takes lines about the progress.

    Raises:
        BundleError: A bundle is refused.
        InputError: The reference has other items than a bundle.
    """
    measured_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    other = None if reference is None else read_bundle(reference)
    points: list[Point] = []
    for path in paths:
        bundle = read_bundle(path)
        with TemporaryDirectory(prefix="pocketrec-grid-") as folder:
            for case in _cases(path, bundle, other, plan, find_queries, Path(folder)):
                shape = case.bundle.contents.model
                say(f"{case.name}: {shape.items:,} items, {shape.rows} rows")
                points += _points(case, plan)
    marked = with_fronts(points)
    recommended, why = recommend(marked)
    return Grid(this_build(), read_device(), measured_at, tuple(marked), recommended, why)


def _cases(
    path: Path,
    bundle: Bundle,
    other: Bundle | None,
    plan: GridPlan,
    find_queries: FindQueries | None,
    folder: Path,
) -> Iterator[_Case]:
    """The bundle with its own catalogue, then with each drawn one."""
    name = path.resolve().name
    source = bundle if other is None else other
    yield _Case(
        name, path, bundle, True, _own_queries(bundle, plan, find_queries), Reference(source)
    )
    for items in plan.items:
        vectors = drawn_vectors(source.contents.catalogue, items, plan.seed)
        full = assemble(_with_catalogue(source.contents, vectors, "float32"))
        ranker = Reference(full, "float32 rows by brute force in float64")
        for rows in plan.rows or (bundle.contents.model.rows,):
            made = _with_catalogue(bundle.contents, vectors, rows)
            place = folder / f"{rows}-{items}.bundle"
            write_bundle(place, record_golden(made, [[made.catalogue.ids[0]]]))
            written = read_bundle(place)
            queries = drawn(
                written.contents.catalogue, count=plan.queries,
                events=written.contents.model.window, seed=plan.seed,
            )  # fmt: skip
            yield _Case(name, place, written, False, queries, ranker)


def _own_queries(bundle: Bundle, plan: GridPlan, find_queries: FindQueries | None) -> Queries:
    if find_queries is not None:
        return find_queries(Engine(bundle)).queries
    window = bundle.contents.model.window
    return drawn(bundle.contents.catalogue, count=plan.queries, events=window, seed=plan.seed)


def _with_catalogue(contents: BundleContents, vectors: Vectors, rows: RowFormat) -> BundleContents:
    """The same towers over drawn items; an item tower stays, though it did not make them."""
    if rows == "float32":
        catalogue = named(vectors, vectors.rows, None)
    else:
        catalogue = named(vectors, *quantize_rows(vectors.rows, 8 if rows == "int8" else 4))
    model = replace(contents.model, items=len(catalogue), rows=rows)
    return replace(contents, model=model, catalogue=catalogue, golden=Golden())


def _points(case: _Case, plan: GridPlan) -> Iterator[Point]:
    for backend in _backends(case.bundle):
        for threads in plan.threads:
            run = RunSettings(backend=backend, threads=threads)
            engine = Engine(case.bundle, run)
            accuracy = _quality(case, engine, plan.k)
            cold = _cold(case, run)
            lengths = {min(events, engine.window) for events in plan.history_events}
            for events in sorted(lengths):
                yield _point(case, engine, plan, run, events, accuracy, cold)


def _backends(bundle: Bundle) -> list[Literal["onnx", "llama", "numpy"]]:
    """Backends worth a look: NumPy, the oracle, only where nothing else runs."""
    found = backends_of(bundle.contents)
    return [backend for backend in found if backend != "numpy"] or found


def _quality(case: _Case, engine: Engine, k: int) -> Accuracy:
    system = UncachedSystem(engine, case.queries, k)
    answers = [system.answer(place).tolist() for place in range(len(case.queries))]
    expected = case.reference.top(case.queries.histories, "uncached")
    return judge(answers, expected, case.queries, k=k, reference=case.reference.name)


def _cold(case: _Case, run: RunSettings) -> ColdStarts:
    ids = case.bundle.contents.catalogue.ids
    histories = [
        [ids[item] for item in history] for history in case.queries.first(_COLD_HISTORIES).histories
    ]
    return cold_starts(case.path, run, histories, 1)


def _point(
    case: _Case,
    engine: Engine,
    plan: GridPlan,
    run: RunSettings,
    events: int,
    accuracy: Accuracy,
    cold: ColdStarts,
) -> Point:
    cached, uncached = _latencies(engine, plan, events)
    account = engine.backend
    return Point(
        bundle=case.name,
        items=len(engine.catalogue),
        own=case.own,
        history_events=events,
        backend=account.backend,
        weights=stored_weights(case.bundle, account),
        rows=case.bundle.contents.model.rows,
        cache=account.cache,
        threads=run.threads,
        cached=cached,
        uncached=uncached,
        open_s=cold.open_verify.p50_s,
        resident_bytes=cold.memory.resident_bytes,
        disk_bytes=disk_bytes(case.path),
        metric=accuracy.metric,
        quality=accuracy.value,
        front=False,
    )


def _latencies(engine: Engine, plan: GridPlan, events: int) -> tuple[Latency, Latency]:
    """A cached and an uncached query in turn, over users with so many events each."""
    queries = drawn(engine.catalogue, count=_TIMED_USERS, events=events, seed=plan.seed)
    systems: tuple[System, System] = (
        CachedSystem(engine, queries, plan.k),
        UncachedSystem(engine, queries, plan.k),
    )
    for system in systems:
        system.load(range(len(queries)))
    times: tuple[list[float], list[float]] = ([], [])
    users = cycle(range(len(queries)))
    for _ in range(_WARM):
        systems[0].answer(next(users))
    end = time.perf_counter() + plan.seconds
    while len(times[0]) < _LEAST or time.perf_counter() < end:
        user = next(users)
        for system, kept in zip(systems, times, strict=True):
            kept.append(timed(partial(system.answer, user)))
    return Latency.of(times[0]), Latency.of(times[1])
