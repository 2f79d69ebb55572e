"""From a request to its answer: ids to indices, scores to the best items. Decisions only."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from pocketrec.wire import (
    RecommendAnswer,
    RecommendRequest,
    ScoreAnswer,
    ScoredItem,
    ScoreRequest,
    Source,
)
from pocketrec_runtime import Catalogue
from pocketrec_runtime.lookup import drop_retired, resolve
from pocketrec_runtime.scan import best


def known_history(catalogue: Catalogue, history: Sequence[str]) -> tuple[int, ...]:
    """Indices of the events that the catalogue knows, oldest first."""
    known, _ = resolve(catalogue, history, "history")
    return tuple(known)


def recommended(
    catalogue: Catalogue, model: str, request: RecommendRequest, scores: NDArray[np.float32] | None
) -> RecommendAnswer:
    """The best items that are neither of the history, denied nor retired; ties by index.

    Args:
        catalogue: The model's.
        model: Its fingerprint.
        request: What was asked.
        scores: Finite, (items,); None ranks by popularity.
    """
    ranked = (catalogue.popularity if scores is None else scores).copy()
    excluded, _ = resolve(catalogue, [*request.history, *request.deny], "history")
    ranked[excluded] = -np.inf
    if catalogue.active is not None:
        ranked[~catalogue.active] = -np.inf
    indices, values = best(ranked, request.k)
    return RecommendAnswer(
        model, _scored(catalogue, indices.tolist(), values.tolist()), _source(scores)
    )


def scored(
    catalogue: Catalogue, model: str, request: ScoreRequest, scores: NDArray[np.float32] | None
) -> ScoreAnswer:
    """Scores of the candidates that the catalogue knows and did not retire, as they were asked."""
    known, unknown = resolve(catalogue, request.candidates, "candidates")
    wanted, _ = drop_retired(catalogue, known, unknown)
    values = (catalogue.popularity if scores is None else scores)[wanted].tolist()
    return ScoreAnswer(model, _scored(catalogue, wanted, values), _source(scores))


def described(catalogue: Catalogue, indices: Collection[int]) -> list[dict[str, object]]:
    """Id and display columns of items."""
    return [
        {
            "id": catalogue.ids[index],
            "columns": {name: _plain(column[index]) for name, column in catalogue.columns.items()},
        }
        for index in indices
    ]


def _plain(value: object) -> object:
    """A column's value as JSON knows it."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _source(scores: NDArray[np.float32] | None) -> Source:
    return "popularity" if scores is None else "model"


def _scored(
    catalogue: Catalogue, indices: Sequence[int], values: Sequence[float]
) -> tuple[ScoredItem, ...]:
    return tuple(
        ScoredItem(catalogue.ids[index], value)
        for index, value in zip(indices, values, strict=True)
    )
