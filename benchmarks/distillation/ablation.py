"""Which loss should a student be distilled with? One student per loss and seed, the rest equal.

Everything but the student comes from one run directory: data, text states, and the blend's labels.
A stopped call goes on where it stopped, since every student is a stage of that directory.

    python benchmarks/distillation/ablation.py --interactions I --items T --run-dir RUN --out FILE
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from students_of_a_run import commit, open_run, run_arguments

from pocketrec_distill.evaluation.bootstrap import mean_interval, paired_difference
from pocketrec_distill.evaluation.metrics import ndcg_at
from pocketrec_distill.evaluation.ranking import evaluate
from pocketrec_distill.models.base import SequenceScorer
from pocketrec_distill.models.student import Student
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.training import distillation_training
from pocketrec_distill.training import TrainSettings, fit

# Name -> changes of the student's training; "none" is hard labels alone.
ARMS: Mapping[str, Mapping[str, Any]] = {
    "none": {"teacher_weight": 0.0},
    "kl": {"loss": "kl"},
    "closure": {"loss": "closure"},
    "closure-20": {"loss": "closure", "candidates": 20, "own": 20, "samples": 256},
    "ranking": {"loss": "ranking", "candidates": 20},
    "top-k": {"loss": "top-k"},
}
REFERENCE = "kl"
Ranks = dict[str, NDArray[np.int64]]


def settings_of(models: RunModels, changes: Mapping[str, Any], seed: int) -> TrainSettings:
    """The run's student training with another loss and seed."""
    student, distillation = models.config.student, models.config.distillation
    training = distillation_training(student, distillation, seed)
    return replace(training, dtype=models.dtype, **changes)


def ranks_of(models: RunModels, settings: TrainSettings) -> Ranks:
    """Ranks of validation and test targets by a student trained so; trained once per directory."""
    data, shape = models.data, models.shape

    def make(folder: Path) -> None:
        torch.manual_seed(settings.seed)
        corpus = models.distillation_corpus
        student = Student(data.items, shape, models.features, models.config.student.dropout)
        models.start(student)
        fit(
            student,
            corpus.sequences,
            lambda m: models.ndcg(SequenceScorer(m, models.window)),
            settings,
            weights=corpus.weights,
            labels=models.labelled.labels,
            name=settings.loss,
        )
        scorer = SequenceScorer(student, models.window)
        for split, queries in (("validation", data.validation), ("test", data.test)):
            np.save(folder / f"{split}.npy", evaluate(scorer, queries).ranks)

    key = {**models.student_key, "arm": {**vars(settings), "dtype": str(settings.dtype)}}
    folder = models.run.stage("ablation", key, make)
    return {split: np.load(folder / f"{split}.npy") for split in ("validation", "test")}


def row_of(name: str, found: list[Ranks], reference: list[Ranks]) -> dict[str, Any]:
    """Mean NDCG@10 of an arm and its paired difference to the reference, seeds averaged by user."""
    row: dict[str, Any] = {"loss": name}
    for split in ("validation", "test"):
        ours, theirs = (
            np.mean([ndcg_at(ranks[split]) for ranks in runs], axis=0)
            for runs in (found, reference)
        )
        row[split] = mean_interval(ours).as_dict()
        row[f"{split}_by_seed"] = [float(ndcg_at(ranks[split]).mean()) for ranks in found]
        row[f"{split}_minus_{REFERENCE}"] = paired_difference(ours, theirs).as_dict()
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = [
        f"| loss | validation | test NDCG@10 | 95% | test - {REFERENCE} | 95% |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        test, difference = row["test"], row[f"test_minus_{REFERENCE}"]
        low, high = test["ci95"]
        below, above = difference["ci95"]
        lines.append(
            f"| {row['loss']} | {row['validation']['value']:.4f} | {test['value']:.4f} "
            f"| {low:.4f} to {high:.4f} | {difference['value']:+.4f} "
            f"| {below:+.4f} to {above:+.4f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Read the arguments, train what is missing, write the table."""
    parser = run_arguments(__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--losses", default=",".join(ARMS))
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")]
    models = open_run(given)
    asked = set(given.losses.split(","))
    found: dict[str, list[Ranks]] = {}
    for name, changes in ARMS.items():
        if name in asked | {REFERENCE}:
            found[name] = [ranks_of(models, settings_of(models, changes, s)) for s in seeds]
    rows = [row_of(name, ranks, found[REFERENCE]) for name, ranks in found.items()]
    report = {
        "data": {"items": models.data.items, "test_queries": len(models.data.test)},
        "split": models.config.run.split,
        "seeds": seeds,
        "commit": commit(),
        "rows": rows,
    }
    given.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(table(rows))


if __name__ == "__main__":
    main()
