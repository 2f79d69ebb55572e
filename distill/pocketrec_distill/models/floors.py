"""The floors: popularity, item-item co-occurrence and EASE; each closed form, each a `Scorer`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models.base import Floats, History

# The dense item-item matrices are cubic in time; the head of a long-tailed catalogue is enough.
MAX_DENSE_ITEMS = 10_000


def interaction_counts(histories: Sequence[History], items: int) -> NDArray[np.int64]:
    """How often each item was consumed, int64 (items,)."""
    counts = np.zeros(items, dtype=np.int64)
    for history in histories:
        np.add.at(counts, history, 1)
    return counts


@dataclass(frozen=True)
class Popularity:
    """Ranks by training counts, the same for everybody."""

    counts: NDArray[np.int64]

    def scores(self, histories: Sequence[History]) -> Floats:
        """Counts as float32, repeated (histories, items)."""
        return np.tile(self.counts.astype(np.float32), (len(histories), 1))


@dataclass(frozen=True)
class ItemItem:
    """Scores = sum over the history of decayed rows of an item-item matrix.

    Attributes:
        weights: float32 (dense items, dense items): row = item of the history, column = candidate.
        dense: Catalogue index of each row and column, int64 (dense items,).
        items: Number of catalogue items; those outside `dense` score 0.
        decay: Weight of an event over that of the one after it; 1 forgets the order.
    """

    weights: NDArray[np.float32]
    dense: NDArray[np.int64]
    items: int
    decay: float = 1.0

    def scores(self, histories: Sequence[History]) -> Floats:
        """Scores float32 (histories, items); of an item that repeats, the latest event counts."""
        from scipy import sparse

        column = self._columns()
        places: list[NDArray[np.int64]] = []
        values: list[NDArray[np.float32]] = []
        for history in histories:
            newest_first = column[history][::-1]
            known, first = np.unique(newest_first, return_index=True)
            inside = known >= 0
            places.append(known[inside])
            values.append(np.float32(self.decay) ** first[inside].astype(np.float32))
        offsets = np.cumsum([0, *map(len, places)])
        # Histories are short: the product costs their events, not the catalogue's square.
        matrix = sparse.csr_matrix(
            (np.concatenate(values), np.concatenate(places), offsets),
            shape=(len(histories), len(self.dense)),
        )
        return self._spread(np.asarray(matrix @ self.weights, dtype=np.float32))

    def position_scores(self, sequences: Sequence[History], newest: int) -> Floats:
        """Scores after each of the `newest` last events, carried from event to event."""
        column = self._columns()
        kept = [min(len(sequence), newest) for sequence in sequences]
        rows = np.empty((sum(kept), len(self.dense)), dtype=np.float32)
        decay, row = np.float32(self.decay), 0
        running, added = np.empty((2, len(self.dense)), dtype=np.float32)
        for sequence, last in zip(sequences, kept, strict=True):
            running[:] = 0
            last_seen: dict[int, int] = {}
            for position, item in enumerate(sequence.tolist()):
                running *= decay
                if (place := column[item]) >= 0:
                    before = last_seen.get(item)
                    stale = 0.0 if before is None else self.decay ** (position - before)
                    np.multiply(self.weights[place], np.float32(1.0 - stale), out=added)
                    running += added
                    last_seen[item] = position
                if position >= len(sequence) - last:
                    rows[row] = running
                    row += 1
        return self._spread(rows)

    def _columns(self) -> NDArray[np.int64]:
        """Dense column of each catalogue item, -1 where it has none."""
        column = np.full(self.items, -1, dtype=np.int64)
        column[self.dense] = np.arange(len(self.dense))
        return column

    def _spread(self, dense_scores: Floats) -> Floats:
        """Dense scores in catalogue order; items without a column score 0."""
        if len(self.dense) == self.items:
            return dense_scores
        scores = np.zeros((len(dense_scores), self.items), dtype=np.float32)
        scores[:, self.dense] = dense_scores
        return scores


def gram_matrix(
    histories: Sequence[History],
    items: int,
    weights: Sequence[NDArray[np.float32]] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Co-occurrence counts over users, float32 (dense, dense), and the items they stand for.

    Beyond MAX_DENSE_ITEMS only the most popular items are kept.

    Args:
        histories: Item indices, oldest first.
        items: Number of catalogue items.
        weights: What each event counts, in the shape of `histories`; of an item that repeats, the
            latest event counts. None counts every item of a history once.
    """
    from scipy import sparse

    counts = interaction_counts(histories, items)
    dense = np.sort(np.argsort(-counts, kind="stable")[:MAX_DENSE_ITEMS])
    rows = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    cells = rows * items + np.concatenate(histories)
    latest, places = np.unique(cells[::-1], return_index=True)
    values = np.ones(len(latest), dtype=np.float32)
    if weights is not None:
        values = np.concatenate(weights)[::-1][places]
    matrix = sparse.csr_matrix(
        (values, (latest // items, latest % items)), shape=(len(histories), items)
    )[:, dense]
    return (matrix.T @ matrix).toarray(), dense


def co_occurrence(histories: Sequence[History], items: int) -> ItemItem:
    """Item-item cosine similarity of user sets (Sarwar et al., WWW 2001)."""
    gram, dense = gram_matrix(histories, items)
    norms = np.sqrt(np.maximum(np.diag(gram), np.float32(1.0)))
    similarity = gram / norms[:, None] / norms[None, :]
    np.fill_diagonal(similarity, 0.0)
    return ItemItem(similarity.astype(np.float32, copy=False), dense, items)


def ease(
    gram: NDArray[np.float32],
    dense: NDArray[np.int64],
    items: int,
    regularization: float,
    decay: float = 1.0,
) -> ItemItem:
    """EASE: the closed-form linear item-item model with zero diagonal (Steck, WWW 2019).

    With a gram matrix of behaviour plus a multiple of one of item texts it is the model with side
    information of Jeunen, Van Balen and Goethals (RecSys 2020): texts act as more users. Single
    precision is enough and takes half of time and memory: on MovieLens small (9,125 items) no
    weight changes by more than 1e-5 where the largest is .35 (regularization 10).

    Raises:
        ConfigError: `regularization` is not positive, so that the inverse may not exist.
    """
    from scipy import linalg

    if not regularization > 0:
        raise ConfigError(f"EASE regularization is {regularization}; it must be positive")
    # An item without behaviour and text stands alone: its weights are 0, and the inverse of the
    # others is the same without it.
    (linked,) = np.nonzero(np.diag(gram))
    block = gram if len(linked) == len(gram) else gram[np.ix_(linked, linked)]
    # Symmetric, so that its transpose is itself in the order that LAPACK works on in place.
    matrix = block.astype(np.float32).T
    matrix[np.diag_indices_from(matrix)] += np.float32(regularization)
    lower = linalg.cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
    precision, _ = linalg.lapack.spotri(lower, lower=True, overwrite_c=True)
    half = np.tril(precision, -1)
    found = half + half.T
    found /= -np.diag(precision)
    if block is gram:
        return ItemItem(np.ascontiguousarray(found), dense, items, decay)
    weights = np.zeros(gram.shape, dtype=np.float32)
    weights[np.ix_(linked, linked)] = found
    return ItemItem(weights, dense, items, decay)
