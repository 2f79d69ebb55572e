"""What asking a server for some requests brings: the deferral policy of a finished run.

python benchmarks/deferral/run.py NAME --interactions I [--items T] --run-dir RUN
    (--bundle BUNDLE | --preset PRESET) [--scores FILE.npz] [--results DIR] [--readme FILE]

The server is the run's blend, the device its bundle, or a student of another preset, distilled from
the run's labels and kept in its directory. The policy is fitted on validation queries, as
`pocketrec distill` fits it, and measured on test queries once. Nothing else is trained: a stage
that an older version made is taken by its name, and NDCG@10 on validation must be the report's.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "distillation"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runtime"))

from harness import device, write_record
from pages import put_between
from students_of_a_run import of_preset

from pocketrec_distill.config import DistillConfig, config_from_mapping
from pocketrec_distill.deferral import SHARES, Beliefs, most_kept
from pocketrec_distill.evaluation.metrics import RankingMetrics, ranks_of_targets
from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.evaluation.ranking import EngineScorer
from pocketrec_distill.models.base import Floats, History
from pocketrec_distill.pipeline.deferral import deferral_report, fitted_policy, seen_by
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.prepare import prepare
from pocketrec_distill.pipeline.run_root import say_on_stderr
from pocketrec_distill.pipeline.ship import Shipping
from pocketrec_distill.pipeline.stages import RunDirectory
from pocketrec_distill.presets import PRESETS
from pocketrec_distill.report.sections import deferral_drawing
from pocketrec_runtime import Engine
from pocketrec_runtime.bundle import assemble

HERE = Path(__file__).resolve().parent
MARKS = ("<!-- deferral: begin, written by run.py -->", "<!-- deferral: end -->")
BATCH = 256
SPLITS = ("validation", "test")


class FinishedRun(RunDirectory):
    """A run directory of which stages are taken by their names; none is made."""

    def stage(
        self,
        name: str,
        key: Mapping[str, Any],  # noqa: ARG002 - what an older version made has another
        make: Callable[[Path], None],  # noqa: ARG002
        *,
        together: bool = False,  # noqa: ARG002
    ) -> Path:
        """The folder of a stage.

        Raises:
            SystemExit: There is none, or more than one.
        """
        found = [path for path in self.root.glob(f"{name}-*") if path.is_dir()]
        found = [path for path in found if path.name[len(name) + 1 :].isalnum()]
        if len(found) != 1:
            raise SystemExit(f"{self.root} has {len(found)} stages {name}; one is needed")
        return found[0]


class Kept:
    """Scores of queries that were computed before, in their order."""

    def __init__(self, scores: Floats) -> None:
        self._scores, self._next = scores, 0

    def scores(self, histories: Sequence[History]) -> Floats:
        """The next ones."""
        start, self._next = self._next, self._next + len(histories)
        return self._scores[start : self._next]


def main() -> None:
    """Measures, prints and records."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("--interactions", type=Path, required=True)
    parser.add_argument("--items", type=Path)
    parser.add_argument("--run-dir", type=Path, required=True)
    student = parser.add_mutually_exclusive_group(required=True)
    student.add_argument("--bundle", type=Path, help="what the run shipped")
    student.add_argument("--preset", choices=PRESETS, help="another student of the run")
    parser.add_argument("--scores", type=Path, help="kept here, and read where it is there")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--readme", type=Path, default=HERE / "README.md")
    options = parser.parse_args()
    run = FinishedRun(options.run_dir, say_on_stderr)
    report = json.loads((options.run_dir / "report.json").read_text(encoding="utf-8"))
    config = known_settings(report["config"])
    torch.set_num_threads(1)
    data = prepare(options.interactions, options.items, config, say_on_stderr)
    models = RunModels(data, config, run)
    engine = Engine.open(options.bundle) if options.bundle else student_of(models, options.preset)
    scores = scores_of(options, models, engine, report)
    record = measured(engine, scores)
    record |= {"set": options.name, "bundle": engine.fingerprint, "device": device()}
    options.results.mkdir(parents=True, exist_ok=True)
    write_record(options.results / f"{options.name}.json", record)
    drawing = deferral_drawing(record["deferral"])
    if drawing:
        (options.results / f"{options.name}.svg").write_text(f"{drawing}\n", encoding="utf-8")
    put_between(
        options.readme, *MARKS, "\n\n".join(map(table, sorted(options.results.glob("*.json"))))
    )
    print(table(options.results / f"{options.name}.json"))


def student_of(models: RunModels, preset: str) -> Engine:
    """What would be shipped of another preset."""
    run = RunDirectory(models.run.root, say_on_stderr)
    shipping = Shipping(of_preset(models, preset, run))
    return Engine(assemble(shipping.contents(next(v for v in shipping.variants() if v.shipped))))


def scores_of(
    options: argparse.Namespace, models: RunModels, engine: Engine, report: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Histories, targets, and scores of blend and bundle for all queries of both splits."""
    if options.scores is not None and options.scores.exists():
        return dict(np.load(options.scores))
    data = models.data
    found: dict[str, np.ndarray] = {}
    blend = models.trend.beside(models.blend, data)
    for split, queries in (("validation", data.validation), ("test", data.test)):
        for name, scorer in (("blend", blend), ("shipped", EngineScorer(engine))):
            starts = range(0, len(queries), BATCH)
            batches = [scorer.scores(queries.histories[at : at + BATCH]) for at in starts]
            found[f"{split}_{name}"] = np.concatenate(batches).astype(np.float32)
        found[f"{split}_targets"] = queries.targets
        found[f"{split}_flat"] = np.concatenate(queries.histories)
        found[f"{split}_len"] = np.array([len(history) for history in queries.histories])
    same_as(report, found, ("blend", "shipped") if options.bundle else ("blend",))
    if options.scores is not None:
        np.savez(options.scores, **found)
    return found


def known_settings(values: Mapping[str, Mapping[str, Any]]) -> DistillConfig:
    """The settings of an older run, as far as they are still settings."""
    known = DistillConfig().as_dict()
    return config_from_mapping(
        {
            section: {key: value for key, value in inner.items() if key in known[section]}
            for section, inner in values.items()
            if section in known
        }
    )


def same_as(
    report: Mapping[str, Any], scores: Mapping[str, np.ndarray], names: Sequence[str]
) -> None:
    """Refuse scores that are not those of the run.

    Raises:
        SystemExit: Validation NDCG@10 differs from the report's.
    """
    for name in names:
        was, now = report["validation"][name]["ndcg@10"], metrics(scores, "validation", name)
        if abs(was - now.ndcg.mean()) > 5e-4:
            raise SystemExit(f"{name}: NDCG@10 {now.ndcg.mean():.4f}, the report says {was:.4f}")


def queries_of(scores: Mapping[str, np.ndarray], split: str) -> QuerySet:
    """The queries of a split."""
    ends = np.cumsum(scores[f"{split}_len"])[:-1]
    return QuerySet(np.split(scores[f"{split}_flat"], ends), scores[f"{split}_targets"])


def metrics(scores: Mapping[str, np.ndarray], split: str, name: str) -> RankingMetrics:
    """Metrics of one model on one split; its coverage is not looked at."""
    queries = queries_of(scores, split)
    found = ranks_of_targets(scores[f"{split}_{name}"], queries.histories, queries.targets)
    return RankingMetrics(found, 0.0)


def measured(engine: Engine, scores: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The policy, fitted and measured."""
    found = {split: {name: metrics(scores, split, name) for name in ("blend", "shipped")}
             for split in SPLITS}  # fmt: skip
    queries = {split: queries_of(scores, split) for split in SPLITS}
    beliefs = {split: Beliefs(Kept(scores[f"{split}_blend"])) for split in SPLITS}
    for split in SPLITS:
        beliefs[split].scores(queries[split].histories)
    validation, test = found["validation"], found["test"]
    policy = fitted_policy(
        engine, queries["validation"], beliefs["validation"],
        validation["shipped"], validation["blend"], 0,
    )  # fmt: skip
    ranked = [seen_by(engine, history, 0)[1] for history in queries["test"].histories]
    expected = [beliefs["test"].gain(place, items) for place, items in enumerate(ranked)]
    return {
        "ndcg@10": {split: {name: float(m.ndcg.mean()) for name, m in by.items()}
                    for split, by in found.items()},
        "queries": {split: len(queries[split]) for split in SPLITS},
        "policy": policy.as_dict(),
        "deferral": deferral_report(
            engine, policy, queries["test"], test["shipped"], test["blend"]
        ),
        "most_kept": dict(zip(map(str, SHARES), most_kept(np.array(expected)), strict=True)),
    }  # fmt: skip


def table(path: Path) -> str:
    """A record for people."""
    record = json.loads(path.read_text(encoding="utf-8"))
    ndcg, report = record["ndcg@10"], record["deferral"]
    lines = [
        f"**{record['set']}**: NDCG@10 on validation {ndcg['validation']['shipped']:.4f} (device), "
        f"{ndcg['validation']['blend']:.4f} (server); on test {ndcg['test']['shipped']:.4f}, "
        f"{ndcg['test']['blend']:.4f}; {record['queries']['test']:,} test queries, "
        f"commit {record['commit'][:10]}.",
        "",
    ]
    if not report["validation"]:
        lines += ["No share of requests was shown to gain on validation: the policy defers "
                  "nothing.", ""]  # fmt: skip
    lines += [
        "| Deferred | Validation gain, cross-fitted | Test gain | Random | Of the gain of all "
        "| At most, expected |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    steps = {step["share"]: step for step in report["validation"]}
    whole = report["test"][-1]["gain"]
    alone = report["test"][0]["ndcg"]
    for point in report["test"][1:]:
        step = steps.get(point["share"])
        before = (
            "not shown"
            if step is None
            else f"{step['gain']:+.4f} ({step['low']:+.4f} to {step['high']:+.4f})"
        )
        low, high = point["ci95"]
        part = f"{point['gain'] / whole:.0%}" if whole > 0 else "-"
        gain = f"{point['gain']:+.4f} ({low:+.4f} to {high:+.4f})"
        random = f"{point['random'] - alone:+.4f}"
        most = f"{record['most_kept'][str(point['share'])]:.0%}"
        lines.append(f"| {point['share']:.0%} | {before} | {gain} | {random} | {part} | {most} |")
    if report["validation"]:
        last = report["chosen"][-1]
        lines += [
            "",
            f"The threshold of {last['share']:.0%} picks {last['deferred']:.1%} of the test "
            f"queries, gain {last['gain']:+.4f}.",
        ]
        lines += ["", f"![NDCG@10 against the share deferred](results/{record['set']}.svg)"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
