"""How high the vectors of new items stand beside those of known ones.

A trained item has a residual of its own beside what its text says, a new one has its text alone:
its vector is shorter, and hardly ever among the first ten. Items that the tower has not seen, but
whose trained vectors are there, tell by how much. Their tower vectors are scaled, and shifted in
the direction that raises an item for every user alike, until they are shown as often as they are by
their trained vectors; of the scales for which that can be done, the one that ranks best is taken.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.models.base import History

Floats = NDArray[np.float32]

TOP = 10
SCALES = (0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
_HALVINGS = 40
# Of the mean squared length of user vectors: what keeps the raising direction short.
_RIDGE = 1e-3


@dataclass(frozen=True)
class Level:
    """What a vector of a new item becomes: `scale * vector + shift`.

    Attributes:
        scale: Factor of the vector.
        shift: float32 (width,).
    """

    scale: float
    shift: Floats

    def apply(self, vectors: Floats) -> Floats:
        """Vectors float32 (items, width) at their level."""
        placed: Floats = np.float32(self.scale) * vectors + self.shift
        return placed


LevelOf = Callable[[NDArray[np.int64], Floats], Level]
"""The level from held-out items, int64 (rows,), and their tower vectors, float32 (rows, width)."""


def unchanged(rows: NDArray[np.int64], vectors: Floats) -> Level:  # noqa: ARG001 - see LevelOf
    """The level that leaves every vector as it is."""
    return Level(1.0, np.zeros(vectors.shape[1], np.float32))


@dataclass(frozen=True)
class Audience:
    """Whose lists tell how often an item is shown.

    Attributes:
        users: User vectors float32 (queries, width).
        table: Trained item vectors float32 (items, width).
        bias: Of known items, float32 (items,); a new one has none.
        histories: Items seen before each query, which are not shown.
        targets: Item that came next, (queries,).
    """

    users: Floats
    table: Floats
    bias: Floats
    histories: Sequence[History]
    targets: NDArray[np.integer]

    def level(self, rows: NDArray[np.int64], vectors: Floats) -> Level:
        """The level of new items, see the head of this file.

        Args:
            rows: Items of `table` that the tower has not seen, int64 (rows,).
            vectors: The tower's vectors of their texts, float32 (rows, width).
        """
        if not len(self.users):
            return unchanged(rows, vectors)
        lists = self._lists(rows, vectors)
        wanted = lists.share_shown(_best(self._scores(rows, self.table[rows])))
        if not wanted:
            return unchanged(rows, vectors)
        raising = self._raising()
        heights = self.users @ raising
        found = [(scale, lists.shift_for(wanted, scale, heights)) for scale in SCALES]
        scale, shift = max(found, key=lambda pair: lists.ndcg(pair[0], pair[1] * heights))
        return Level(scale, np.float32(shift) * raising)

    def _raising(self) -> Floats:
        """The vector whose product with every user vector is nearest to 1, by ridge regression."""
        gram = self.users.T @ self.users / len(self.users)
        ridge = _RIDGE * np.trace(gram) / len(gram)
        found: Floats = np.linalg.solve(
            gram + ridge * np.eye(len(gram), dtype=np.float32), self.users.mean(axis=0)
        )
        return found.astype(np.float32)

    def _lists(self, rows: NDArray[np.int64], vectors: Floats) -> "_Lists":
        queries = np.arange(len(self.users))
        everything = np.arange(len(self.table))
        known = self._scores(everything, self.table) + self.bias
        own = self._scores(rows, vectors)
        place = self._places(rows)[self.targets]
        target = np.where(place >= 0, own[queries, place], known[queries, self.targets])
        known[:, rows] = -np.inf
        return _Lists(_best(known), _best(own), target, place >= 0)

    def _scores(self, rows: NDArray[np.int64], vectors: Floats) -> Floats:
        """Scores of items with such vectors for each query, (queries, rows); -inf for seen ones."""
        scores: Floats = self.users @ vectors.T
        places = self._places(rows)
        for row, history in enumerate(self.histories):
            seen = places[history]
            scores[row, seen[seen >= 0]] = -np.inf
        return scores

    def _places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each item of the table stands among `rows`, -1 for one that does not."""
        places = np.full(len(self.table), -1)
        places[rows] = np.arange(len(rows))
        return places


@dataclass(frozen=True)
class _Lists:
    """What decides every list of ten, whatever the level.

    Attributes:
        known: Best scores of items that stay as they are (queries, TOP), best first.
        new: The same of the items that are placed, before that.
        target: Score of the item that came next (queries,), of a placed one before that.
        is_new: Whether it is a placed one.
    """

    known: Floats
    new: Floats
    target: Floats
    is_new: NDArray[np.bool_]

    def share_shown(self, new: Floats) -> float:
        """Share of the places of all lists that items of such best scores take."""
        above = (self.known[:, None, :] >= new[:, :, None]).sum(axis=2)
        places = np.arange(new.shape[1])
        return float(((above + places < TOP) & np.isfinite(new)).sum() / (TOP * len(new)))

    def shift_for(self, wanted: float, scale: float, heights: Floats) -> float:
        """What times `heights` must be added to scaled scores, so that they take such a share."""
        widest = float(np.abs(self.known[np.isfinite(self.known)]).max(initial=1.0))
        widest += scale * float(np.abs(self.new[np.isfinite(self.new)]).max(initial=1.0))
        low, high = -2 * widest, 2 * widest
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            shown = self.share_shown(np.float32(scale) * self.new + middle * heights[:, None])
            low, high = (middle, high) if shown < wanted else (low, middle)
        return high

    def ndcg(self, scale: float, raised: Floats) -> float:
        """Mean NDCG@10 of what came next, placed items at such a level."""
        new = np.float32(scale) * self.new + raised[:, None]
        target = np.where(self.is_new, np.float32(scale) * self.target + raised, self.target)
        above = (self.known >= target[:, None]).sum(axis=1) + (new >= target[:, None]).sum(axis=1)
        # Among the ten of its own kind it is counted itself; below them nothing else counts.
        ranks = above + (target < np.where(self.is_new, new[:, -1], self.known[:, -1]))
        return float(np.where(ranks <= TOP, 1 / np.log2(ranks + 1), 0.0).mean())


def _best(scores: Floats) -> Floats:
    """The TOP highest of each row, best first."""
    count = min(TOP, scores.shape[1])
    best = -np.partition(-scores, count - 1, axis=1)[:, :count]
    return -np.sort(-best, axis=1)
