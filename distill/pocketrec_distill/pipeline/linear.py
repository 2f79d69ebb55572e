"""Which linear models a run blends and fears: by validation.

Regularisation, recency, season, users' shares, text and rank of the one that teaches; the floor
has the first.
"""

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.evaluation.ranking import ndcg_of
from pocketrec_distill.models.base import Scorer
from pocketrec_distill.models.floors import ItemItem, ease, gram_matrix
from pocketrec_distill.models.low_rank import LinearFactors, leading_factors, truncated
from pocketrec_distill.models.tfidf import text_cosines
from pocketrec_distill.pipeline.asked import MAX_ASKED
from pocketrec_distill.pipeline.dataset import Dataset
from pocketrec_distill.progress import progress
from pocketrec_distill.training.linear_start import LinearVectors
from pocketrec_distill.training.synthetic import Neighbours

if TYPE_CHECKING:
    from pocketrec_distill.pipeline.models import RunModels

REGULARIZATION = (10.0, 30.0, 100.0, 300.0, 1000.0)
# Many users with long histories want more: the grid grows by this factor while its end is best.
GROWTH, MAX_REGULARIZATION = 3.0, 30_000.0
DECAY = (0.8, 0.9, 0.95)
# What the texts weigh against behaviour, as shares of the regularisation.
TEXT_SHARES = (0.05, 0.15, 0.4)
# Half-lives of events, as shares of the time that training spans: what is in season counts more.
FADES = (0.5, 0.12, 0.03)
# From every event counting alike (0) to every user (1): who buys for a shop is no thousand users.
EVEN = (0.5, 1.0)
# Leading directions to keep of the best so far; a catalogue of few items has no such ranks.
RANKS = (64, 128, 256, 512)

NDCG = operator.attrgetter("ndcg")


@dataclass(frozen=True)
class LinearChoice:
    """Settings of one linear model and its validation NDCG@10.

    Attributes:
        ndcg: Validation NDCG@10 over all that came in the time asked about (`QuerySet.each`).
        regularization: EASE's.
        decay: Weight of an event over that of the one after it.
        text: Weight of the texts' gram matrix.
        rank: Leading directions kept, see `models.low_rank`; 0 keeps all.
        fade: Age at which an event counts half, as a share of the time that training spans; 0
            lets all count alike.
        even: An event of a history of n items weighs n to the power of -`even` / 2; 0 lets all
            events count alike, 1 all users.
    """

    ndcg: float
    regularization: float
    decay: float = 1.0
    text: float = 0.0
    rank: int = 0
    fade: float = 0.0
    even: float = 0.0


def _plain(tried: Sequence[LinearChoice]) -> LinearChoice:
    """The best of EASE as published, which knows neither order nor time."""
    return max((choice for choice in tried if choice.decay == 1), key=NDCG)


def linear_key(data: Dataset) -> dict[str, Any]:
    """What decides over the choices, besides what every stage's key holds."""
    return {
        "ranks": RANKS,
        "fades": FADES,
        "even": EVEN,
        "times": data.fingerprint_of_times,
        "asked": MAX_ASKED,
    }


class LinearModels:
    """EASE and its variants over one data set."""

    def __init__(self, data: Dataset) -> None:
        self.data = data
        self.gram, self.dense = gram_matrix(data.train, data.items)
        self.ranks = [rank for rank in RANKS if 2 * rank < len(self.dense)]

    def model(self, choice: LinearChoice) -> ItemItem:
        """The model of a choice."""
        if not choice.rank:
            return self._whole(choice)
        return truncated(*self._with_factors(choice, self.ranks[-1]), choice.rank)

    def vectors(self, choice: LinearChoice, width: int) -> LinearVectors:
        """Item vectors of a choice's model, as many directions as `width` and the items allow.

        The rank of the choice is no limit: a direction is as strong as the spectrum says.
        """
        _, factors = self._with_factors(choice, min(width, len(self.dense)))
        vectors = np.zeros((self.data.items, width), dtype=np.float32)
        vectors[self.dense, : factors.vectors.shape[1]] = factors.vectors
        known = np.zeros(self.data.items, dtype=np.bool_)
        # Who was never chosen has a vector too, where texts are listened to.
        known[self.dense] = np.diag(self._gram(choice)) > 0
        return LinearVectors(vectors, known)

    def choose(self, ndcg: Callable[[Scorer], float]) -> dict[str, Any]:
        """The best plain EASE, the best model of all, and all that was tried.

        Args:
            ndcg: Validation NDCG@10 of a scorer; over all that came in the time asked about, since
                the best of fifty figures of one item each is mostly luck.
        """
        with progress(label="linear", unit="model") as bar:

            def measured(scorer: Scorer) -> float:
                bar.update()
                return ndcg(scorer)

            return self._choose(measured)

    def _choose(self, ndcg: Callable[[Scorer], float]) -> dict[str, Any]:
        tried = [
            found
            for regularization in REGULARIZATION
            for found in self._tried(ndcg, LinearChoice(0.0, regularization))
        ]
        last = REGULARIZATION[-1]
        while last < MAX_REGULARIZATION and last in (
            max(tried, key=NDCG).regularization,
            _plain(tried).regularization,
        ):
            last *= GROWTH
            tried += self._tried(ndcg, LinearChoice(0.0, last))
        plain = _plain(tried)
        tried += self._faded(ndcg, max(tried, key=NDCG))
        best = max(tried, key=NDCG)
        for share in TEXT_SHARES:
            tried += self._tried(ndcg, replace(best, text=share * best.regularization))
        with_text = max(tried, key=NDCG)
        if with_text.text:
            # Texts make the gram matrix larger, so that more regularisation may pay.
            more = 2 * with_text.regularization
            tried += self._tried(ndcg, replace(with_text, regularization=more))
        tried += self._truncated(ndcg, max(tried, key=NDCG))
        tried += self._evened(ndcg, max(tried, key=NDCG))
        best = max(tried, key=NDCG)
        return {
            "ease": asdict(plain),
            "linear": asdict(best),
            "validation": [asdict(choice) for choice in tried],
        }

    def _tried(
        self, ndcg: Callable[[Scorer], float], choice: LinearChoice, since: float = 0.0
    ) -> list[LinearChoice]:
        """One inverse, measured with every decay; of events of the age `since` and older."""
        whole = self._whole(choice, since)
        models = [replace(whole, decay=decay) for decay in (1.0, *DECAY)]
        return [replace(choice, ndcg=ndcg(model), decay=model.decay) for model in models]

    def _faded(self, ndcg: Callable[[Scorer], float], best: LinearChoice) -> list[LinearChoice]:
        """The best model with old events counting less; more regularisation where that pays.

        A model is asked later than on the day after its training. The half-life is therefore the
        one that ranks best without the newest events, as long before validation as the test is
        behind it: a shorter one would do well on validation alone.
        """
        if not self.data.train_ages:
            return []

        shelf = self.data.shelf
        # Where the test is no later than validation, the best is what it was measured to be.
        stale = {0.0: self._tried(ndcg, best, shelf) if shelf else [best]}
        stale |= {fade: self._tried(ndcg, replace(best, fade=fade), shelf) for fade in FADES}
        fade = max(stale, key=lambda fade: max(map(NDCG, stale[fade])))
        if not fade:
            return []
        tried = self._tried(ndcg, replace(best, fade=fade)) if shelf else stale[fade]
        # What is left of old events is noise to be held down.
        more = replace(best, fade=fade, regularization=GROWTH * best.regularization)
        return [*tried, *self._tried(ndcg, more)]

    def _evened(self, ndcg: Callable[[Scorer], float], best: LinearChoice) -> list[LinearChoice]:
        """The best model with long histories counting less, also with more regularisation."""
        evened = [
            replace(
                best,
                even=even,
                regularization=growth * best.regularization,
                text=growth * best.text,
            )
            for even in EVEN
            for growth in (1.0, GROWTH)
        ]
        return [replace(choice, ndcg=ndcg(self.model(choice))) for choice in evened]

    def _truncated(self, ndcg: Callable[[Scorer], float], best: LinearChoice) -> list[LinearChoice]:
        """The best model with fewer directions, one eigendecomposition for all."""
        if not self.ranks:
            return []
        whole, factors = self._with_factors(best, self.ranks[-1])
        return [
            replace(best, ndcg=ndcg(truncated(whole, factors, rank)), rank=rank)
            for rank in self.ranks
        ]

    def _with_factors(self, choice: LinearChoice, rank: int) -> tuple[ItemItem, LinearFactors]:
        """The model of a choice with all of its directions, and the `rank` leading ones."""
        gram = self._gram(choice)
        whole = self._of(gram, choice)
        return whole, leading_factors(whole, gram, choice.regularization, rank)

    def _whole(self, choice: LinearChoice, since: float = 0.0) -> ItemItem:
        """The model of a choice with all of its directions, from events of an age or older."""
        return self._of(self._gram(choice, since), choice)

    def _of(self, gram: NDArray[np.float32], choice: LinearChoice) -> ItemItem:
        return ease(gram, self.dense, self.data.items, choice.regularization, choice.decay)

    def _gram(self, choice: LinearChoice, since: float = 0.0) -> NDArray[np.float32]:
        plain = not (choice.fade or choice.even or since)
        gram = self.gram if plain else self._weighted_gram(choice, since)
        return gram + np.float32(choice.text) * self._text_gram if choice.text else gram

    def _weighted_gram(self, choice: LinearChoice, since: float) -> NDArray[np.float32]:
        """Behaviour with old events and long histories counting less, in all as much as without."""
        train = self.data.train
        weights = [np.float32(len(history)) ** np.float32(-choice.even / 2) for history in train]
        ages = self.data.train_ages or [np.zeros(len(history), np.float32) for history in train]
        half_lives = 1 / np.float32(choice.fade) if choice.fade else np.float32(0)
        gram, _ = gram_matrix(
            train,
            self.data.items,
            [
                np.where(age >= since, weight * 0.5 ** ((age - np.float32(since)) * half_lives), 0)
                for weight, age in zip(weights, ages, strict=True)
            ],
        )
        gram *= np.trace(self.gram) / max(np.trace(gram), np.float32(1e-12))
        return gram

    @functools.cached_property
    def _text_gram(self) -> NDArray[np.float32]:
        """Cosines of the tf-idf vectors of the dense items."""
        return text_cosines([self.data.texts[item] for item in self.dense])


@dataclass(frozen=True)
class Linear:
    """The linear models of a run.

    Attributes:
        ease: EASE as published, regularisation by validation: the floor to fear.
        teaching: With recency, season, text and a rank where validation prefers them.
        choice: What validation preferred.
    """

    ease: ItemItem
    teaching: ItemItem
    choice: LinearChoice

    def neighbours(self) -> Neighbours:
        """Near items of every item, for synthetic histories."""
        model = self.teaching
        return Neighbours.from_weights(model.weights, model.dense, model.items)


def linear_models(models: "RunModels") -> Linear:
    """EASE, and the linear model with recency and text that teaches: a stage."""
    tried = LinearModels(models.data)

    def ndcg(scorer: Scorer) -> float:
        return float(ndcg_of(scorer, models.asked.all_that_came).mean())

    key = models.stage_key(**linear_key(models.data))
    chosen = models.run.value("linear", key, "chosen.json", lambda: tried.choose(ndcg))
    plain, best = (LinearChoice(**chosen[name]) for name in ("ease", "linear"))
    return Linear(tried.model(plain), tried.model(best), best)
