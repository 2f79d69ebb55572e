"""What each part of the blend is worth, by the metric itself, on validation queries.

Likelihood gives the weights a start, and the whole its temperature at the end. Alone it listens to
the tail: a part that ranks the head best, but is silent on the rest, is worth less to it than it is
to a list of ten.
"""

import json
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.evaluation.metrics import ndcg_at
from pocketrec_distill.models.base import (
    Floats,
    History,
    PositionScorer,
    Remembering,
    Scorer,
    SequenceScorer,
)
from pocketrec_distill.models.blend import Blend, LogScores, fit_weights, score_floor
from pocketrec_distill.pipeline.linear import linear_key
from pocketrec_distill.pipeline.teachers import TEACHER_BATCH
from pocketrec_distill.progress import progress

if TYPE_CHECKING:
    from pocketrec_distill.pipeline.models import RunModels

# What each weight may become, over the one of highest likelihood; 0 leaves a part out.
FACTORS = (0.0, 0.1, 0.2, 0.35, 0.6, 1.0, 1.7, 3.0, 5.0)
ROUNDS = 4
# A gain below this is noise, and no reason to move a weight.
LEAST_GAIN = 2e-4
# A part that moves scores by less than this share of what all move is not worth its answers.
LEAST_SHARE = 0.01


def choose_weights(
    scores: Sequence[Floats],
    histories: Sequence[History],
    targets: NDArray[np.integer],
) -> tuple[float, ...]:
    """Weights of the parts that rank best on these queries, scaled to be likely.

    Coordinate search on NDCG@10 from the weights of highest likelihood; what is left of a part that
    says next to nothing is dropped. Then one common factor by likelihood, so that the softmax of
    the blend is calibrated.

    Args:
        scores: One float32 (queries, items) per part.
        histories: Item indices seen before each query.
        targets: What came next, (queries,).
    """
    start = fit_weights(scores, histories, targets)
    if not any(start):
        return start
    leads = [_leads(part, histories, targets) for part in scores]
    weights = _climb(np.array(start, dtype=np.float32), leads)
    moved = weights * np.array([np.ptp(part, axis=1).mean() for part in scores])
    # Likelihood never gives a plain 0, and the least weight costs as much to hear as any.
    weights[moved < LEAST_SHARE * moved.sum()] = 0
    mixed = reduce(np.add, (w * part for w, part in zip(weights, scores, strict=True)))
    (factor,) = fit_weights([mixed], histories, targets)
    return tuple(float(factor * weight) for weight in weights)


def _leads(scores: Floats, histories: Sequence[History], targets: NDArray[np.integer]) -> Floats:
    """How far each item's score is above the target's, (queries, items); -inf for seen ones."""
    leads: Floats = scores - scores[np.arange(len(targets)), targets][:, None]
    for row, (history, target) in enumerate(zip(histories, targets, strict=True)):
        leads[row, history] = -np.inf
        leads[row, target] = -np.inf
    return leads


def _climb(start: NDArray[np.float32], leads: Sequence[Floats]) -> NDArray[np.float32]:
    """Coordinate search on NDCG@10: the best factor of each weight in turn."""

    def value(weights: NDArray[np.float32]) -> float:
        heard = [w * part for w, part in zip(weights, leads, strict=True) if w > 0]
        return float(ndcg_at(1 + (reduce(np.add, heard) >= 0).sum(axis=1)).mean())

    weights, best = start.copy(), value(start)
    for _ in range(ROUNDS):
        before = best
        for place in np.flatnonzero(start):
            tried = [weights.copy() for _ in FACTORS]
            for moved, factor in zip(tried, FACTORS, strict=True):
                moved[place] = start[place] * np.float32(factor)
            found = [(value(moved), moved) for moved in tried if moved.any()]
            highest, moved = max(found, key=lambda pair: pair[0])
            if highest > best + LEAST_GAIN:
                best, weights = highest, moved
        if best == before:
            break
    return weights


def blend_parts(models: "RunModels") -> dict[str, PositionScorer]:
    """What may be blended, by name: each listens to something that the others do not hear."""
    linear = Remembering(models.linear.teaching)
    floor = score_floor(linear.scores(models.choices.histories))
    parts: dict[str, PositionScorer] = {
        "teacher": Remembering(SequenceScorer(models.teacher, models.window, TEACHER_BATCH)),
        "control": Remembering(SequenceScorer(models.control, models.window)),
        "linear": linear,
        "log_linear": LogScores(linear, floor),
    }
    if "sasrec" in models.config.teachers.kinds:
        parts["sasrec"] = Remembering(SequenceScorer(models.sasrec, models.window))
    return parts


def blended(models: "RunModels") -> Blend:
    """The parts that a run's settings name, with the weights of a stage."""
    parts, asked = models.heard, models.asked.of_the_blend

    def make(folder: Path) -> None:
        asking = progress(parts.values(), label="blend", unit="part")
        scores = [_scored(part, asked.histories) for part in asking]
        weights = choose_weights(scores, asked.histories, asked.targets)
        (folder / "weights.json").write_text(json.dumps(weights) + "\n", encoding="utf-8")

    key = models.control_key(
        "llm", "teacher", parts=[*parts], least=LEAST_SHARE, **linear_key(models.data)
    )
    folder = models.run.stage("blend", key, make)
    weights = json.loads((folder / "weights.json").read_text(encoding="utf-8"))
    return Blend(tuple(parts.values()), tuple(weights))


def _scored(part: Scorer, histories: Sequence[History]) -> Floats:
    """Scores of all histories; one that stands beside itself is read once."""
    first = [
        place
        for place, history in enumerate(histories)
        if place == 0 or history is not histories[place - 1]
    ]
    repeats = np.diff([*first, len(histories)])
    return np.repeat(part.scores([histories[place] for place in first]), repeats, axis=0)
