"""Is a bundle of every event better than the one that was measured? Asked of events after both.

    python benchmarks/distillation/refit.py --interactions I --config C --work FOLDER

The newest events are taken out of the log first: each user's last one under leave-one-out, the last
tenth of the time under a temporal split. What is left is distilled as a user would, with `[run]
refit` off and on: the measured bundle held events of its own out, the refitted one learned them.
Both then rank what came next for the same users, after the same histories.
"""

import argparse
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from pocketrec_distill.config import DistillConfig, load_config
from pocketrec_distill.data import DataSettings, Interactions, ItemTable, clean
from pocketrec_distill.data.inputs import catalogue_of, read_inputs
from pocketrec_distill.evaluation.bootstrap import mean_interval, paired_difference
from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.evaluation.ranking import EngineScorer, evaluate
from pocketrec_distill.pipeline import distill
from pocketrec_distill.update.data import catalogue_places
from pocketrec_runtime import Engine

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runtime"))

from harness import device, write_record

RESULTS = Path(__file__).parent / "results"
# A user keeps enough for the run to hold out two of its own.
MIN_EVENTS, NEWEST = 5, 0.1


def newest(log: Interactions, split: str) -> NDArray[np.bool_]:
    """Which events are taken out, bool (events,)."""
    if split == "temporal":
        taken: NDArray[np.bool_] = log.times >= np.quantile(log.times, 1 - NEWEST)
        return taken
    offsets, _ = log.histories()
    taken = np.zeros(len(log), dtype=np.bool_)
    taken[offsets[1:][np.diff(offsets) >= MIN_EVENTS] - 1] = True
    return taken


def write_tables(log: Interactions, items: ItemTable, kept: NDArray[np.bool_], to: Path) -> None:
    """The kept events, and all items, as Parquet."""
    to.mkdir(parents=True, exist_ok=True)
    events = {
        "user_id": [log.user_ids[user] for user in log.users[kept]],
        "item_id": [log.item_ids[item] for item in log.items[kept]],
        "timestamp": log.times[kept],
        "weight": log.weights[kept],
    }
    parquet.write_table(pa.table(events), to / "events.parquet")
    texts = {
        name: [" ".join(value) if isinstance(value, tuple) else value for value in values]
        for name, values in items.columns.items()
    }
    parquet.write_table(pa.table({"item_id": list(items.item_ids), **texts}), to / "items.parquet")


def asked(log: Interactions, taken: NDArray[np.bool_], ids: tuple[str, ...]) -> QuerySet:
    """What each user met first of the taken events that was new, after all that was kept."""
    places = catalogue_places(log, ids)
    histories, targets = [], []
    offsets, _ = log.histories()
    for start, end in pairwise(offsets.tolist()):
        mine, out = places[start:end], taken[start:end]
        history = mine[~out & (mine >= 0)]
        fresh = [item for item in mine[out].tolist() if item >= 0 and item not in history]
        if len(history) and fresh:
            histories.append(history)
            targets.append(fresh[0])
    return QuerySet(histories, np.array(targets, dtype=np.int64))


def read_clean(
    given: argparse.Namespace, config: DistillConfig
) -> tuple[Interactions, ItemTable, DataSettings]:
    """The log as `distill` would learn from it, the catalogue, and the settings that read them."""
    inputs = read_inputs(given.interactions, given.items, config.data)
    catalogue, _ = catalogue_of(inputs)
    log, _ = clean(inputs.interactions, inputs.settings, frozenset(catalogue.item_ids))
    return log, catalogue, inputs.settings


def measured(given: argparse.Namespace, config: DistillConfig) -> dict[str, Any]:
    """Both bundles made, and asked."""
    log, catalogue, settings = read_clean(given, config)
    taken = newest(log, config.run.split)
    write_tables(log, catalogue, ~taken, given.work)
    config = replace(config, data=DataSettings(baskets=settings.baskets))
    gains, events = {}, {}
    for name, refit in (("measured", False), ("refitted", True)):
        report = distill(
            given.work / "events.parquet",
            given.work / "items.parquet",
            given.work / name,
            config=replace(config, run=replace(config.run, refit=refit)),
            run_dir=given.work / "run",
        )
        engine = Engine.open(given.work / report["gate"]["bundle"])
        queries = asked(log, taken, tuple(engine.catalogue.ids))
        gains[name] = evaluate(EngineScorer(engine), queries).ndcg
        events[name] = report.get("refit", {}).get("events", report["data"]["training_events"])
    return {
        "queries": len(queries),
        "events": events,
        **{name: mean_interval(gain).as_dict() for name, gain in gains.items()},
        "difference": paired_difference(gains["refitted"], gains["measured"]).as_dict(),
    }


def main() -> None:
    """Measure, and write a record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interactions", type=Path, required=True)
    parser.add_argument("--items", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="Where tables and the run lie.")
    parser.add_argument("--threads", type=int, default=0, help="0 takes all cores.")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    config = load_config(given.config)
    # Both bundles are asked, whatever a gate would say.
    run, gate = replace(config.run, threads=given.threads), replace(config.gate, enforce=False)
    name = given.interactions.resolve().name
    record = {
        "command": f"{Path(__file__).name} --interactions {name} --config "
        f"{given.config and given.config.name}",
        "set": name,
        "split": config.run.split,
        "device": device(given.threads),
        **measured(given, replace(config, run=run, gate=gate)),
    }
    write_record(given.results / f"refit-{name}.json", record)


if __name__ == "__main__":
    main()
