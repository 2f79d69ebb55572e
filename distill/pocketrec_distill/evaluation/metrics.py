"""Full-ranking metrics with one target per query.

The whole catalogue is ranked, never a sample of negatives (Krichene and Rendle, KDD 2020); items
of the history are excluded; ties and NaN count against the model.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.errors import DataError
from pocketrec_distill.evaluation.bootstrap import Interval, mean_interval

CUTOFF = 10

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def rank_of_target(scores: NDArray[np.floating], history: NDArray[np.integer], target: int) -> int:
    """Rank (1 = best) of `target` among the items that are not in `history`.

    Args:
        scores: Score of every catalogue item, shape (items,).
        history: Item indices to leave out of the ranking, shape (any,).
        target: Index of the item that came next; must not be in `history`.

    Returns:
        One plus the number of other candidates that do not score strictly less: an equal score or
        a NaN stands before the target. A target scored NaN ranks last.

    Raises:
        DataError: The target is in the history, where the protocol does not evaluate it.
    """
    return int(ranks_of_targets(scores[None], [history], np.array([target]))[0])


def ranks_of_targets(
    scores: NDArray[np.floating],
    histories: Sequence[NDArray[np.integer]],
    targets: NDArray[np.integer],
) -> Ints:
    """`rank_of_target` of each row of scores (queries, items), int64 (queries,).

    Raises:
        DataError: As `rank_of_target`.
    """
    rows, items = np.arange(len(targets)), scores.shape[1]
    own = scores[rows, targets]
    # Nothing is less than NaN, and NaN is less than nothing.
    ranks: Ints = items - np.count_nonzero(scores < own[:, None], axis=1)
    places = np.repeat(rows, [len(history) for history in histories])
    cells = np.unique(places * items + np.concatenate(histories))  # a repeated item counts once
    places, seen = cells // items, cells % items
    if (known := seen == targets[places]).any():
        raise DataError(
            f"target item {seen[known][0]} stands in its own history; the protocol leaves such "
            "events out"
        )
    ahead = ~(scores[places, seen] < own[places])
    ranks -= np.bincount(places[ahead], minlength=len(rows))
    return ranks


def ndcg_at(ranks: Ints, cutoff: int = CUTOFF) -> Floats:
    """NDCG@cutoff of each query with one relevant item: 1 / log2(rank + 1), 0 past the cutoff."""
    return np.where(ranks <= cutoff, 1.0 / np.log2(ranks + 1.0), 0.0)


def recall_at(ranks: Ints, cutoff: int = CUTOFF) -> Floats:
    """Recall@cutoff of each query with one relevant item (the hit rate): 1 or 0."""
    return (ranks <= cutoff).astype(np.float64)


def mrr_at(ranks: Ints, cutoff: int = CUTOFF) -> Floats:
    """Reciprocal rank of each query, 0 past the cutoff."""
    return np.where(ranks <= cutoff, 1.0 / ranks, 0.0)


def coverage_at(recommended: Iterable[NDArray[np.integer]], items: int) -> float:
    """Share of the catalogue that stands in at least one of the `recommended` lists."""
    lists = list(recommended)
    return len(np.unique(np.concatenate(lists))) / items if lists else 0.0


@dataclass(frozen=True)
class RankingMetrics:
    """What one model reached on one set of queries.

    Attributes:
        ranks: Rank of each query's target, shape (queries,).
        coverage: Share of the catalogue found in the top-10 lists.
    """

    ranks: Ints
    coverage: float

    @property
    def ndcg(self) -> Floats:
        """NDCG@10 of each query, shape (queries,)."""
        return ndcg_at(self.ranks)

    @property
    def interval(self) -> Interval:
        """95% bootstrap interval of the mean NDCG@10."""
        return mean_interval(self.ndcg)


def summarise(metrics: RankingMetrics) -> dict[str, object]:
    """The report's fixed keys for one model on one split."""
    interval = metrics.interval
    return {
        "ndcg@10": float(metrics.ndcg.mean()),
        "recall@10": float(recall_at(metrics.ranks).mean()),
        "mrr@10": float(mrr_at(metrics.ranks).mean()),
        "coverage@10": metrics.coverage,
        "ndcg@10_ci95": [interval.low, interval.high],
        "users": len(metrics.ranks),
    }
