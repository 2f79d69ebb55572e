"""What a pointwise teacher learns from: pairs of a history and a candidate, liked or not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.errors import DataError
from pocketrec_distill.models.base import Floats, History
from pocketrec_distill.models.floors import interaction_counts
from pocketrec_distill.teachers.protocol import Candidates, Context

# Negatives are drawn by popularity to this power, as words are in word2vec (Mikolov, 2013).
POPULARITY_POWER = 0.75
# Redraws before a user with nearly the whole catalogue gets fewer negatives.
_TRIES = 20


@dataclass(frozen=True, eq=False)
class Examples:
    """Pairs with labels.

    Attributes:
        contexts: Whose history, of each pair.
        candidates: Item index of each, int32 (pairs,).
        labels: 1 for liked, 0 for not, float32 (pairs,).
    """

    contexts: Sequence[Context]
    candidates: Candidates
    labels: Floats

    def __post_init__(self) -> None:
        if not len(self.contexts) == len(self.candidates) == len(self.labels):
            raise DataError(
                f"{len(self.contexts)} contexts, {len(self.candidates)} candidates and "
                f"{len(self.labels)} labels; give one of each per pair"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.int64]) -> "Examples":
        """The pairs at these places."""
        contexts = [self.contexts[row] for row in rows]
        return Examples(contexts, self.candidates[rows], self.labels[rows])


def sampled_examples(
    histories: Sequence[History],
    texts: Sequence[str],
    *,
    window: int,
    negatives: int,
    most: int,
    rng: np.random.Generator,
) -> Examples:
    """Events and what came next as liked; sampled items as not.

    A negative never stands in its user's history, at any time, and never reads like an item of
    it: two catalogue entries with one text are one thing to a text model. Within one event all
    negatives are different, in text too.

    Args:
        histories: Training histories, oldest first.
        texts: Item texts as the model reads them.
        window: Events before the candidate, at most.
        negatives: Sampled items per event.
        most: Events at most, drawn evenly from all.
        rng: Source of the events and of the negatives.

    Raises:
        DataError: No user has two events.
    """
    places = np.array(
        [(user, place) for user, h in enumerate(histories) for place in range(1, len(h))],
        dtype=np.int64,
    ).reshape(-1, 2)
    if not len(places):
        raise DataError("no user has two training events; there is nothing to learn from")
    chosen = places[np.sort(rng.permutation(len(places))[:most])]
    meaning = np.unique(np.array(list(texts), dtype=object), return_inverse=True)[1]
    popularity = interaction_counts(histories, len(texts)) + 1.0
    drawn = np.cumsum(popularity**POPULARITY_POWER)
    contexts: list[Context] = []
    candidates: list[int] = []
    labels: list[float] = []
    for user, place in chosen.tolist():
        history = histories[user]
        context = Context(history[max(0, place - window) : place], position=place)
        known = set(meaning[history].tolist())
        items = [int(history[place]), *_negatives(drawn, meaning, known, negatives, rng)]
        contexts += [context] * len(items)
        candidates += items
        labels += [1.0, *[0.0] * (len(items) - 1)]
    return Examples(contexts, np.array(candidates, np.int32), np.array(labels, np.float32))


def _negatives(
    drawn: NDArray[np.float64],
    meaning: NDArray[np.int64],
    known: set[int],
    count: int,
    rng: np.random.Generator,
) -> list[int]:
    """Up to `count` items, none of a meaning known or drawn already."""
    found: list[int] = []
    taken = set(known)
    for _ in range(_TRIES):
        points = rng.random(count) * drawn[-1]
        for item in np.searchsorted(drawn, points, side="right").tolist():
            if len(found) < count and int(meaning[item]) not in taken:
                taken.add(int(meaning[item]))
                found.append(item)
        if len(found) == count:
            break
    return found
