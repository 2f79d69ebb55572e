"""Item vectors of the click model, and impressions in terms of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.clicks.head import ClickRows
from pocketrec_distill.data.impressions import Impressions

Floats = NDArray[np.float32]

_LEAST_SPREAD = 1e-6


def standard_directions(states: Floats, width: int) -> Floats:
    """Unit vectors (texts, width) whose products are near those of the standardised states.

    Each dimension gets zero mean and unit variance, rows get unit length: an encoder's states
    share a few large dimensions that say nothing about the difference of two texts. The
    `width` first principal components keep the products best.
    """
    wide = states.astype(np.float64)
    spread = np.maximum(wide.std(axis=0), _LEAST_SPREAD)
    rows = _unit((wide - wide.mean(axis=0)) / spread)
    _, _, directions = np.linalg.svd(rows, full_matrices=False)
    kept = _unit(rows @ directions[:width].T)
    result = np.zeros((len(kept), width), np.float32)
    result[:, : kept.shape[1]] = kept
    return result


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: NDArray[np.float64] = rows / np.maximum(lengths, 1e-12)
    return units


def click_counts(impressions: Impressions, places: Mapping[str, int]) -> NDArray[np.int64]:
    """Clicks of each item, those of the histories and of the impressions together, (items,)."""
    counts = np.zeros(len(places), np.int64)
    histories = {id(history): history for history in impressions.histories}.values()
    for history in histories:
        for item in history:
            counts[places[item]] += 1
    for shown, labels in zip(impressions.candidates, impressions.labels, strict=True):
        for item, clicked in zip(shown, labels.tolist(), strict=True):
            counts[places[item]] += clicked
    return counts


def click_rows(
    impressions: Impressions,
    places: Mapping[str, int],
    histories: Floats,
    candidates: Floats,
    average: Floats,
    window: int,
) -> ClickRows:
    """Impressions as rows to learn from.

    Args:
        impressions: What was shown and clicked.
        places: Item id to row of the two tables.
        histories: Item vectors as the bundle's catalogue holds them, float32 (items, width).
        candidates: Item vectors as the bundle's item tower makes them of the texts, same shape.
        average: What stands for an empty history, float32 (width,).
        window: Newest events that count.
    """
    means = np.stack(
        [_mean(histories, places, history, average, window) for history in impressions.histories]
    )
    shown = [places[item] for ids in impressions.candidates for item in ids]
    sizes = list(map(len, impressions.candidates))
    return ClickRows(
        means=means.astype(np.float32),
        candidates=np.ascontiguousarray(candidates[shown]),
        impression=np.repeat(np.arange(len(sizes)), sizes),
        labels=np.concatenate(impressions.labels).astype(np.float32),
    )


def _mean(
    vectors: Floats,
    places: Mapping[str, int],
    history: Sequence[str],
    average: Floats,
    window: int,
) -> Floats:
    rows = [places[item] for item in history[-window:]]
    mean: Floats = vectors[rows].mean(axis=0) if rows else average
    return mean
