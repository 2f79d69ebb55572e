"""The blend: a weighted sum of scorers, weights fitted by likelihood on validation queries."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pocketrec_distill.models.base import Floats, History, PositionScorer

# A linear score below this share of the mean highest one says nothing.
FLOOR_SHARE = 0.03

# Below this spread a part has no opinion on these queries, and its weight would be arbitrary.
LEAST_SPREAD = 1e-6

# Scores that are looked at together, 1 MB.
_CELLS = 250_000
# The logit of what was seen.
_SEEN = -1e9


@dataclass(frozen=True)
class Blend:
    """Logits = sum of `weights[i]` times scores of `parts[i]` (a log-linear opinion pool).

    Since the weights are fitted by likelihood, the softmax of the logits is calibrated on
    validation data and needs no further temperature as a distillation target.
    """

    parts: tuple[PositionScorer, ...]
    weights: tuple[float, ...]

    def scores(self, histories: Sequence[History]) -> Floats:
        """Blended logits float32 (histories, items)."""
        return self._mix(lambda part: part.scores(histories))

    def position_scores(self, sequences: Sequence[History], newest: int) -> Floats:
        """Blended logits after each of the `newest` last events of each sequence."""
        return self._mix(lambda part: part.position_scores(sequences, newest))

    def _mix(self, ask: Callable[[PositionScorer], Floats]) -> Floats:
        """The sum over the parts that are heard; the others are not asked."""
        pairs = list(zip(self.weights, self.parts, strict=True))
        heard = (pairs[place] for place in heard_places(self.weights))
        total: Floats = reduce(np.add, (np.float32(w) * ask(part) for w, part in heard))
        return total


def heard_places(weights: Sequence[float]) -> list[int]:
    """Places of the weights above 0: other parts add nothing, whatever they cost.

    Where none is above 0, the first stands for all.
    """
    return [place for place, weight in enumerate(weights) if weight] or [0]


@dataclass(frozen=True)
class LogScores:
    """Logarithms of the scores of a linear model, which are sums of evidence and not logits.

    In a pool of logits a linear score saturates: twice the evidence is far more than twice as good
    at the bottom, and no more than that at the top.

    Attributes:
        scorer: The linear model.
        floor: Added to each score, negative ones being 0; see `score_floor`.
    """

    scorer: PositionScorer
    floor: float

    def scores(self, histories: Sequence[History]) -> Floats:
        """log(score + floor), float32 (histories, items)."""
        return self._log(self.scorer.scores(histories))

    def position_scores(self, sequences: Sequence[History], newest: int) -> Floats:
        """The same after each of the `newest` last events of each sequence."""
        return self._log(self.scorer.position_scores(sequences, newest))

    def _log(self, scores: Floats) -> Floats:
        return np.log(np.maximum(scores, 0) + np.float32(self.floor))


def score_floor(scores: Floats) -> float:
    """The floor of `LogScores` for a linear model with such scores (queries, items)."""
    return max(1e-6, FLOOR_SHARE * float(scores.max(axis=1).mean()))


def fit_weights(
    scores: Sequence[Floats],
    histories: Sequence[History],
    targets: NDArray[np.integer],
) -> tuple[float, ...]:
    """Positive weights that maximise the likelihood of `targets` among unseen items.

    A convex problem in the weights, solved by L-BFGS on their logarithms. A part that scores every
    item alike gets weight 0.

    Args:
        scores: One float32 (queries, items) per part.
        histories: Item indices seen before each query.
        targets: What came next, (queries,).
    """
    if len(scores) == 0 or len(targets) == 0:
        return tuple(1.0 for _ in scores)
    parts = [torch.from_numpy(part) for part in scores]
    spreads = torch.stack([part.std(correction=0) for part in parts])
    speaking = spreads > LEAST_SPREAD
    heard = [part for part, speaks in zip(parts, speaking, strict=True) if speaks]
    if not heard:
        return tuple(0.0 for _ in parts)
    answers = torch.from_numpy(np.asarray(targets, dtype=np.int64))
    logs = torch.log(1.0 / spreads[speaking] / len(heard)).requires_grad_()
    optimiser = torch.optim.LBFGS([logs], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        with torch.no_grad():
            loss, slopes = _likelihood(logs.exp(), heard, histories, answers)
            logs.grad = slopes * logs.exp()
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    weights = torch.zeros(len(parts))
    weights[speaking] = logs.detach().exp()
    return tuple(weights.tolist())


def blocks(queries: int, items: int) -> Iterator[slice]:
    """A few queries at a time, whose scores stay in the processor's caches."""
    block = max(1, _CELLS // items)
    return (slice(start, start + block) for start in range(0, queries, block))


def _likelihood(
    weights: Tensor, parts: Sequence[Tensor], histories: Sequence[History], answers: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy of the answers among unseen items, and its slope in each weight.

    What a part is expected to score, less what the answer got, is the slope of its weight.
    """
    loss, slopes = (
        torch.zeros((), dtype=torch.float64),
        torch.zeros(len(parts), dtype=torch.float64),
    )
    for at in blocks(*parts[0].shape):
        own = answers[at]
        logits = torch.zeros(len(own), parts[0].shape[1])
        for weight, part in zip(weights, parts, strict=True):
            logits.add_(part[at], alpha=float(weight))
        for row, history in zip(logits, histories[at], strict=True):
            row[torch.from_numpy(np.asarray(history, dtype=np.int64))] = _SEEN
        loss += functional.cross_entropy(logits, own, reduction="sum")
        odds = logits.softmax(dim=1)
        odds[torch.arange(len(own)), own] -= 1
        slopes += torch.stack([torch.dot(odds.view(-1), part[at].reshape(-1)) for part in parts])
    return (loss / len(answers)).float(), (slopes / len(answers)).float()
