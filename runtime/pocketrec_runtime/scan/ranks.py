"""The place of one item among all, for many user vectors at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.scan.exact import ItemRows
from pocketrec_runtime.scan.fixed import FixedQuery


def ranks_of(
    rows: ItemRows, queries: Sequence[FixedQuery], item: int, candidates: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Ranks (1 is best) of one item for each query, int64 (queries,); ties by item index.

    Rows are converted once for all queries, part by part. A score that is not finite stands behind
    every other.

    Args:
        rows: The catalogue's rows.
        queries: User vectors.
        item: An item index; it need not be a candidate.
        candidates: bool (n,), the items that it is ranked among.
    """
    own = _finite(np.array([rows.scores(query, np.array([item]))[0] for query in queries]))
    before = np.zeros(len(queries), np.int64)
    for part, scores in rows.scores_in_parts(queries):
        others = _finite(scores[candidates[part]])
        indices = np.arange(part.start, part.stop)[candidates[part]]
        earlier = (indices < item)[:, None]
        before += ((others > own) | ((others == own) & earlier)).sum(axis=0)
    return before + 1


def _finite(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(np.isfinite(scores), scores, np.float32(-np.inf))
