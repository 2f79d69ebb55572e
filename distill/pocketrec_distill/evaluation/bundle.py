"""Measuring a finished bundle on somebody's interactions, through the runtime alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pocketrec_distill.data import DataSettings, Queries, clean, split_by
from pocketrec_distill.data.inputs import read_inputs, why_timeless
from pocketrec_distill.errors import DataError
from pocketrec_distill.evaluation.metrics import summarise
from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.evaluation.ranking import EngineScorer, evaluate
from pocketrec_runtime import Engine

SPLITS = ("leave-one-out", "temporal")


def evaluate_bundle(
    engine: Engine, interactions: Path, split: str | None, settings: DataSettings
) -> dict[str, Any]:
    """Full-ranking metrics of a bundle on the test events of a split.

    Items that the bundle does not know leave the histories. Events whose item it does not know, or
    that are left without a history, are not evaluated but counted as `queries_unknown`.
    `differs_from_report` says where other users were measured than by the bundle's report; None
    where nothing speaks for it.

    Args:
        engine: The opened bundle.
        interactions: Table of interactions.
        split: "leave-one-out" or "temporal"; None for that of the bundle's report, and
            leave-one-out where it has none.
        settings: How the table is read.

    Raises:
        DataError: The table cannot be read, or has no event to evaluate.
    """
    reported = engine.manifest.metrics
    split = split or reported_split(reported) or SPLITS[0]
    found = held_out_events(engine, interactions, split, settings)
    measured = summarise(evaluate(EngineScorer(engine), found.known))
    return {
        "split": split,
        "model": engine.fingerprint,
        **measured,
        "queries": found.queries,
        "queries_unknown": found.queries - len(found.known),
        "repeats_not_evaluated": found.repeats,
        "cleaning": found.cleaning,
        "differs_from_report": difference_from_report(reported, split, len(found.known)),
    }


def reported_split(metrics: Mapping[str, Any]) -> str | None:
    """The split that a bundle's own metrics are of; None where they name none that there is."""
    split = metrics.get("split")
    return split if split in SPLITS else None


def difference_from_report(metrics: Mapping[str, Any], split: str, users: int) -> str | None:
    """What shows that a measured split is another than that of the bundle's report.

    A bundle remembers its split and how many users were tested, not how its table was read. As
    many users may still be others.

    Args:
        metrics: Of the bundle's manifest: free JSON.
        split: What was measured.
        users: On how many.
    """
    told = reported_split(metrics)
    if told is not None and told != split:
        return f"the report of this bundle is of a {told} split, this is of {split}"
    test = metrics.get("test")
    shipped = test.get("shipped") if isinstance(test, Mapping) else None
    count = shipped.get("users") if isinstance(shipped, Mapping) else None
    if not isinstance(count, int) or count == users:
        return None
    return f"the report of this bundle measured {count:,} test users, this is of {users:,}"


@dataclass(frozen=True)
class HeldOutEvents:
    """The test events of a split, in a bundle's items.

    Attributes:
        known: Those whose item and at least one history item the bundle knows.
        queries: How many there are, known or not.
        repeats: Events that repeat an item of their history; they are not among the queries.
        cleaning: What cleaning dropped, by reason.
    """

    known: QuerySet
    queries: int
    repeats: int
    cleaning: dict[str, Any]


def held_out_events(
    engine: Engine, interactions: Path, split: str, settings: DataSettings
) -> HeldOutEvents:
    """The test events of a split as histories and targets in the items of an opened bundle.

    Raises:
        DataError: The table cannot be read, has no event that the bundle knows, or no times for a
            temporal split.
    """
    inputs = read_inputs(interactions, None, settings, frozenset(engine.catalogue.ids))
    cleaned, account = clean(inputs.interactions, inputs.settings)
    if split == "temporal" and (why := why_timeless(inputs, cleaned, account)):
        raise DataError(f"a temporal split needs times, but {why}")
    index = [engine.catalogue.index_of(item) for item in cleaned.item_ids]
    codes = np.array([-1 if code is None else code for code in index], dtype=np.int32)
    queries = split_by(split, cleaned, baskets=inputs.settings.baskets).test
    known = _known(queries, codes)
    if not len(known):
        raise DataError(
            f"no held-out event has a known history and item in this bundle:\n{account}"
        )
    return HeldOutEvents(known, len(queries), queries.repeats, account.as_dict())


def _known(queries: Queries, codes: np.ndarray) -> QuerySet:
    """The queries whose target and at least one history item are in the catalogue."""
    histories, targets = [], []
    for history, target in zip(queries.histories, queries.targets.tolist(), strict=True):
        inside = codes[history]
        inside = inside[inside >= 0]
        if codes[target] >= 0 and len(inside):
            histories.append(inside)
            targets.append(int(codes[target]))
    return QuerySet(histories, np.array(targets, dtype=np.int64))
