"""The floor of text: tf-idf vectors, a user being the mean of the items in the history."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.models.base import Floats, History

_WORD = re.compile(r"\w+")


def tfidf_matrix(texts: Sequence[str]) -> Any:
    """`tfidf_of_words` of texts; words are runs of letters and digits in lower case."""
    return tfidf_of_words([_WORD.findall(text.lower()) for text in texts])


def tfidf_of_words(words: Sequence[Sequence[str]]) -> Any:
    """Rows of unit length, SciPy CSR float32 (rows, distinct words); no words are a row of zeros.

    A weight is (1 + log count) times log((1 + rows) / (1 + rows with the word)) + 1 (Salton and
    Buckley, 1988; smoothed so that no word divides by zero or counts nothing).
    """
    from scipy import sparse

    columns: dict[str, int] = {}
    rows: list[int] = []
    places: list[int] = []
    for row, found in enumerate(words):
        for word in found:
            rows.append(row)
            places.append(columns.setdefault(word, len(columns)))
    shape = (len(words), max(1, len(columns)))
    counts = sparse.coo_matrix((np.ones(len(rows)), (rows, places)), shape).tocsr()
    counts.sum_duplicates()
    return weighted(counts, inverse_frequencies(counts))


def inverse_frequencies(counts: Any) -> NDArray[np.float64]:
    """log((1 + rows) / (1 + rows with the word)) + 1 of each column of counts, (columns,)."""
    rows = counts.shape[0]
    seen = np.bincount(counts.indices, minlength=counts.shape[1])
    found: NDArray[np.float64] = np.log((1 + rows) / (1 + seen)) + 1
    return found


def weighted(counts: Any, rarity: NDArray[np.floating]) -> Any:
    """(1 + log count) times the rarity of each column, rows of unit length, SciPy CSR float32.

    Args:
        counts: SciPy CSR (rows, columns), how often each column stands in a row.
        rarity: From `inverse_frequencies`, (columns,).
    """
    from scipy import sparse

    rows = counts.astype(np.float64)
    rows.data = (1 + np.log(rows.data)) * rarity[rows.indices]
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    scale = sparse.diags(1 / np.where(lengths > 0, lengths, 1))
    return (scale @ rows).tocsr().astype(np.float32)


def text_cosines(texts: Sequence[str]) -> Floats:
    """Cosines of the tf-idf vectors of all pairs of texts, float32 (texts, texts)."""
    rows = tfidf_matrix(texts)
    cosines: Floats = (rows @ rows.T).toarray().astype(np.float32)
    return cosines


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
