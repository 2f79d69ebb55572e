"""Whether a run follows the trend of demand, and how far: by validation.

What was wanted lately is wanted now; how long that lasts, data tell: a shop's season, a news day.
The trend is a bias of each item (`models.trend`) beside what the blend says of histories, and so
beside what the student learns from it. It costs a device nothing, and new events renew it without
any training.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.evaluation.bootstrap import Interval, mean_interval
from pocketrec_distill.models.base import Floats, History, PositionScorer
from pocketrec_distill.models.trend import Biased, Demand
from pocketrec_distill.pipeline.blending import blend_key, gains, leads, scored
from pocketrec_distill.pipeline.dataset import Dataset

if TYPE_CHECKING:
    from pocketrec_distill.pipeline.models import RunModels

# Ages at which an event counts half, as shares of the time that training spans.
HALF_LIVES = (0.003, 0.01, 0.03, 0.1)
# Of the trend's logits; 1 is what theory says where the future is like the very last days.
WEIGHTS = (0.15, 0.3, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Trend:
    """How far a run follows the trend.

    Attributes:
        weight: Of the trend's logits beside those of the blend; 0 where it is not followed.
        half_life: Age at which an event counts half, in seconds.
        gain: NDCG@10 that it brings on validation, see `choose_trend`.
    """

    weight: float = 0.0
    half_life: float = 0.0
    gain: Interval = field(default=Interval(0.0, 0.0, 0.0))

    def bias(self, data: Dataset) -> Floats:
        """What is added to the blend's logits, float32 (items,)."""
        if not self.weight:
            return np.zeros(data.items, dtype=np.float32)
        return np.float32(self.weight) * self._demand(data).logits

    def beside(self, scorer: PositionScorer, data: Dataset) -> PositionScorer:
        """A blend, or what else has its logits, with the trend."""
        return Biased(scorer, self.bias(data)) if self.weight else scorer

    def popularity(self, data: Dataset) -> Floats:
        """Share of each item in demand, float32 (items,): recent where the trend is followed."""
        if self.weight:
            return self._demand(data).shares
        counts = data.counts
        shares: Floats = (counts / max(1, counts.sum())).astype(np.float32)
        return shares

    def _demand(self, data: Dataset) -> Demand:
        half_life = self.half_life / data.span
        return Demand.of(data.train, data.train_ages, data.items, half_life)

    @property
    def key(self) -> dict[str, Any]:
        """Of stages that rank with it; nothing where it is not followed."""
        return {"trend": (self.weight, self.half_life)} if self.weight else {}

    def as_dict(self) -> dict[str, Any]:
        """The form that stands in reports."""
        return {**asdict(self), "gain": self.gain.as_dict()}


def choose_trend(
    blended: Floats, histories: Sequence[History], targets: NDArray[np.integer], data: Dataset
) -> Trend:
    """The trend that ranks best beside a blend, if what it brings has a 95% interval above 0.

    A model is asked later than on the day after its training. The trend that is weighed here
    therefore knows no newer events than are as long before validation as the test is behind it.
    The best of many is partly luck: what it brings is measured on each half of the queries by the
    choice that the other half would make.

    Args:
        blended: Scores of the blend float32 (queries, items).
        histories: Item indices seen before each query.
        targets: What came next, (queries,).
        data: What was trained on, with the ages of its events.
    """
    if len(targets) < 2:
        return Trend()  # there are no two halves
    without = leads(blended, histories, targets)
    choices, found = [(0.0, 0.0)], [gains(without)]
    for half_life in HALF_LIVES:
        demand = Demand.of(data.train, data.train_ages, data.items, half_life, data.shelf)
        ahead = demand.logits - demand.logits[targets][:, None]
        for weight in WEIGHTS:
            choices.append((weight, half_life * data.span))
            found.append(gains(without + np.float32(weight) * ahead))
    brought = np.array(found) - found[0]
    gain = mean_interval(_chosen_elsewhere(brought))
    weight, half_life = choices[int(brought.mean(axis=1).argmax())]
    return Trend(weight, half_life, gain) if weight and gain.low > 0 else Trend()


def _chosen_elsewhere(brought: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the best choice of the other half of the queries brings to each, float64 (queries,).

    Args:
        brought: What each choice brings to each query, (choices, queries).
    """
    first, second = np.array_split(brought, 2, axis=1)
    best_of_first, best_of_second = (half.mean(axis=1).argmax() for half in (first, second))
    return np.concatenate((first[best_of_second], second[best_of_first]))


def chosen_trend(models: "RunModels") -> Trend:
    """The trend that a run follows; a stage, where events have times."""
    if not models.data.train_ages:
        return Trend()

    def make() -> dict[str, Any]:
        asked = models.asked.of_the_blend
        scores = scored(models.blend, asked.histories)
        return asdict(choose_trend(scores, asked.histories, asked.targets, models.data))

    key = models.control_key("llm", "teacher", **blend_key(models))
    key |= {"trend": (HALF_LIVES, WEIGHTS), "span": models.data.span}
    found = models.run.value("trend", key, "trend.json", make)
    return Trend(found["weight"], found["half_life"], Interval(**found["gain"]))
