"""What a bundle gains when it hears of newer events: its trend renewed, and updated with training.

    python benchmarks/distillation/freshness.py --interactions I --config C --bundle B --work FOLDER

The bundle is one of a temporal split, which learned nothing of the validation period. `pocketrec
update` is given that period's events: once for a delta, which renews the trend, once with all of
its passes. All three rank the run's test queries, whose histories hold these events.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from pocketrec_distill.config import DistillConfig, load_config
from pocketrec_distill.evaluation.bootstrap import mean_interval, paired_difference
from pocketrec_distill.evaluation.ranking import EngineScorer, evaluate
from pocketrec_distill.pipeline.freshen import freshen_bundle
from pocketrec_distill.pipeline.prepare import prepare
from pocketrec_distill.pipeline.run_root import say_on_stderr
from pocketrec_distill.pipeline.update import update_bundle
from pocketrec_runtime import Engine, read_delta

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runtime"))

from harness import device, write_record
from refit import RESULTS, read_clean, write_tables

# Where the temporal split cuts: quantiles of the times of all events.
VALIDATION = (0.8, 0.9)


def measured(given: argparse.Namespace, config: DistillConfig) -> dict[str, Any]:
    """The bundle as it is, and both updates of it, asked what came in the test period."""
    log, catalogue, _ = read_clean(given, config)
    opens, closes = np.quantile(log.times, VALIDATION)
    newer = (log.times >= opens) & (log.times < closes)
    write_tables(log, catalogue, newer, given.work)
    data = prepare(given.interactions, given.items, config, say_on_stderr)
    events, delta, out = (given.work / name for name in ("events.parquet", "delta", "bundle"))
    engine = Engine.open(given.bundle)
    if tuple(engine.catalogue.ids)[: len(data.item_ids)] != data.item_ids:
        raise SystemExit(
            f"{given.bundle.name} has another catalogue; give the run's own data and config"
        )
    own = DistillConfig(update=config.update)
    renewed = freshen_bundle(given.bundle, events, None, delta, config=own)
    updated = update_bundle(given.bundle, events, None, out, config=own)
    ranked = {
        "as it was": engine,
        "trend renewed": engine.with_delta(read_delta(delta)),
        "updated": Engine.open(out),
    }
    gains = {name: evaluate(EngineScorer(by), data.test).ndcg for name, by in ranked.items()}
    seconds = {"trend renewed": renewed["seconds"], "updated": updated["seconds"]}
    return {
        "queries": len(data.test),
        "new_events": int(newer.sum()),
        "seconds": seconds,
        "bytes": {
            "trend renewed": renewed["delta_bytes"],
            "updated": updated["bundle_bytes"],
        },
        **{name: mean_interval(gain).as_dict() for name, gain in gains.items()},
        "differences": {
            name: paired_difference(gains[name], gains["as it was"]).as_dict() for name in seconds
        },
    }


def main() -> None:
    """Measure, and write a record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interactions", type=Path, required=True)
    parser.add_argument("--items", type=Path)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="Where tables and bundles lie.")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    config = load_config(given.config)
    name = given.interactions.resolve().name
    record = {
        "command": f"{Path(__file__).name} --interactions {name} --config {given.config.name}",
        "set": name,
        "device": device(0),
        **measured(given, config),
    }
    write_record(given.results / f"freshness-{name}.json", record)


if __name__ == "__main__":
    main()
