"""Vectors for items that nobody chose in training, from those whose texts are nearest.

In training such an item is a negative of every event and the answer to none: a sequence model
learns that it is never chosen, which is true of the log alone. As a part of a blend it holds the
item down against the parts that read texts. Known items of like text may say more of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocketrec_distill.models.base import Floats
from pocketrec_distill.models.tfidf import tfidf_matrix

NEIGHBOURS = 3
# Cosines that are held at a time.
_CELLS = 16_000_000


@dataclass(frozen=True)
class NearestKnown:
    """The known items that stand for each unknown one.

    Attributes:
        unknown: Items without an event, int64 (unknown,).
        known: All others, int64 (known,).
        neighbours: Known items of nearest text, int64 (unknown, at most NEIGHBOURS).
        shares: How much each counts, float32, in the shape of `neighbours`; a row sums to 1, or to
            0 where no known item shares a word.
    """

    unknown: NDArray[np.int64]
    known: NDArray[np.int64]
    neighbours: NDArray[np.int64]
    shares: NDArray[np.float32]

    @classmethod
    def of(cls, texts: Sequence[str], counts: NDArray[np.int64]) -> "NearestKnown":
        """Neighbours by the cosine of tf-idf vectors, which is also how much they count.

        Args:
            texts: Text of every item.
            counts: Training events of each, int64 (items,).
        """
        unknown, known = np.flatnonzero(counts == 0), np.flatnonzero(counts)
        nearest = min(NEIGHBOURS, len(known))
        neighbours = np.zeros((len(unknown), nearest), dtype=np.int64)
        shares = np.zeros((len(unknown), nearest), dtype=np.float32)
        if not shares.size:
            return cls(unknown, known, neighbours, shares)
        matrix = tfidf_matrix(texts)
        others = matrix[known].T.tocsr()
        batch = max(1, _CELLS // len(known))
        for start in range(0, len(unknown), batch):
            rows = np.arange(start, min(start + batch, len(unknown)))
            cosines = (matrix[unknown[rows]] @ others).toarray()
            for place in range(nearest):
                # Of equal ones the first in the catalogue, on every machine.
                best = cosines.argmax(axis=1)
                neighbours[rows, place] = known[best]
                shares[rows, place] = cosines[rows - start, best]
                cosines[rows - start, best] = -1
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), np.float32(1e-12))
        return cls(unknown, known, neighbours, shares)

    def fill(self, vectors: Tensor) -> Tensor:
        """The same vectors (items, width), but for unknown items the mean of their neighbours'.

        An item without neighbours gets the mean of all known ones: no better, and no worse.
        """
        if not self.shares.size:
            return vectors
        neighbours, shares, known, unknown = (
            torch.from_numpy(kept).to(vectors.device)
            for kept in (self.neighbours, self.shares, self.known, self.unknown)
        )
        filled = (1 - shares.sum(dim=1, keepdim=True)).round() * vectors[known].mean(dim=0)
        for place in range(shares.shape[1]):
            filled += shares[:, place, None] * vectors[neighbours[:, place]]
        return vectors.index_copy(0, unknown, filled.to(vectors.dtype))

    def fill_scores(self, scores: Floats) -> Floats:
        """What scores (histories, items) become where vectors are filled.

        A score is an inner product, so that the mean of vectors scores the mean of scores. Unknown
        items in the histories are not looked at.
        """
        return self.fill(torch.from_numpy(scores).T).T.contiguous().numpy()
