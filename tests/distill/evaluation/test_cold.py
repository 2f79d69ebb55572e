"""Ranking of cold items, by hand."""

from collections.abc import Sequence

import numpy as np

from pocketrec_distill.evaluation.cold import WithNew, by_item, evaluate_cold
from pocketrec_distill.evaluation.metrics import RankingMetrics
from pocketrec_distill.evaluation.queries import ColdItems, QuerySet
from pocketrec_distill.models.base import Floats, History
from pocketrec_distill.models.tfidf import TfIdf


class Fixed:
    """Scores that are written down: 4 items of the catalogue, 3 new ones."""

    KNOWN = np.array([[5, 1, 3, 2], [5, 1, 3, 2], [5, 1, 3, 2]], dtype=np.float32)
    NEW = np.array([[2, 4, 4], [2, 4, 4], [0, 9, np.nan]], dtype=np.float32)

    def scores_with_new(self, histories: Sequence[History]) -> tuple[Floats, Floats]:
        return self.KNOWN[: len(histories)], self.NEW[: len(histories)]


def queries(targets: list[int], *histories: list[int]) -> ColdItems:
    rows = [np.array(history, dtype=np.int32) for history in histories]
    return ColdItems(("x", "y", "z"), ("", "", ""), QuerySet(rows, np.array(targets)))


def test_ranks_by_hand() -> None:
    ranks = evaluate_cold(Fixed(), queries([0, 1, 2], [0], [3], [1, 2]))
    # Among cold: 4 and 4 beat 2; of the two 4 the other stands first; NaN is last of three.
    assert ranks.among_cold.tolist() == [3, 2, 3]
    # Among all, the history left out: 4, 4, 3 and the equal 2; 5 and 4; everything.
    assert ranks.among_all.tolist() == [5, 3, 5]


def test_warm_and_cold_targets_apart() -> None:
    test = {
        "a": RankingMetrics(np.array([1, 20, 3]), 0.5),
        "b": RankingMetrics(np.array([2, 1, 9]), 1),
    }
    found = by_item(test, np.array([4, 0, 4]), np.array([0, 9, 9, 9, 1]))
    assert found["warm"]["a"]["ndcg@10"] == (1 + 0.5) / 2
    assert (found["warm"]["a"]["users"], found["cold"]["a"]["users"]) == (2, 1)
    assert (found["cold"]["a"]["recall@10"], found["cold"]["b"]["recall@10"]) == (0, 1)
    assert "coverage@10" not in found["warm"]["a"]
    assert set(by_item(test, np.array([4, 4, 4]), np.array([0, 9, 9, 9, 1]))) == {"warm"}


def test_tfidf_reads_the_text_of_new_items() -> None:
    cold = ColdItems(
        ("x", "y"),
        ("blue ink", "red pen"),
        QuerySet([np.array([0]), np.array([1])], np.array([1, 0])),
    )
    tfidf = TfIdf(["red pencil", "ink blue", "tape", *cold.texts])
    ranks = evaluate_cold(WithNew(tfidf, 3), cold)
    assert ranks.among_cold.tolist() == [1, 1]
    assert ranks.among_all.tolist() == [1, 1]
