"""Running the protocol: any scorer over any set of queries."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.errors import DataError
from pocketrec_distill.evaluation.metrics import (
    CUTOFF,
    RankingMetrics,
    coverage_at,
    ndcg_at,
    ranks_of_targets,
)
from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.models.base import Floats, History, Scorer
from pocketrec_distill.progress import progress
from pocketrec_runtime import Engine

BATCH = 256


class EngineScorer:
    """The bundle through the runtime, as a device runs it: what `shipped` figures measure."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def scores(self, histories: Sequence[History]) -> Floats:
        """Scores float32 (histories, items)."""
        read = self.engine.prefill_many([history.tolist() for history in histories])
        return self.engine.scan.scores_batch([vector for _, vector in read])


def top_unseen(scores: NDArray[np.floating], history: History, k: int) -> NDArray[np.int64]:
    """Indices of the k best items outside `history`; NaN never stands among them."""
    ranked = np.where(np.isnan(scores), -np.inf, scores)
    ranked[history] = -np.inf
    k = min(k, len(ranked))
    best = np.argpartition(-ranked, k - 1)[:k]
    return best[ranked[best] > -np.inf]


def evaluate(scorer: Scorer, queries: QuerySet) -> RankingMetrics:
    """Rank of each query's target in the full catalogue, and coverage of the top-10 lists.

    Raises:
        DataError: There is no query.
    """
    return evaluate_all({"it": scorer}, queries)["it"]


def evaluate_all(scorers: Mapping[str, Scorer], queries: QuerySet) -> dict[str, RankingMetrics]:
    """`evaluate` of several scorers, batch by batch: all see one batch before the next comes.

    A scorer that others are made of can so remember its last answer; see `Remembering`.

    Raises:
        DataError: There is no query.
    """
    count = _asked(queries)
    ranks = {name: np.empty(count, dtype=np.int64) for name in scorers}
    recommended: dict[str, list[NDArray[np.int64]]] = {name: [] for name in scorers}
    items = 0
    starts = progress(range(0, count, BATCH), label="evaluate", unit="batch")
    for start in starts:
        histories = queries.histories[start : start + BATCH]
        targets = queries.targets[start : start + BATCH]
        for name, scorer in scorers.items():
            scores = scorer.scores(histories)
            items = scores.shape[1]
            ranks[name][start : start + BATCH] = ranks_of_targets(scores, histories, targets)
            for row, history in zip(scores, histories, strict=True):
                recommended[name].append(top_unseen(row, history, CUTOFF))
    return {
        name: RankingMetrics(ranks[name], coverage_at(recommended[name], items)) for name in scorers
    }


def ndcg_of(scorer: Scorer, queries: QuerySet) -> NDArray[np.float64]:
    """NDCG@10 of each query, float64 (queries,): `evaluate` without the lists that it covers.

    Raises:
        DataError: There is no query.
    """
    _asked(queries)
    parts = []
    for start in range(0, len(queries.targets), BATCH):
        histories = queries.histories[start : start + BATCH]
        targets = queries.targets[start : start + BATCH]
        parts.append(ranks_of_targets(scorer.scores(histories), histories, targets))
    return ndcg_at(np.concatenate(parts))


def _asked(queries: QuerySet) -> int:
    """How many queries there are; a metric over none means nothing."""
    if len(queries.targets) == 0:
        raise DataError("no held-out event to evaluate; every user needs an unseen next item")
    return len(queries.targets)
