"""A full-catalogue teacher refined by teachers that are asked about a few candidates only.

A candidate teacher says how probability is to be split among the candidates that it knows. Their
mass together stays what the full-catalogue teacher gave them, and so does every other item's score
(Jeffrey's rule of conditioning). So a candidate that is not known, and an item that was never
asked about, keep what the others say of them: missing is never zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.models.base import PADDING, Floats, History, PositionScorer
from pocketrec_distill.models.blend import fit_weights
from pocketrec_distill.teachers.catalogue import best_unseen
from pocketrec_distill.teachers.protocol import Candidates, CandidateTeacher, Context, Proposer
from pocketrec_distill.teachers.users import KnownUsers

# With fewer queries than these to fit on, a teacher is believed as it is.
LEAST_QUERIES = 20


@dataclass(frozen=True)
class Say:
    """How much is believed where a teacher is asked.

    Attributes:
        base: Factor of the logits that it refines.
        own: Factor of its own logits.
    """

    base: float = 1.0
    own: float = 1.0


def redistributed(scores: Floats, candidates: Candidates, logits: Floats, say: Say) -> Floats:
    """Scores with the mass of known candidates split anew.

    Args:
        scores: Logits of the whole catalogue, float32 (rows, items).
        candidates: Item indices int32 (rows, candidates), PADDING where a row has fewer; each
            once in its row.
        logits: Of the candidates, float32 of their shape; NaN where not known.
        say: How much is believed.

    Returns:
        float32 (rows, items): of each row the log sum of exp is what it was.
    """
    known = (candidates != PADDING) & ~np.isnan(logits)
    places = np.maximum(candidates, 0)
    given = np.take_along_axis(scores, places, axis=1)
    before = np.where(known, given, -np.inf)
    opinion = say.base * given + say.own * np.where(known, logits, 0)
    anew = np.where(known, opinion, -np.inf)
    shift = _log_sum(before) - _log_sum(anew)
    rows, columns = np.nonzero(known)
    refined = scores.copy()
    refined[rows, places[rows, columns]] = (anew + shift)[rows, columns]
    return refined


def fit_say(
    scores: Floats, candidates: Candidates, logits: Floats, targets: NDArray[np.integer]
) -> Say:
    """The factors that make what came next most likely among the candidates it was one of.

    Args:
        scores: As in `redistributed`.
        candidates: As in `redistributed`.
        logits: As in `redistributed`.
        targets: What came next, (rows,). A row whose target is no known candidate says nothing.
    """
    known = (candidates != PADDING) & ~np.isnan(logits)
    hits = known & (candidates == np.asarray(targets)[:, None])
    rows = np.flatnonzero(hits.any(axis=1) & (known.sum(axis=1) > 1))
    if len(rows) < LEAST_QUERIES:
        return Say()
    before = np.take_along_axis(scores, np.maximum(candidates, 0), axis=1)
    parts = [np.where(known, part, 0)[rows].astype(np.float32) for part in (before, logits)]
    unknown = [np.flatnonzero(~known[row]).astype(np.int32) for row in rows]
    base, own = fit_weights(parts, unknown, hits[rows].argmax(axis=1))
    return Say(base, own)


@dataclass(frozen=True)
class Refiner:
    """A candidate teacher, asked about the best items of what stands before it.

    Attributes:
        teacher: Is asked about them; a `Proposer` about those that it proposes, too.
        candidates: Best unseen items that it is asked about.
        say: How much it is believed.
    """

    teacher: CandidateTeacher
    candidates: int
    say: Say = Say()

    def refined(self, scores: Floats, contexts: Sequence[Context]) -> Floats:
        """Scores of the whole catalogue, float32 (contexts, items), with what it says."""
        if not contexts:
            return scores
        candidates = self.asked_about(scores, contexts)
        logits = self.teacher.candidate_logits(contexts, candidates)
        return redistributed(scores, candidates, logits, self.say)

    def asked_about(self, scores: Floats, contexts: Sequence[Context]) -> Candidates:
        """Candidates of each context: the best of `scores`, and those the teacher proposes."""
        best = best_unseen(scores, [context.history for context in contexts], self.candidates)
        if not isinstance(self.teacher, Proposer):
            return best
        proposed = self.teacher.proposals(contexts, self.candidates)
        return _each_once(np.concatenate((best, proposed), axis=1))


@dataclass(frozen=True)
class Refined:
    """A `PositionScorer`: a full-catalogue one, refined by a candidate teacher.

    Attributes:
        base: Scores the whole catalogue, and so says which candidates are worth asking about.
        refiner: Is asked about them.
        users: Whose history is whose.
        newest: Of the labelled positions of a sequence, how many of the last it is asked about.
        share: Share of the known users' sequences that it is asked about, spread evenly.
    """

    base: PositionScorer
    refiner: Refiner
    users: KnownUsers = field(default_factory=KnownUsers)
    newest: int = 1
    share: float = 1.0

    def scores(self, histories: Sequence[History]) -> Floats:
        """Refined logits float32 (histories, items)."""
        return self.refiner.refined(self.base.scores(histories), self.users.contexts(histories))

    def position_scores(self, sequences: Sequence[History], newest: int) -> Floats:
        """Logits after each of the `newest` last events, the very last ones of them refined."""
        scores = self.base.position_scores(sequences, newest)
        asked = [
            contexts if self._asks(sequence) else []
            for sequence, contexts in zip(
                sequences,
                self.users.position_contexts(sequences, min(newest, self.newest)),
                strict=True,
            )
        ]
        ends = np.cumsum([min(len(sequence), newest) for sequence in sequences])
        rows = np.concatenate(
            [np.arange(end - len(c), end) for end, c in zip(ends, asked, strict=True)]
        )
        contexts = [context for of_one in asked for context in of_one]
        refined = scores.copy()
        refined[rows] = self.refiner.refined(scores[rows], contexts)
        return refined

    def believing(self, say: Say) -> "Refined":
        """The same, its teacher believed that much."""
        return replace(self, refiner=replace(self.refiner, say=say))

    def _asks(self, sequence: History) -> bool:
        """Whether it is asked about a sequence: one of a real user, and among the share."""
        return self.users.knows(sequence) and spread(sequence) < self.share


def chain_of(scorer: PositionScorer) -> list[Refiner]:
    """The refiners of a scorer, in the order in which they are asked; none of an unrefined one."""
    chain: list[Refiner] = []
    while isinstance(scorer, Refined):
        chain.append(scorer.refiner)
        scorer = scorer.base
    return chain[::-1]


def spread(sequence: History) -> float:
    """A number from 0 to below 1 that depends on the events alone, and is like a random one."""
    return crc32(np.asarray(sequence, dtype="<i4").tobytes()) / 2**32


def _each_once(candidates: Candidates) -> Candidates:
    """Later appearances of an item in its row become padding."""
    order = np.argsort(candidates, axis=1, kind="stable")
    ranked = np.take_along_axis(candidates, order, axis=1)
    again = np.zeros(candidates.shape, dtype=bool)
    np.put_along_axis(again, order[:, 1:], ranked[:, 1:] == ranked[:, :-1], axis=1)
    return np.where(again, np.int32(PADDING), candidates)


def _log_sum(logits: Floats) -> Floats:
    """Log of the sum of exp over each row, (rows, 1); 0 where a row has nothing."""
    highest = logits.max(axis=1, keepdims=True, initial=-np.inf)
    finite = np.where(np.isfinite(highest), highest, 0)
    total = np.exp(logits - finite).sum(axis=1, keepdims=True)
    result: Floats = np.where(total > 0, np.log(np.maximum(total, 1e-38)) + finite, 0)
    return result
