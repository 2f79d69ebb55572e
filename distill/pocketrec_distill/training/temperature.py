"""The temperature of labels: a student should spend itself on what is shown.

A calibrated teacher of a market that is hard to foretell is nearly flat: on UCI Online Retail its
best ten items hold 7% of its probability. The KL is then a sum over thousands of items that are
never shown, and a student can come near its minimum with a poor order of the first ten. Below 1 a
temperature (Hinton, Vinyals and Dean, 2015) leaves the teacher's order as it is and moves the
weight of the loss to the head of the list.
"""

from collections.abc import Sequence

import numpy as np

from pocketrec_distill.models.base import Floats, History, PositionScorer

SHOWN, SHOWN_SHARE = 10, 0.5
"""The best items of a teacher, and what they should hold of its probability, in the mean."""

LOWEST = 0.05
# Halvings of the logarithm's range: far finer than any student could tell.
_HALVINGS = 12


def label_temperature(scores: Floats) -> float:
    """The highest temperature up to 1 at which a teacher's best items hold their share.

    A teacher that is as sharp already keeps its scores: 1.

    Args:
        scores: Teacher's scores (positions, items), calibrated; -inf for what was seen. A position
            that has seen every item says nothing.
    """
    scores = scores[np.isfinite(scores.max(axis=1))]
    if len(scores) == 0 or shown_share(scores, 1.0) >= SHOWN_SHARE:
        return 1.0
    low, high = np.log(LOWEST), 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if shown_share(scores, float(np.exp(middle))) < SHOWN_SHARE:
            high = middle
        else:
            low = middle
    return float(np.exp(low))


def shown_share(scores: Floats, temperature: float) -> float:
    """What the best items of each position hold of the softmax at a temperature, in the mean."""
    count = min(SHOWN, scores.shape[1])
    logits = scores / np.float32(temperature)
    masses = np.exp(logits - logits.max(axis=1, keepdims=True))
    best = np.partition(masses, -count, axis=1)[:, -count:]
    return float((best.sum(axis=1) / masses.sum(axis=1)).mean())


class Tempered:
    """A teacher whose scores are divided by a temperature."""

    def __init__(self, scorer: PositionScorer, temperature: float) -> None:
        self._scorer, self._temperature = scorer, np.float32(temperature)

    def scores(self, histories: Sequence[History]) -> Floats:
        """Scores of the wrapped scorer over the temperature."""
        scores: Floats = self._scorer.scores(histories) / self._temperature
        return scores

    def position_scores(self, sequences: Sequence[History], newest: int) -> Floats:
        """The same after each of the `newest` last events of each sequence."""
        scores: Floats = self._scorer.position_scores(sequences, newest) / self._temperature
        return scores
