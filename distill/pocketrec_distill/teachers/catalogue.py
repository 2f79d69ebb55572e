"""Teachers that score the whole catalogue at once: the sequence LLM, SASRec, EASE, blends."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pocketrec_distill.models.base import PADDING, Floats, History, PositionScorer
from pocketrec_distill.teachers.protocol import Candidates, Context, check_candidates


@dataclass(frozen=True)
class CatalogueTeacher:
    """A full-catalogue scorer as a teacher; candidates are read out of its scores.

    Attributes:
        scorer: Ranks, and labels every position of a sequence: a `SequenceScorer` over the LLM
            teacher, a text-fed student or SASRec, an `ItemItem` such as EASE, or a `Blend`.
        items: Number of catalogue items.
    """

    scorer: PositionScorer
    items: int

    def candidate_logits(self, contexts: Sequence[Context], candidates: Candidates) -> Floats:
        """Logits float32 (contexts, candidates), NaN at padding."""
        check_candidates(contexts, candidates, self.items)
        scores = self.scorer.scores([context.history for context in contexts])
        logits: Floats = np.take_along_axis(scores, np.maximum(candidates, 0), axis=1)
        return np.where(candidates == PADDING, np.float32(np.nan), logits)

    def proposals(self, contexts: Sequence[Context], count: int) -> Candidates:
        """The best unseen items of each context, int32 (contexts, count)."""
        scores = self.scorer.scores([context.history for context in contexts])
        return best_unseen(scores, [context.history for context in contexts], count)

    def scores(self, histories: Sequence[History]) -> Floats:
        """Scores of the whole catalogue, float32 (histories, items)."""
        return self.scorer.scores(histories)

    def position_scores(self, sequences: Sequence[History], newest: int) -> Floats:
        """Scores after each of the `newest` last events of each sequence."""
        return self.scorer.position_scores(sequences, newest)


def best_unseen(scores: Floats, histories: Sequence[History], count: int) -> Candidates:
    """The `count` best items outside each history, best first; PADDING where there are fewer.

    Args:
        scores: float32 (histories, items).
        histories: Items that are no proposal.
        count: Length of each row.
    """
    best = np.full((len(scores), count), PADDING, dtype=np.int32)
    for row, history in enumerate(histories):
        ranked = np.where(np.isnan(scores[row]), -np.inf, scores[row])
        ranked[history] = -np.inf
        kept = min(count, len(ranked))
        found = np.argpartition(-ranked, kept - 1)[:kept]
        found = found[ranked[found] > -np.inf]
        found = found[np.lexsort((found, -ranked[found]))]
        best[row, : len(found)] = found
    return best
