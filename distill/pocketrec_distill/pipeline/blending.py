"""What each part of the blend is worth, by the metric itself, on validation queries.

Likelihood gives the weights a start, and the whole its temperature at the end. Alone it listens to
the tail: a part that ranks the head best, but is silent on the rest, is worth less to it than it is
to a list of ten. The metric also says whether sequence models take items that they have not seen
for their neighbours by text: some texts tell what an item is, others hardly more than a name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.evaluation.bootstrap import paired_difference
from pocketrec_distill.evaluation.metrics import ndcg_at
from pocketrec_distill.models.base import (
    BATCH,
    Fill,
    Floats,
    History,
    PositionScorer,
    Remembering,
    Scorer,
    SequenceModel,
    SequenceScorer,
    as_they_are,
)
from pocketrec_distill.models.blend import LogScores, blocks, fit_weights, score_floor
from pocketrec_distill.models.nearest_known import NEIGHBOURS, NearestKnown
from pocketrec_distill.models.read_once import ReadOnce
from pocketrec_distill.pipeline.dataset import Dataset
from pocketrec_distill.pipeline.linear import linear_key
from pocketrec_distill.pipeline.teachers import TEACHER_BATCH
from pocketrec_distill.progress import progress
from pocketrec_distill.teachers.settings import part_names

if TYPE_CHECKING:
    from pocketrec_distill.pipeline.models import RunModels

# What each weight may become, over the one of highest likelihood; 0 leaves a part out.
FACTORS = (0.0, 0.1, 0.2, 0.35, 0.6, 1.0, 1.7, 3.0, 5.0)
ROUNDS = 4
# A gain below this is noise, and no reason to move a weight.
LEAST_GAIN = 2e-4
# A part that moves scores by less than this share of what all move is not worth its answers.
LEAST_SHARE = 0.01
# Makes the stages anew that a blend decides over.
RECIPE = {"least": LEAST_SHARE, "nearest known": NEIGHBOURS, "thrift": "95% interval"}
# Parts that score with item vectors, learned from sequences.
LLM = "teacher"
SEQUENTIAL = {LLM, "control", "sasrec"}


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
    ahead = [leads(part, histories, targets) for part in scores]
    weights = _climb(np.array(start, dtype=np.float32), ahead)
    moved = weights * np.array([np.ptp(part, axis=1).mean() for part in scores])
    # Likelihood never gives a plain 0, and the least weight costs as much to hear as any.
    weights[moved < LEAST_SHARE * moved.sum()] = 0
    (factor,) = fit_weights([_mixed(weights, scores)], histories, targets)
    return tuple(float(factor * weight) for weight in weights)


@dataclass(frozen=True)
class BlendChoice:
    """What validation chose of a blend.

    Attributes:
        weights: Of the parts that are named, in their order.
        nearest: Whether sequence models take unknown items for their neighbours (`NearestKnown`).
    """

    weights: tuple[float, ...]
    nearest: bool

    def fill(self, data: Dataset) -> Fill:
        """What the item vectors of sequence models become as parts of the blend."""
        return data.nearest.fill if self.nearest else as_they_are


def choose_blend(
    scores: dict[str, Floats],
    nearest: NearestKnown,
    histories: Sequence[History],
    targets: NDArray[np.integer],
) -> BlendChoice:
    """Weights of the parts, and whether the vectors of unknown items are filled.

    They are where, at the weights found without, that ranks better by more than noise. The LLM is
    heard where the 95% interval of what it brings is above 0.

    Args:
        scores: float32 (queries, items) of each part by name; filled where that is chosen.
        nearest: What stands for unknown items.
        histories: Item indices seen before each query.
        targets: What came next, (queries,).
    """
    weights = choose_weights([*scores.values()], histories, targets)
    fills = len(nearest.unknown) > 0 and _fills(weights, scores, nearest, histories, targets)
    if fills:
        for name in SEQUENTIAL & scores.keys():
            scores[name] = nearest.fill_scores(scores[name])
        weights = choose_weights([*scores.values()], histories, targets)
    return BlendChoice(_thrifty(weights, scores, histories, targets), fills)


def _fills(
    weights: Sequence[float],
    scores: Mapping[str, Floats],
    nearest: NearestKnown,
    histories: Sequence[History],
    targets: NDArray[np.integer],
) -> bool:
    """Whether the blend ranks better with unknown items filled, at these weights."""
    sequences, others = np.zeros((2, *next(iter(scores.values())).shape), dtype=np.float32)
    for name, weight in zip(scores, weights, strict=True):
        (sequences if name in SEQUENTIAL else others)[:] += np.float32(weight) * scores[name]
    plain, filled = (
        gains(leads(others + part, histories, targets)).mean()
        for part in (sequences, nearest.fill_scores(sequences))
    )
    return bool(filled > plain + LEAST_GAIN)


def _thrifty(
    weights: tuple[float, ...],
    scores: Mapping[str, Floats],
    histories: Sequence[History],
    targets: NDArray[np.integer],
) -> tuple[float, ...]:
    """The weights without the LLM, unless that ranks worse beyond doubt.

    Where it is heard, most of what labels and the answers of a server cost is its reading.
    """
    if not dict(zip(scores, weights, strict=True)).get(LLM):
        return weights
    # Also what said nothing beside the LLM, which may have said the same.
    others = {name: part for name, part in scores.items() if name != LLM}
    left = dict(zip(others, choose_weights([*others.values()], histories, targets), strict=True))
    if not any(left.values()):
        return weights
    without = tuple(left.get(name, 0.0) for name in scores)
    gained, lost = (
        gains(leads(_mixed(found, [*scores.values()]), histories, targets))
        for found in (weights, without)
    )
    return weights if paired_difference(gained, lost).low > 0 else without


def _mixed(weights: Sequence[float] | Floats, parts: Sequence[Floats]) -> Floats:
    """The weighted sum of parts, float32 in their shape; those of weight 0 are not looked at."""
    heard = ((np.float32(w), part) for w, part in zip(weights, parts, strict=True) if w)
    mixed: Floats = reduce(np.add, (weight * part for weight, part in heard))
    return mixed


def gains(ahead: Floats) -> NDArray[np.float64]:
    """NDCG@10 of each query, given how far each item is above the target."""
    return ndcg_at(1 + (ahead >= 0).sum(axis=1))


def leads(scores: Floats, histories: Sequence[History], targets: NDArray[np.integer]) -> Floats:
    """How far each item's score is above the target's, (queries, items); -inf for seen ones."""
    ahead: Floats = scores - scores[np.arange(len(targets)), targets][:, None]
    for row, (history, target) in enumerate(zip(histories, targets, strict=True)):
        ahead[row, history] = -np.inf
        ahead[row, target] = -np.inf
    return ahead


def _climb(start: NDArray[np.float32], ahead: Sequence[Floats]) -> NDArray[np.float32]:
    """Coordinate search on NDCG@10: the best factor of each weight in turn."""
    weights, best = start.copy(), _value(start, ahead)
    for _ in range(ROUNDS):
        before = best
        for place in np.flatnonzero(start).tolist():
            # The other parts stay as they are while this one is weighed.
            others = np.where(np.arange(len(weights)) == place, 0, weights)
            rest = [_mixed(others, ahead)] if others.any() else []
            tried = start[place] * np.array(FACTORS, dtype=np.float32)
            tried = tried if rest else tried[tried > 0]
            parts = [*rest, ahead[place]]
            found = [_value([*np.ones(len(rest)), weight], parts) for weight in tried]
            highest = int(np.argmax(found))
            if found[highest] > best + LEAST_GAIN:
                best, weights[place] = found[highest], tried[highest]
        if best == before:
            break
    return weights


def _value(weights: Sequence[float] | Floats, ahead: Sequence[Floats]) -> float:
    """Mean NDCG@10 of the parts at these weights; those of weight 0 are not looked at."""
    found = [gains(_mixed(weights, [part[at] for part in ahead])) for at in blocks(*ahead[0].shape)]
    return float(np.concatenate(found).mean())


def blend_parts(models: "RunModels", fill: Fill) -> dict[str, PositionScorer]:
    """What may be blended, by name: each listens to something that the others do not hear.

    Args:
        models: The run.
        fill: What the item vectors of sequence models become.
    """

    def sequential(model: SequenceModel) -> PositionScorer:
        return Remembering(SequenceScorer(model, models.window, BATCH, fill))

    linear = Remembering(models.linear.teaching)
    floor = score_floor(linear.scores(models.choices.histories))
    llm = ReadOnce(models.teacher, models.window, TEACHER_BATCH, fill)
    parts: dict[str, PositionScorer] = {
        "teacher": Remembering(llm),
        "control": sequential(models.control),
        "linear": linear,
        "log_linear": LogScores(linear, floor),
    }
    if "sasrec" in models.config.teachers.kinds:
        parts["sasrec"] = sequential(models.sasrec)
    return parts


def heard(models: "RunModels", parts: Mapping[str, PositionScorer]) -> dict[str, PositionScorer]:
    """The parts that `[teachers] kinds` names."""
    names = part_names(models.config.teachers.kinds)
    return {name: part for name, part in parts.items() if name in names}


def blend_key(models: "RunModels") -> dict[str, Any]:
    """What decides over the choice, besides the keys of the sequence models."""
    names = sorted(part_names(models.config.teachers.kinds))
    return {"parts": names, "blend": RECIPE, **linear_key(models.data)}


def chosen(models: "RunModels") -> BlendChoice:
    """The choice of the parts that a run's settings name: a stage."""

    def make() -> dict[str, Any]:
        asked = models.asked.of_the_blend
        parts = heard(models, blend_parts(models, as_they_are))
        asking = progress(parts.items(), label="blend", unit="part")
        scores = {name: scored(part, asked.histories) for name, part in asking}
        return asdict(choose_blend(scores, models.data.nearest, asked.histories, asked.targets))

    key = models.control_key("llm", "teacher", **blend_key(models))
    found = models.run.value("blend", key, "choice.json", make)
    return BlendChoice(tuple(found["weights"]), found["nearest"])


def scored(part: Scorer, histories: Sequence[History]) -> Floats:
    """Scores of all histories; one that stands beside itself is read once."""
    first = [
        place
        for place, history in enumerate(histories)
        if place == 0 or history is not histories[place - 1]
    ]
    repeats = np.diff([*first, len(histories)])
    return np.repeat(part.scores([histories[place] for place in first]), repeats, axis=0)
