"""What is wanted of late: items that are chosen more often now than over all of training.

A model of histories tells what goes with what, over all the time that it learned from. Where demand
has moved since, its probabilities rest on old shares of the items; they are put right by the ratio
of the new shares to the old ones (Saerens, Latinne and Decaestecker, Neural Computation 2002). In
logits that is a number per item, the same for every user: a bias.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.models.base import Floats, History, PositionScorer

# Events that every item has had beside its own, as a share of the mean item's: a handful of events
# is no trend, and an item without any has none.
_SMOOTHING = 0.5
# Of what a bundle's provenance says of it.
NAME = "trend"


@dataclass(frozen=True)
class Demand:
    """How often items were chosen, of late and over all.

    Attributes:
        recent: float32 (items,), a share of the mean item's; newer events count more.
        overall: The same of all events alike.
    """

    recent: Floats
    overall: Floats

    @classmethod
    def of(
        cls,
        histories: Sequence[History],
        ages: Sequence[NDArray[np.float32]],
        items: int,
        half_life: float,
        since: float = 0.0,
    ) -> "Demand":
        """The demand that events show.

        Args:
            histories: Item indices.
            ages: How long ago each event was, in the shape of `histories`.
            items: Number of catalogue items.
            half_life: Age at which an event counts half, in units of `ages`.
            since: Events younger than this are not looked at.
        """
        chosen, age = np.concatenate(histories), np.concatenate(ages)
        looked_at = age >= since
        chosen, age = chosen[looked_at], age[looked_at].astype(np.float64)
        counts = np.bincount(chosen, minlength=items)
        fading = np.bincount(chosen, weights=0.5 ** (age / half_life), minlength=items)
        return cls(_of_the_mean(fading), _of_the_mean(counts))

    @property
    def logits(self) -> Floats:
        """Log ratio of recent to overall demand, float32 (items,): 0 for an item without events."""
        ratio = (self.recent + np.float32(_SMOOTHING)) / (self.overall + np.float32(_SMOOTHING))
        found: Floats = np.log(ratio)
        return found

    @property
    def shares(self) -> Floats:
        """Share of each item in recent demand, float32 (items,); they sum to 1, or all are 0."""
        found: Floats = (self.recent / (float(self.recent.sum()) or 1.0)).astype(np.float32)
        return found

    @staticmethod
    def overall_of(recent: Floats, logits: Floats) -> Floats:
        """The overall demand of which such logits are, float32 (items,)."""
        smoothed = (recent + np.float32(_SMOOTHING)) * np.exp(-logits)
        found: Floats = np.maximum(smoothed - np.float32(_SMOOTHING), 0).astype(np.float32)
        return found


def _of_the_mean(counts: NDArray[np.float64] | NDArray[np.int64]) -> Floats:
    """Counts over that of the mean item; all 0 where there is none."""
    mean = float(counts.mean()) or 1.0
    shares: Floats = (counts / mean).astype(np.float32)
    return shares


@dataclass(frozen=True)
class Biased:
    """Logits with a bias of each item added.

    Attributes:
        scorer: Scores without it.
        bias: float32 (items,).
    """

    scorer: PositionScorer
    bias: Floats

    def scores(self, histories: Sequence[History]) -> Floats:
        """Biased logits float32 (histories, items)."""
        biased: Floats = self.scorer.scores(histories) + self.bias
        return biased

    def position_scores(self, sequences: Sequence[History], newest: int) -> Floats:
        """The same after each of the `newest` last events of each sequence."""
        biased: Floats = self.scorer.position_scores(sequences, newest) + self.bias
        return biased


@dataclass(frozen=True)
class Followed:
    """How far a bundle follows the trend, as its provenance says.

    Attributes:
        weight: Of the trend's logits in the student's scores.
        half_life: Age at which an event counts half, in seconds.
    """

    weight: float
    half_life: float

    @classmethod
    def of(cls, provenance: Mapping[str, Any]) -> "Followed | None":
        """What `as_provenance` wrote; None where a bundle follows none, or says so unreadably."""
        said = provenance.get(NAME)
        numbers = [said.get(n) for n in ("weight", "half_life")] if isinstance(said, dict) else []
        good = [n for n in numbers if isinstance(n, int | float) and 0 < n < math.inf]
        return cls(*good) if len(good) == 2 else None

    def as_provenance(self) -> dict[str, dict[str, float]]:
        """The form that stands in a bundle's provenance; nothing for a weight of 0."""
        if not self.weight:
            return {}
        return {NAME: {"weight": self.weight, "half_life": self.half_life}}
