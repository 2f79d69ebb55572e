"""`update`: a bundle and new events in, a better bundle and a report on what it forgot out."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.errors import DataError
from pocketrec_distill.evaluation.bootstrap import paired_difference, ratio
from pocketrec_distill.evaluation.metrics import RankingMetrics, summarise
from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.evaluation.ranking import EngineScorer, evaluate, ndcg_of
from pocketrec_distill.models.base import Scorer, SequenceScorer
from pocketrec_distill.models.student import Student
from pocketrec_distill.models.trend import Biased
from pocketrec_distill.pipeline.run_root import say_on_stderr
from pocketrec_distill.placement import set_threads
from pocketrec_distill.update.continual import Lessons, learn
from pocketrec_distill.update.data import (
    MIN_OLD_EVENTS,
    Events,
    UpdateTables,
    arrange,
    queries_of,
    read_tables,
)
from pocketrec_distill.update.form import BundleForm
from pocketrec_distill.update.items import told_of_items, usual_bias, vectors_of_new
from pocketrec_distill.update.recover import check_recovered, recovered_student
from pocketrec_distill.update.replay import made_up_histories
from pocketrec_distill.version import VERSION
from pocketrec_runtime import (
    BundleContents,
    Catalogue,
    Engine,
    read_bundle,
    record_golden,
    write_bundle,
)
from pocketrec_runtime.bundle import Bundle, assemble

UPDATE_SCHEMA = "pocketrec.update/1"
_MADE_UP_EVENTS = 12
_MADE_UP_QUERIES = 1_000

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Measures:
    """NDCG@10 of the same users before and after."""

    before: RankingMetrics
    after: RankingMetrics

    def as_dict(self) -> dict[str, Any]:
        """Both, their paired difference and ratio with 95% intervals."""
        difference = paired_difference(self.after.ndcg, self.before.ndcg)
        kept = ratio(self.after.ndcg, self.before.ndcg)
        return {
            "before": summarise(self.before),
            "after": summarise(self.after),
            "difference": difference.as_dict(),
            "ratio": kept.as_dict(),
        }


def update_bundle(
    bundle: Path,
    interactions: Path,
    items: Path | None,
    out: Path,
    *,
    replay: Path | None = None,
    config: DistillConfig,
    say: Callable[[str], None] = say_on_stderr,
) -> dict[str, Any]:
    """Teach a bundle new events and new items, and measure what it learned and forgot.

    The student comes back from the bundle itself. A new item starts with the vector that the
    bundle's item tower makes of its text (without a tower, with the mean vector), and is learned
    from there. Old knowledge is kept by KD from the student as it was, on replayed events, or on
    histories made up from that student where there are none. Tower and rows are stored in the
    precision of the bundle, and every epoch is measured so.

    Args:
        bundle: The bundle to update; it stays as it is.
        interactions: New events.
        items: Texts of new items.
        out: Where the updated bundle goes.
        replay: Old events, by which old users are replayed and measured.
        config: `[update]`, `[data]`, `[text]` and the seed and threads of `[run]` count.
        say: Called with one line per step.

    Returns:
        The report, `pocketrec.update/1` of docs/update.md.

    Raises:
        BundleError: The bundle is refused, or the new one cannot be written.
        NotRecoverableError: The bundle's tower is none that can be trained on.
        DataError: A table cannot be read, or holds nothing to learn from.
    """
    started = time.perf_counter()
    set_threads(config.run.threads)
    parent = read_bundle(bundle)
    contents, seed = parent.contents, config.run.seed
    tables = read_tables(contents.catalogue, interactions, items, replay, config)
    events = _to_learn(tables, contents.model.window, seed)
    new_vectors = vectors_of_new(Engine(parent), tables, config)
    student = recovered_student(contents, new_vectors, config.update.dropout)
    check_recovered(student, contents)
    say(f"update: {len(tables.new):,} new events, {len(new_vectors):,} new items")
    made_up = not events.replay
    if made_up:
        events = _with_made_up(events, student, contents, config)
    before = _before(recovered_student(contents, new_vectors, 0.0), contents)
    measured_before = {name: evaluate(before, queries) for name, queries in tests_of(events)}
    lessons = Lessons(events.sequences, events.targets, events.replay, made_up, tables.known)
    form = BundleForm.of(contents)
    curve = learn(student, lessons, lambda s: _choice(s, form, events), config.update, seed)
    taken = max(curve, key=lambda e: (_allowed(e.old, curve[0].old, config), e.new, -e.epoch))
    updated = _contents(parent, student, form, tables, events)
    scorer = EngineScorer(Engine(assemble(updated)))
    measures = {
        name: Measures(measured_before[name], evaluate(scorer, queries)).as_dict()
        for name, queries in tests_of(events)
    }
    told = "histories made up from the old student" if made_up else "old users"
    metrics = {"task": "update", "old_measured_on": told, **measures}
    manifest = write_bundle(out, replace(updated, metrics=metrics))
    Engine.open(out)
    return {
        "schema": UPDATE_SCHEMA,
        "parent": parent.manifest.fingerprint,
        "model": manifest.fingerprint,
        "lineage": list(updated.provenance["lineage"]),
        **measures,
        "old_measured_on": told,
        "new_events": len(tables.new),
        "new_items": len(new_vectors),
        "epoch": taken.epoch,
        "curve": [asdict(epoch) for epoch in curve],
        "bundle_bytes": manifest.size_bytes,
        "seconds": time.perf_counter() - started,
        "config": config.as_dict(),
    }


def _to_learn(tables: UpdateTables, window: int, seed: int) -> Events:
    """The events of an update.

    Raises:
        DataError: There is nothing to learn.
    """
    events = arrange(tables, window, seed)
    if not events.sequences:
        raise DataError(
            "no new event has another event of its user before it; give more events, or the users' "
            "old ones with --replay"
        )
    return events


def _before(student: Student, contents: BundleContents) -> Scorer:
    """What the bundle ranks by, and new items by their texts."""
    scorer = SequenceScorer(student, contents.model.window)
    return Biased(scorer, usual_bias(contents, len(student.item_vectors())))


def _allowed(old: float, start: float, config: DistillConfig) -> bool:
    return old >= config.update.keep * start


def _with_made_up(
    events: Events, student: Student, contents: BundleContents, config: DistillConfig
) -> Events:
    """The events with histories of the old student's own as replay and as old queries."""
    # Without a pass nothing is learned from them: they only ask.
    wanted = config.update.made_up if config.update.epochs else 0
    count = min(wanted, 4 * len(events.sequences) + 100)
    length = max(MIN_OLD_EVENTS, min(_MADE_UP_EVENTS, contents.model.window + 1))
    drawn = made_up_histories(
        student, contents.catalogue.popularity, count + _MADE_UP_QUERIES, length, config.run.seed
    )
    asked = [(history[:-1], int(history[-1])) for history in drawn[:_MADE_UP_QUERIES]]
    return replace(
        events,
        replay=drawn[_MADE_UP_QUERIES:],
        old_validation=queries_of(asked[::2]),
        old_test=queries_of(asked[1::2]),
    )


def tests_of(events: Events) -> list[tuple[str, QuerySet]]:
    """The queries that are touched once, where there are some."""
    named = (("new", events.new_test), ("old", events.old_test))
    return [(name, queries) for name, queries in named if len(queries)]


def _choice(student: Student, form: BundleForm, events: Events) -> tuple[float, float]:
    """New and old validation NDCG@10 of the student as its bundle would store it."""
    scorer = SequenceScorer(form.stored(student), form.window)

    def ndcg(queries: QuerySet) -> float:
        return float(ndcg_of(scorer, queries).mean()) if len(queries) else 0.0

    return ndcg(events.new_validation), ndcg(events.old_validation)


def _contents(
    parent: Bundle, student: Student, form: BundleForm, tables: UpdateTables, events: Events
) -> BundleContents:
    contents = parent.contents
    vectors = student.item_vectors().detach().numpy()
    stored, scales = form.stored_rows(vectors)
    user_tower, user_tower_gguf = form.towers(student)
    told = told_of_items(parent, tables, events)
    catalogue = Catalogue(
        ids=tables.items.item_ids,
        rows=stored,
        scales=scales,
        bias=told.bias,
        popularity=told.popularity,
        columns=told.columns,
    )
    lineage = [*parent.manifest.provenance.get("lineage", []), parent.manifest.fingerprint]
    updated = replace(
        contents,
        model=replace(contents.model, items=len(vectors)),
        catalogue=catalogue,
        user_tower=user_tower,
        user_tower_gguf=user_tower_gguf,
        # Fitted on the old student, it says nothing of this one.
        deferral=None,
        provenance={
            **parent.manifest.provenance,
            "pocketrec": VERSION,
            "parent": parent.manifest.fingerprint,
            "lineage": lineage,
            "updated_with": {
                "events": len(tables.new),
                "items": len(vectors) - tables.known,
            },
        },
    )
    return record_golden(updated, [list(query.history) for query in contents.golden.queries])
