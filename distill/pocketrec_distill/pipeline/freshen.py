"""`update --delta`: what devices that hold a bundle lay over it, so that it knows of today.

New items, the trend renewed and popularity: a few bytes an item, and the models stay. Nothing is
trained, so that it takes seconds, and the states of users live on.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.evaluation.ranking import EngineScorer, evaluate
from pocketrec_distill.pipeline.run_root import say_on_stderr
from pocketrec_distill.pipeline.update import UPDATE_SCHEMA, Measures, tests_of
from pocketrec_distill.update.data import UpdateTables, arrange, read_tables
from pocketrec_distill.update.items import Told, told_of_items, vectors_of_new
from pocketrec_runtime import CatalogueDelta, Engine, NewItem, make_delta, read_bundle, write_delta


def freshen_bundle(
    bundle: Path,
    interactions: Path,
    items: Path | None,
    out: Path,
    *,
    replay: Path | None = None,
    config: DistillConfig,
    say: Callable[[str], None] = say_on_stderr,
) -> dict[str, Any]:
    """Write a delta of new events and items for the devices that hold a bundle, and measure it.

    A new item has the vector that the bundle's item tower makes of its text (without a tower, the
    mean vector). Biases change where the bundle follows a trend, popularity always.

    Args:
        bundle: Whose devices the delta is for; it stays as it is.
        interactions: Events since the bundle was made: a later delta tells of all of them again,
            and is laid over the bundle or over an earlier delta alike.
        items: Texts of new items.
        out: Where the delta goes.
        replay: Old events: then demand is counted, and old users are measured too.
        config: `[data]`, `[text]` and the seed of `[run]` count.
        say: Called with one line per step.

    Returns:
        The report, `pocketrec.update/1` of docs/update.md.

    Raises:
        BundleError: The bundle is refused, or the delta cannot be written.
        DataError: A table cannot be read, or no interaction is left.
    """
    started = time.perf_counter()
    parent = read_bundle(bundle)
    tables = read_tables(parent.contents.catalogue, interactions, items, replay, config)
    events = arrange(tables, parent.contents.model.window, config.run.seed)
    engine = Engine(parent)
    new = _new_items(engine, tables, config)
    say(f"update: {len(tables.new):,} new events, {len(new):,} new items")
    told = told_of_items(parent, tables, events)
    fresh = engine.with_delta(delta := _delta(engine, new, told))
    with_items = engine.with_delta(make_delta(engine, new))
    measures = {
        name: Measures(
            evaluate(EngineScorer(with_items), queries), evaluate(EngineScorer(fresh), queries)
        ).as_dict()
        for name, queries in tests_of(events)
    }
    fingerprint = write_delta(out, delta)
    return {
        "schema": UPDATE_SCHEMA,
        "parent": parent.manifest.fingerprint,
        "model": fresh.fingerprint,
        "delta": fingerprint,
        **measures,
        "old_measured_on": "old users",
        "new_events": len(tables.new),
        "new_items": len(new),
        "epoch": 0,
        "curve": [],
        "delta_bytes": out.stat().st_size,
        "seconds": time.perf_counter() - started,
        "config": config.as_dict(),
    }


def _new_items(engine: Engine, tables: UpdateTables, config: DistillConfig) -> list[NewItem]:
    """The items beyond the catalogue, by their texts alone."""
    ids, vectors = tables.items.item_ids[tables.known :], vectors_of_new(engine, tables, config)
    return [NewItem(name, vector=vector) for name, vector in zip(ids, vectors, strict=True)]


def _delta(engine: Engine, new: list[NewItem], told: Told) -> CatalogueDelta:
    """The delta that makes a bundle's catalogue, and the new items in it, what is told of them."""
    known = len(engine.catalogue)
    put = [
        replace(
            item,
            bias=float(told.bias[place]),
            popularity=float(told.popularity[place]),
            columns={name: values[place] for name, values in told.columns.items()},
        )
        for place, item in enumerate(new, start=known)
    ]
    bias = told.bias[:known]
    return make_delta(
        engine,
        put,
        known_bias=None if np.array_equal(bias, engine.catalogue.bias) else bias,
        known_popularity=told.popularity[:known],
    )
