"""Quality beside RecTools' SASRec: the same training histories, the same test queries, paired.

    python benchmarks/peers/sasrec_quality.py --interactions I --items T --bundle office.bundle

RecTools trains in an environment of its own (under build/peers, made once) on exactly what
pocketrec's protocol gives for training, is validated after each epoch on the validation queries,
and the best epoch of the best width answers the test queries. Neither side sees a test target.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runtime"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import environments
import harness
import numpy as np
from exchange import Exchange, Histories, Ints, check_answers, ranks_in
from pages import cell, put_between

from pocketrec_distill.config import load_config
from pocketrec_distill.evaluation.bootstrap import (
    mean_interval,
    paired_difference,
)
from pocketrec_distill.evaluation.metrics import ndcg_at, recall_at
from pocketrec_distill.evaluation.ranking import EngineScorer, evaluate
from pocketrec_distill.pipeline.dataset import Dataset
from pocketrec_distill.pipeline.prepare import prepare
from pocketrec_runtime import Engine

HERE = environments.HERE
ROOT = HERE.parents[1]
BEGIN, END = "<!-- quality -->", "<!-- end quality -->"


def say(line: str) -> None:
    """One line for people."""
    sys.stderr.write(f"{line}\n")


def trained(python: Path, folder: Path, width: int, given: argparse.Namespace) -> dict[str, Any]:
    """RecTools' SASRec of one width: what it says of itself; its answers lie in the folder."""
    script = str(HERE / "train_rectools.py")
    options = {
        "--width": width, "--dropout": given.dropout, "--batch": given.batch,
        "--epochs": given.epochs, "--patience": given.patience, "--threads": given.threads,
        "--seed": given.seed,
    }  # fmt: skip
    words = [str(word) for pair in options.items() for word in pair]
    say(f"RecTools SASRec, width {width}")
    done = subprocess.run(
        [str(python), script, str(folder), *words],
        env={**os.environ, "PYTHONPATH": str(HERE), "OMP_NUM_THREADS": str(given.threads)},
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    about: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return about


def answered(folder: Path, width: int, data: Dataset) -> Ints:
    """Ranks of the test targets in RecTools' answers, which are checked first."""
    with np.load(folder / f"answers-{width}.npz") as arrays:
        answers = arrays["answers"]
    check_answers(answers, Histories.of(data.test.histories), data.items)
    return ranks_in(answers, data.test.targets)


def shipped(engine: Engine, data: Dataset) -> Ints:
    """Ranks of the test targets by the bundle, through the runtime.

    Raises:
        SystemExit: The bundle's catalogue is not the one of these tables.
    """
    if tuple(engine.catalogue.ids) != tuple(data.item_ids):
        raise SystemExit("the bundle holds other items than these tables; distil it from them")
    return evaluate(EngineScorer(engine), data.test).ranks


def measured(ranks: Mapping[str, Ints]) -> dict[str, Any]:
    """NDCG@10 and recall@10 of each side with 95% intervals, and the paired difference."""
    ours, theirs = (ndcg_at(ranks[name]) for name in ("pocketrec", "rectools"))
    sides = {
        name: {
            "ndcg@10": mean_interval(ndcg_at(found)).as_dict(),
            "recall@10": mean_interval(recall_at(found)).as_dict(),
        }
        for name, found in ranks.items()
    }
    return {
        "queries": len(ours),
        **sides,
        "ndcg@10_difference": paired_difference(ours, theirs).as_dict(),
    }


def best_run(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run with the highest validation NDCG@10 of its best epoch; the first of equals."""
    return max(runs, key=lambda run: max(run["validation_ndcg@10"]))


def table(record: Mapping[str, Any]) -> str:
    """Both sides and their difference in Markdown."""
    result, chosen = record["results"], record["rectools"]["chosen"]
    settings = chosen["settings"]
    model = f"RecTools {chosen['versions']['rectools']} SASRec, {settings['n_factors']} wide"
    rows = [("pocketrec bundle", result["pocketrec"]), (model, result["rectools"])]
    lines = [
        f"| {record['set']}, {result['queries']:,} test queries | NDCG@10 | recall@10 |",
        "| --- | --- | --- |",
    ]
    for name, side in rows:
        lines.append(f"| {name} | {cell(side['ndcg@10'])} | {cell(side['recall@10'])} |")
    lines.append(f"| difference, paired | {cell(result['ndcg@10_difference'], sign=True)} |  |")
    return "\n".join(lines)


def figures(record: Mapping[str, Any]) -> str:
    """What the README shows of a record."""
    device, chosen = record["device"], record["rectools"]["chosen"]
    tried = ", ".join(
        f"{run['settings']['n_factors']} wide {max(run['validation_ndcg@10']):.4f} (epoch "
        f"{run['best_epoch']} of {len(run['validation_ndcg@10'])}, {run['train_seconds']:.0f} s)"
        for run in record["rectools"]["tried"]
    )
    origin = (
        f"Commit {record['commit'][:12]}; {device['cpu']}, {device['threads']} threads; bundle "
        f"{record['bundle'][:12]}. Validation NDCG@10 of each width tried: {tried}. Loss "
        f"{chosen['settings']['loss']}, histories of {chosen['settings']['session_max_len']}, "
        f"dropout {chosen['settings']['dropout_rate']}, batch {chosen['settings']['batch_size']}."
    )
    return f"{table(record)}\n\n{origin}"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interactions", type=Path, required=True)
    parser.add_argument("--items", type=Path)
    parser.add_argument("--bundle", type=Path, required=True, help="distilled from these tables")
    parser.add_argument("--config", type=Path, help="settings that the bundle was distilled with")
    parser.add_argument("--widths", default="64,128,256", help="tried; default: %(default)s")
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--batch", type=int, default=128, help="users; default: %(default)s")
    parser.add_argument("--epochs", type=int, default=100, help="at most; default: %(default)s")
    parser.add_argument("--patience", type=int, default=10, help="epochs without a better one")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "peers")
    parser.add_argument("--envs", type=Path, help="environments; BUILD/envs where not given")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--write-readme", action="store_true", help="put the table there")
    return parser.parse_args()


def main() -> None:
    """Train, ask both, print the table, write the record."""
    given = arguments()
    config = load_config(given.config)
    data = prepare(given.interactions, given.items, config, say)
    name = given.interactions.resolve().parent.name
    folder = given.build / f"quality-{name}"
    train, validation, test = (
        Histories.of(histories)
        for histories in (data.train, data.validation.histories, data.test.histories)
    )
    Exchange(train, validation, data.validation.targets, test).write(folder / "exchange.npz")
    engine = Engine.open(given.bundle)
    ours = shipped(engine, data)
    envs = given.envs or given.build / "envs"
    python = environments.python_of("rectools", environments.PEERS["rectools"], envs)
    widths = [int(width) for width in given.widths.split(",")]
    runs = [trained(python, folder, width, given) for width in widths]
    chosen = best_run(runs)
    theirs = answered(folder, chosen["settings"]["n_factors"], data)
    record = {
        "benchmark": "quality beside RecTools SASRec",
        "set": name,
        "split": config.run.split,
        "device": harness.device(given.threads),
        "commit": harness.commit(),
        "bundle": engine.fingerprint,
        "rectools": {"tried": runs, "chosen": chosen},
        "results": measured({"pocketrec": ours, "rectools": theirs}),
    }
    print(table(record))
    path = given.results / f"quality-{name}.json"
    harness.write_record(path, record)
    say(f"record: {path}")
    if given.write_readme:
        put_between(HERE / "README.md", BEGIN, END, figures(record))


if __name__ == "__main__":
    main()
