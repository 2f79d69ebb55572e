"""Items without a training event: apart in the test figures, and held out whole to be asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.evaluation.bootstrap import mean_interval, ratio
from pocketrec_distill.evaluation.metrics import (
    RankingMetrics,
    ranks_of_targets,
    recall_at,
    summarise,
)
from pocketrec_distill.evaluation.queries import ColdItems
from pocketrec_distill.models.base import Floats, History, Scorer
from pocketrec_distill.models.tfidf import TfIdf
from pocketrec_runtime import Engine

BATCH = 256
_NOTHING: NDArray[np.int64] = np.zeros(0, dtype=np.int64)


class ColdScorer(Protocol):
    """Scores the catalogue and new items on one scale."""

    def scores_with_new(self, histories: Sequence[History]) -> tuple[Floats, Floats]:
        """Scores float32 (histories, items) and (histories, new items)."""
        ...


class EngineWithNew:
    """A bundle with new items, whose vectors are its item tower's answer to their text."""

    def __init__(self, engine: Engine, texts: Sequence[str]) -> None:
        self.engine = engine
        self.new = engine.encode_items(texts)

    def scores_with_new(self, histories: Sequence[History]) -> tuple[Floats, Floats]:
        """Scores float32 (histories, items) and (histories, new items)."""
        read = self.engine.prefill_many([history.tolist() for history in histories])
        users = np.stack([vector for _, vector in read])
        return self.engine.scan.scores_batch(users), (users @ self.new.T).astype(np.float32)


@dataclass(frozen=True)
class WithNew:
    """A scorer whose first `known` items are the catalogue; those after it are new."""

    scorer: Scorer
    known: int

    def scores_with_new(self, histories: Sequence[History]) -> tuple[Floats, Floats]:
        """Scores float32 (histories, items) and (histories, new items)."""
        scores = self.scorer.scores(histories)
        return scores[:, : self.known], scores[:, self.known :]


@dataclass(frozen=True)
class ColdRanks:
    """Rank (1 = best) of each cold query's target.

    Attributes:
        among_cold: Among the cold items, int64 (queries,).
        among_all: Among the cold items and the whole catalogue without the history.
    """

    among_cold: NDArray[np.int64]
    among_all: NDArray[np.int64]


def evaluate_cold(scorer: ColdScorer, cold: ColdItems) -> ColdRanks:
    """Full ranking of every cold query; ties and NaN count against the model."""
    ranks = np.empty((2, len(cold.queries)), dtype=np.int64)
    for start in range(0, len(cold.queries), BATCH):
        part = slice(start, start + BATCH)
        histories, targets = cold.queries.histories[part], cold.queries.targets[part]
        known, new = scorer.scores_with_new(histories)
        ranks[0, part] = ranks_of_targets(new, [_NOTHING] * len(targets), targets)
        everything = np.concatenate((known, new), axis=1)
        ranks[1, part] = ranks_of_targets(everything, histories, known.shape[1] + targets)
    return ColdRanks(ranks[0], ranks[1])


def by_item(
    test: Mapping[str, RankingMetrics], targets: NDArray[np.int64], counts: NDArray[np.int64]
) -> dict[str, dict[str, dict[str, object]]]:
    """Test metrics by whether the next item has a training event.

    Args:
        test: Model -> its ranks of the same queries.
        targets: Item that came next, (queries,).
        counts: Training events of each item, (items,).

    Returns:
        "warm" and "cold" -> model -> the report's keys but coverage, which is one of all queries;
        a kind without any query is left out.
    """
    warm = counts[targets] > 0
    found = {}
    for kind, rows in (("warm", warm), ("cold", ~warm)):
        if rows.any():
            parts = {
                name: replace(metrics, ranks=metrics.ranks[rows]) for name, metrics in test.items()
            }
            found[kind] = {name: _without_coverage(summarise(part)) for name, part in parts.items()}
    return found


def _without_coverage(summary: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in summary.items() if key != "coverage@10"}


def cold_report(engine: Engine, texts: Sequence[str], cold: ColdItems) -> dict[str, Any]:
    """Recall@10 of a bundle and of tf-idf on cold items, with 95% intervals over queries.

    Args:
        engine: The bundle.
        texts: Texts of its catalogue.
        cold: The items that were held out, and the queries for them.

    Returns:
        Counts, `recall@10_among_cold` and `recall@10_among_all` of both, and what the bundle
        reaches over tf-idf, on the same queries.
    """
    scorers: Mapping[str, ColdScorer] = {
        "shipped": EngineWithNew(engine, cold.texts),
        "tfidf": WithNew(TfIdf([*texts, *cold.texts]), len(texts)),
    }
    ranks = {name: evaluate_cold(scorer, cold) for name, scorer in scorers.items()}
    shipped, tfidf = ranks["shipped"], ranks["tfidf"]
    return {
        "items": len(cold.item_ids),
        "queries": len(cold.queries),
        **{name: _recalls(found) for name, found in ranks.items()},
        "shipped_over_tfidf": {
            "among_cold": _over(shipped.among_cold, tfidf.among_cold),
            "among_all": _over(shipped.among_all, tfidf.among_all),
        },
    }


def _recalls(ranks: ColdRanks) -> dict[str, object]:
    kinds = {"recall@10_among_cold": ranks.among_cold, "recall@10_among_all": ranks.among_all}
    return {name: mean_interval(recall_at(found)).as_dict() for name, found in kinds.items()}


def _over(ranks: NDArray[np.int64], floor: NDArray[np.int64]) -> dict[str, object]:
    return ratio(recall_at(ranks), recall_at(floor)).as_dict()
