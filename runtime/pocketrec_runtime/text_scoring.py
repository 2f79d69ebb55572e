"""Scoring candidates by their text alone, for a history of known ids and of texts."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.answers import AnswerSource, TextScore, TextScores
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.lookup import resolve

if TYPE_CHECKING:
    from pocketrec_runtime.engine import Engine

_PART = 8192


def score_texts(
    engine: "Engine",
    history: Sequence[str],
    texts: Sequence[str],
    history_texts: Mapping[str, str] | None = None,
) -> TextScores:
    """How likely each text is to be clicked next, as `Engine.score_texts`."""
    vectors, unknown = history_vectors(engine, history, history_texts or {})
    candidates = engine.encode_items(texts)
    source: AnswerSource = "device"
    reason = "scored from text by the item tower on this device"
    if not len(vectors):
        source, reason = "popularity", "the history is empty; scored for the average reader"
        if unknown:
            reason = "nothing of the history is known; scored for the average reader"
        vectors = average_item(engine)[None]
    bias = engine.manifest.model.new_item_bias
    scores = candidates @ engine.user_vector(vectors) + np.float32(bias)
    probabilities = engine.probability(scores)
    items = tuple(map(TextScore, scores.tolist(), probabilities.tolist()))
    return TextScores(items, source, reason, engine.fingerprint, unknown)


def history_vectors(
    engine: "Engine", history: Sequence[str], texts: Mapping[str, str]
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Item vectors (events, width) of the newest `window` known events, and the unknown ids.

    An id of the catalogue has its row; any other id its text, where `texts` has one.

    Raises:
        InputError: An id or a text is no string, or texts are needed and there is no item tower.
    """
    catalogue = engine.catalogue
    _, missing = resolve(catalogue, history, "history")
    unknown = tuple(item_id for item_id in missing if item_id not in texts)
    left_out = set(unknown)
    events = [item_id for item_id in history if item_id not in left_out][-engine.window :]
    new = [item_id for item_id in dict.fromkeys(events) if catalogue.index_of(item_id) is None]
    encoded: NDArray[np.float32] = np.empty((0, engine.manifest.model.width), np.float32)
    if new:
        encoded = engine.encode_items([_text(texts, item_id) for item_id in new])
    by_id = dict(zip(new, encoded, strict=True))
    rows = []
    for item_id in events:
        index = catalogue.index_of(item_id)
        rows.append(by_id[item_id] if index is None else catalogue.vectors_of([index])[0])
    return (np.stack(rows) if rows else encoded[:0]), unknown


def _text(texts: Mapping[str, str], item_id: str) -> str:
    text = texts[item_id]
    if not isinstance(text, str):
        raise InputError(f"history_texts[{item_id!r}] is {text!r}; give a string")
    return text


def average_item(engine: "Engine") -> NDArray[np.float32]:
    """The mean item vector, each item by its popularity; by none where none is known."""
    popularity = engine.catalogue.popularity
    weights = popularity if popularity.sum() > 0 else np.ones_like(popularity)
    total = np.zeros(engine.catalogue.width, np.float64)
    # In parts: the float vectors of a large catalogue are four times its rows.
    for start in range(0, len(weights), _PART):
        part = np.arange(start, min(start + _PART, len(weights)))
        total += weights[part] @ engine.catalogue.vectors_of(part)
    mean: NDArray[np.float32] = (total / weights.sum()).astype(np.float32)
    return mean
