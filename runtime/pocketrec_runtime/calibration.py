"""Scores to probabilities: Platt scaling (Platt, 1999), or an isotonic curve beside it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocketrec_runtime.errors import InputError

MAX_KNOTS = 1024


@dataclass(frozen=True)
class Curve:
    """A rising curve through knots, straight between them and level outside.

    What isotonic regression gives (Zadrozny and Elkan, KDD 2002).

    Attributes:
        scores: Where the knots stand, strictly rising, at most MAX_KNOTS.
        probabilities: The probability at each, rising or equal, within 0 to 1.
    """

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.scores) == len(self.probabilities) <= MAX_KNOTS:
            raise InputError(
                f"a calibration curve has {len(self.scores)} scores and "
                f"{len(self.probabilities)} probabilities; give as many of both, 1 to {MAX_KNOTS}"
            )
        steps = np.diff(self.scores)
        if not np.isfinite(self.scores).all() or (steps <= 0).any():
            raise InputError("the scores of a calibration curve are finite, each above the last")
        shares = np.asarray(self.probabilities)
        # Written so that NaN fails too.
        if not ((shares >= 0) & (shares <= 1)).all() or (np.diff(shares) < 0).any():
            raise InputError("the probabilities of a calibration curve must rise within 0 to 1")

    def probability(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities of scores, same shape; NaN stays NaN."""
        return np.interp(scores, self.scores, self.probabilities)


@dataclass(frozen=True)
class Calibration:
    """probability = sigmoid(slope * score + intercept), or the curve where there is one.

    Attributes:
        slope: Positive, so that the order of scores is kept.
        intercept: Log odds at score 0.
        fitted_on: What the numbers were fitted on, for people.
        method: The only method of format 1.0; a curve stands beside it, for readers that know it.
        curve: Goes over slope and intercept (since 1.1).
    """

    slope: float = 1.0
    intercept: float = 0.0
    fitted_on: str = "not fitted"
    method: Literal["platt"] = "platt"
    curve: Curve | None = None

    def __post_init__(self) -> None:
        if self.method != "platt":
            raise InputError(f"calibration method is {self.method!r}; this runtime knows 'platt'")
        if not (math.isfinite(self.slope) and self.slope > 0):
            raise InputError(f"calibration slope is {self.slope}; give a finite number above 0")
        if not math.isfinite(self.intercept):
            raise InputError(f"calibration intercept is {self.intercept}; give a finite number")

    def probability(self, scores: ArrayLike) -> NDArray[np.float32]:
        """Calibrated probabilities of scores, same shape, float32 in [0, 1]; NaN stays NaN."""
        given = np.asarray(scores, np.float64)
        if self.curve is not None:
            return np.asarray(self.curve.probability(given), np.float32)
        # tanh saturates where exp would overflow.
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * (self.slope * given + self.intercept))),
                          np.float32)  # fmt: skip

    def as_dict(self) -> Mapping[str, Any]:
        """The contents of `calibration.json`; without a curve those of format 1.0."""
        plain: dict[str, Any] = {
            "slope": self.slope,
            "intercept": self.intercept,
            "fitted_on": self.fitted_on,
            "method": self.method,
        }
        if self.curve is not None:
            plain["curve"] = {
                "scores": list(self.curve.scores),
                "probabilities": list(self.curve.probabilities),
            }
        return plain
