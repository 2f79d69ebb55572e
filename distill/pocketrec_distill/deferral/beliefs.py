"""What a teacher believes will come next, kept while it is evaluated: it is not asked twice."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.evaluation.metrics import CUTOFF
from pocketrec_distill.models.base import Floats, History, Scorer

# What a teacher gives less than the two hundredth item is nothing that ten items are worth.
_KEPT = 200
_DISCOUNTS = 1.0 / np.log2(np.arange(2.0, CUTOFF + 2.0))


class Beliefs:
    """A scorer that passes another's scores on, and keeps the head of their softmax.

    The softmax of a blend is calibrated: its weights are fitted by likelihood.

    Args:
        scorer: The teacher.
    """

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._items: list[NDArray[np.int64]] = []
        self._shares: list[Floats] = []

    def __len__(self) -> int:
        return len(self._items)

    def scores(self, histories: Sequence[History]) -> Floats:
        """The teacher's scores, float32 (histories, items)."""
        scores = self._scorer.scores(histories)
        for row, history in zip(scores, histories, strict=True):
            self._keep(row, history)
        return scores

    def forget(self) -> None:
        """Start anew, for another set of queries."""
        self._items.clear()
        self._shares.clear()

    def value(self, query: int, ranked: Sequence[int]) -> float:
        """NDCG@10 that the teacher expects of a ranking for the query it was asked at this place.

        Args:
            query: Place among the queries since the start.
            ranked: Item indices, best first; the first ten count.
        """
        shares = dict(zip(self._items[query].tolist(), self._shares[query].tolist(), strict=True))
        found = [shares.get(item, 0.0) for item in ranked[:CUTOFF]]
        return float(np.dot(found, _DISCOUNTS[: len(found)]))

    def gain(self, query: int, ranked: Sequence[int]) -> float:
        """NDCG@10 by which the teacher expects its own ten items to be better than a ranking.

        Args:
            query: Place among the queries since the start.
            ranked: Item indices, best first; the first ten count.
        """
        return self.value(query, self._items[query].tolist()) - self.value(query, ranked)

    def _keep(self, scores: Floats, history: History) -> None:
        logits = scores.astype(np.float64)
        logits[history] = -np.inf
        logits -= logits.max()
        total = np.exp(logits).sum()
        count = min(_KEPT, len(logits))
        best = np.argpartition(-logits, count - 1)[:count]
        best = best[np.argsort(-logits[best], kind="stable")]
        self._items.append(best)
        self._shares.append((np.exp(logits[best]) / total).astype(np.float32))
