"""The floor of text: tf-idf vectors, a user being the mean of the items in the history."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.models.base import Floats, History

_WORD = re.compile(r"\w+")


def tfidf_matrix(texts: Sequence[str]) -> Any:
    """Rows of unit length, SciPy CSR float32 (texts, words); an empty text is a row of zeros.

    Words are runs of letters and digits in lower case; a weight is (1 + log count) times
    log((1 + texts) / (1 + texts with the word)) + 1 (Salton and Buckley, 1988; smoothed so that no
    word divides by zero or counts nothing).
    """
    from scipy import sparse

    columns: dict[str, int] = {}
    rows: list[int] = []
    places: list[int] = []
    for row, text in enumerate(texts):
        for word in _WORD.findall(text.lower()):
            rows.append(row)
            places.append(columns.setdefault(word, len(columns)))
    shape = (len(texts), max(1, len(columns)))
    counts = sparse.coo_matrix((np.ones(len(rows)), (rows, places)), shape).tocsr()
    counts.sum_duplicates()
    seen = np.bincount(counts.indices, minlength=shape[1])
    rarity = np.log((1 + len(texts)) / (1 + seen)) + 1
    counts.data = (1 + np.log(counts.data)) * rarity[counts.indices]
    lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    scale = sparse.diags(1 / np.where(lengths > 0, lengths, 1))
    return (scale @ counts).tocsr().astype(np.float32)


class TfIdf:
    """Ranks by the cosine of an item's text to the mean of the texts in the history.

    Args:
        texts: Text of every item; it needs no event, so that new items rank as all others.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.matrix = tfidf_matrix(texts)

    def scores(self, histories: Sequence[History]) -> Floats:
        """Cosines float32 (histories, items)."""
        from scipy import sparse

        lengths = [len(history) for history in histories]
        places = np.concatenate([*histories, np.zeros(0, dtype=np.int64)])
        offsets: NDArray[np.int64] = np.cumsum([0, *lengths])
        members = sparse.csr_matrix(
            (np.ones(len(places), dtype=np.float32), places, offsets),
            shape=(len(histories), self.matrix.shape[0]),
        )
        centroids = members @ self.matrix
        norms = np.sqrt(np.asarray(centroids.multiply(centroids).sum(axis=1)).ravel())
        products: Floats = (centroids @ self.matrix.T).toarray()
        scores: Floats = (products / np.where(norms > 0, norms, 1)[:, None]).astype(np.float32)
        return scores
