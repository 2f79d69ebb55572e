"""Scores to probabilities: Platt scaling (Platt, 1999)."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocketrec_runtime.errors import InputError


@dataclass(frozen=True)
class Calibration:
    """probability = sigmoid(slope * score + intercept).

    Attributes:
        slope: Positive, so that the order of scores is kept.
        intercept: Log odds at score 0.
        fitted_on: What the two numbers were fitted on, for people.
        method: The only method of format 1.0.
    """

    slope: float = 1.0
    intercept: float = 0.0
    fitted_on: str = "not fitted"
    method: Literal["platt"] = "platt"

    def __post_init__(self) -> None:
        if self.method != "platt":
            raise InputError(f"calibration method is {self.method!r}; this runtime knows 'platt'")
        if not (math.isfinite(self.slope) and self.slope > 0):
            raise InputError(f"calibration slope is {self.slope}; give a finite number above 0")
        if not math.isfinite(self.intercept):
            raise InputError(f"calibration intercept is {self.intercept}; give a finite number")

    def probability(self, scores: ArrayLike) -> NDArray[np.float32]:
        """Calibrated probabilities of scores, same shape, float32 in [0, 1]; NaN stays NaN."""
        logits = self.slope * np.asarray(scores, np.float64) + self.intercept
        # tanh saturates where exp would overflow.
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)), np.float32)
