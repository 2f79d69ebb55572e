"""Which linear models a run blends and fears: by validation.

Regularisation, recency, text and rank of the one that teaches; regularisation alone of the floor.
"""

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.models.base import Scorer
from pocketrec_distill.models.floors import ItemItem, ease, gram_matrix
from pocketrec_distill.models.low_rank import LinearFactors, leading_factors, truncated
from pocketrec_distill.models.tfidf import text_cosines
from pocketrec_distill.pipeline.dataset import Dataset
from pocketrec_distill.training.linear_start import LinearVectors
from pocketrec_distill.training.synthetic import Neighbours

REGULARIZATION = (10.0, 30.0, 100.0, 300.0, 1000.0)
# Many users with long histories want more: the grid grows by this factor while its end is best.
GROWTH, MAX_REGULARIZATION = 3.0, 30_000.0
DECAY = (0.8, 0.9, 0.95)
# What the texts weigh against behaviour, as shares of the regularisation.
TEXT_SHARES = (0.05, 0.15, 0.4)
# Leading directions to keep of the best so far; a catalogue of few items has no such ranks.
RANKS = (64, 128, 256, 512)

NDCG = operator.attrgetter("ndcg")


@dataclass(frozen=True)
class LinearChoice:
    """Settings of one linear model and its validation NDCG@10.

    Attributes:
        ndcg: Validation NDCG@10.
        regularization: EASE's.
        decay: Weight of an event over that of the one after it.
        text: Weight of the texts' gram matrix.
        rank: Leading directions kept, see `models.low_rank`; 0 keeps all.
    """

    ndcg: float
    regularization: float
    decay: float = 1.0
    text: float = 0.0
    rank: int = 0


def _plain(tried: Sequence[LinearChoice]) -> LinearChoice:
    """The best of EASE as published: without recency."""
    return max((choice for choice in tried if choice.decay == 1), key=NDCG)


class LinearModels:
    """EASE and its variants over one data set."""

    def __init__(self, data: Dataset) -> None:
        self.data = data
        self.gram, self.dense = gram_matrix(data.train, data.items)
        self.ranks = [rank for rank in RANKS if 2 * rank < len(self.dense)]

    def model(self, choice: LinearChoice) -> ItemItem:
        """The model of a choice."""
        whole = self._model(choice.regularization, choice.text, choice.decay)
        if not choice.rank:
            return whole
        return truncated(whole, self._factors(choice, whole, self.ranks[-1]), choice.rank)

    def vectors(self, choice: LinearChoice, width: int) -> LinearVectors:
        """Item vectors of a choice's model, as many directions as `width` and the items allow.

        The rank of the choice is no limit: a direction is as strong as the spectrum says.
        """
        whole = self._model(choice.regularization, choice.text)
        factors = self._factors(choice, whole, min(width, len(self.dense)))
        vectors = np.zeros((self.data.items, width), dtype=np.float32)
        vectors[self.dense, : factors.vectors.shape[1]] = factors.vectors
        known = np.zeros(self.data.items, dtype=np.bool_)
        known[self.dense] = np.diag(self.gram) > 0
        return LinearVectors(vectors, known)

    def _factors(self, choice: LinearChoice, whole: ItemItem, rank: int) -> LinearFactors:
        """Leading factors of a choice's model, all of whose directions are in `whole`."""
        return leading_factors(whole, self._gram(choice.text), choice.regularization, rank)

    def choose(self, ndcg: Callable[[Scorer], float]) -> dict[str, Any]:
        """The best plain EASE, the best model with recency and text, and all that was tried.

        Args:
            ndcg: Validation NDCG@10 of a scorer.
        """
        tried = [
            found
            for regularization in REGULARIZATION
            for found in self._tried(ndcg, regularization, 0.0)
        ]
        last = REGULARIZATION[-1]
        while last < MAX_REGULARIZATION and last in (
            max(tried, key=NDCG).regularization,
            _plain(tried).regularization,
        ):
            last *= GROWTH
            tried += self._tried(ndcg, last, 0.0)
        plain = _plain(tried)
        best = max(tried, key=NDCG)
        for share in TEXT_SHARES:
            tried += self._tried(ndcg, best.regularization, share * best.regularization)
        with_text = max(tried, key=NDCG)
        if with_text.text:
            # Texts make the gram matrix larger, so that more regularisation may pay.
            tried += self._tried(ndcg, 2 * with_text.regularization, with_text.text)
        tried += self._truncated(ndcg, max(tried, key=NDCG))
        best = max(tried, key=NDCG)
        return {
            "ease": asdict(plain),
            "linear": asdict(best),
            "validation": [asdict(choice) for choice in tried],
        }

    def _tried(
        self, ndcg: Callable[[Scorer], float], regularization: float, text: float
    ) -> list[LinearChoice]:
        """One inverse, measured with every decay."""
        weights = self._model(regularization, text).weights
        decays: Sequence[float] = (1.0, *DECAY)
        models = (ItemItem(weights, self.dense, self.data.items, decay) for decay in decays)
        return [LinearChoice(ndcg(model), regularization, model.decay, text) for model in models]

    def _truncated(self, ndcg: Callable[[Scorer], float], best: LinearChoice) -> list[LinearChoice]:
        """The best model with fewer directions, one eigendecomposition for all."""
        if not self.ranks:
            return []
        whole = self.model(best)
        factors = self._factors(best, whole, self.ranks[-1])
        return [
            replace(best, ndcg=ndcg(truncated(whole, factors, rank)), rank=rank)
            for rank in self.ranks
        ]

    def _model(self, regularization: float, text: float, decay: float = 1.0) -> ItemItem:
        return ease(self._gram(text), self.dense, self.data.items, regularization, decay)

    def _gram(self, text: float) -> NDArray[np.float32]:
        return self.gram + np.float32(text) * self._text_gram if text else self.gram

    @functools.cached_property
    def _text_gram(self) -> NDArray[np.float32]:
        """Cosines of the tf-idf vectors of the dense items."""
        return text_cosines([self.data.texts[item] for item in self.dense])


@dataclass(frozen=True)
class Linear:
    """The linear models of a run.

    Attributes:
        ease: EASE as published, regularisation by validation: the floor to fear.
        teaching: With recency and text where validation prefers them.
        choice: What validation preferred.
    """

    ease: ItemItem
    teaching: ItemItem
    choice: LinearChoice

    def neighbours(self) -> Neighbours:
        """Near items of every item, for synthetic histories."""
        model = self.teaching
        return Neighbours.from_weights(model.weights, model.dense, model.items)
