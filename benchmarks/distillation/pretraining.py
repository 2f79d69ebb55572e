"""Does continued pretraining help? Item states of the LLM as it is, and after each objective.

Two measures on validation events: the text of the last item alone (cosine of standardised states,
nothing trained), and the text-fed SASRec trained on those states (--control).

    python benchmarks/distillation/pretraining.py --interactions I --items T --run-dir R --out F
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pocketrec_distill.config import load_config
from pocketrec_distill.evaluation.bootstrap import mean_interval, paired_difference
from pocketrec_distill.evaluation.metrics import ndcg_at
from pocketrec_distill.evaluation.ranking import evaluate
from pocketrec_distill.models.base import Floats, History, SequenceScorer
from pocketrec_distill.models.student import standardised
from pocketrec_distill.pipeline.models import RunModels
from pocketrec_distill.pipeline.prepare import prepare
from pocketrec_distill.pipeline.stages import RunDirectory
from pocketrec_distill.placement import set_threads
from pocketrec_distill.pretrain import PretrainSettings

# Name -> changes of [pretrain]; "none" is the LLM as it is.
ARMS: Mapping[str, Mapping[str, Any]] = {
    "none": {"enabled": False},
    "behaviour": {"enabled": True, "text_weight": 0.0},
    "text": {"enabled": True, "behaviour_weight": 0.0},
    "both": {"enabled": True},
}


@dataclass(frozen=True)
class Neighbours:
    """Ranks items by the cosine of their text states to the last item's."""

    unit: Floats

    def scores(self, histories: Sequence[History]) -> Floats:
        """Cosines float32 (histories, items)."""
        last = [int(history[-1]) for history in histories]
        found: Floats = self.unit[last] @ self.unit.T
        return found


def say(line: str) -> None:
    """One line for people."""
    sys.stderr.write(f"{line}\n")


def measured(models: RunModels, *, control: bool) -> dict[str, np.ndarray]:
    """NDCG@10 of each validation query, by what ranks."""
    states = standardised(models.states)
    unit = torch.nn.functional.normalize(states, dim=1).numpy()
    found = {"last item's text": ndcg_at(evaluate(Neighbours(unit), models.data.validation).ranks)}
    if control:
        scorer = SequenceScorer(models.control, models.window)
        found["text-fed SASRec"] = ndcg_at(evaluate(scorer, models.data.validation).ranks)
    return found


def main() -> None:
    """Measure every arm, and write the table as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interactions", type=Path, required=True)
    parser.add_argument("--items", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--steps", type=int, default=PretrainSettings().steps)
    parser.add_argument("--batch", type=int, default=PretrainSettings().batch)
    parser.add_argument("--control", action="store_true", help="train the text-fed SASRec too")
    given = parser.parse_args()
    config = load_config(given.config)
    set_threads(config.run.threads)
    data = prepare(given.interactions, given.items, config, say)
    base = replace(config.pretrain, steps=given.steps, batch=given.batch)
    reference: dict[str, np.ndarray] = {}
    rows: list[dict[str, Any]] = []
    for arm in dict.fromkeys(("none", *given.arms)):
        pretrain = replace(base, **ARMS[arm])
        models = RunModels(
            data, replace(config, pretrain=pretrain), RunDirectory(given.run_dir, say)
        )
        for what, ndcg in measured(models, control=given.control).items():
            reference.setdefault(what, ndcg)
            mean, change = mean_interval(ndcg), paired_difference(ndcg, reference[what])
            rows.append(
                {
                    "arm": arm,
                    "ranked_by": what,
                    "ndcg@10": mean.value,
                    "ci95": [mean.low, mean.high],
                    "difference_to_none": change.value,
                    "difference_ci95": [change.low, change.high],
                    "seconds": models.run.seconds.get("pretrain", 0.0),
                }
            )
            say(json.dumps(rows[-1]))
    result = {
        "data": data.fingerprint,
        "split": f"{config.run.split}, validation, full ranking, seen items excluded",
        "queries": len(data.validation),
        "steps": given.steps,
        "batch": given.batch,
        "config": config.as_dict(),
        "rows": rows,
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
