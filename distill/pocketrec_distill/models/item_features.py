"""What the text-fed models read of an item: LLM states, words and relations, side by side."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.models.student import standardised
from pocketrec_distill.models.tfidf import tfidf_matrix, tfidf_of_words

Floats = NDArray[np.float32]

# Up to here the dense decomposition is quick, and it knows no failure to converge.
_DENSE = 500


def singular_features(matrix: object, width: int) -> Floats:
    """Latent semantic analysis (Deerwester et al., 1990): the leading singular directions of rows.

    Args:
        matrix: SciPy sparse (rows, columns).
        width: Directions kept; at most one less than the rows and the columns.

    Returns:
        float32 (rows, at most width), centred, each row of unit length but for empty ones; the same
        on every machine up to rounding, signs included.
    """
    from scipy import sparse
    from scipy.sparse.linalg import svds

    values = sparse.csr_matrix(matrix, dtype=np.float64)
    kept = min(width, min(values.shape) - 1)
    if kept < 1 or not values.nnz:
        return np.zeros((values.shape[0], 0), dtype=np.float32)
    if min(values.shape) <= _DENSE:
        left, strength, _ = np.linalg.svd(values.toarray(), full_matrices=False)
        left, strength = left[:, :kept], strength[:kept]
    else:
        left, strength, _ = svds(values, k=kept, v0=np.ones(min(values.shape)))
    rows = (left * strength)[:, np.argsort(-strength, kind="stable")]
    # A singular direction has no sign of its own: its largest entry is made positive.
    rows *= np.sign(rows[np.abs(rows).argmax(axis=0), np.arange(kept)])
    rows -= rows.mean(axis=0)
    # What rounding leaves of a text that all items share is no direction.
    rows[np.abs(rows).max(axis=1) < 1e-9] = 0
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.where(np.diff(values.indptr)[:, None] > 0, rows / np.maximum(lengths, 1e-12), 0)
    return np.ascontiguousarray(rows, dtype=np.float32)


def lexical_features(texts: Sequence[str], width: int) -> Floats:
    """Words of the texts, float32 (texts, at most width).

    A pooled LLM state says what an item is about; it hardly says that two items share a model
    number. On sparse data these features lift every text-fed model (docs/distillation.md).
    """
    return singular_features(tfidf_matrix(texts), width)


def relation_features(entities: Sequence[Sequence[str]], width: int) -> Floats:
    """Entities that items are related to, float32 (items, at most width); 0 where there is none."""
    return singular_features(tfidf_of_words(entities), width)


def beside(states: Floats, *blocks: Floats) -> Floats:
    """Standardised LLM states and further blocks, float32 (items, sum of widths)."""
    return np.ascontiguousarray(np.concatenate([standardised(states).numpy(), *blocks], axis=1))
