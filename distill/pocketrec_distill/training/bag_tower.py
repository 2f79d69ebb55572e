"""Fitting the bag-of-pieces item tower: ridge regression of item vectors on tf-idf, closed form."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketrec_distill.models.bag_tower import BagTower
from pocketrec_distill.models.item_tower import PADDING_TOKEN
from pocketrec_distill.models.tfidf import inverse_frequencies, weighted
from pocketrec_distill.training.held_out import held_out, mean_cosine
from pocketrec_distill.training.item_tower import ItemTowerSettings, tokenize, train_tokenizer
from pocketrec_distill.training.new_items import LevelOf, unchanged

Floats = NDArray[np.float32]

STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Ridge penalties tried; a text's tf-idf has unit length, so that 1 is a text's own weight."""


def bags(tokens: Sequence[NDArray[np.int64]], pieces: int) -> Any:
    """How often each piece stands in each text, SciPy CSR float32 (texts, pieces); no padding."""
    from scipy import sparse

    rows = np.repeat(np.arange(len(tokens)), [len(row) for row in tokens])
    columns = np.concatenate(tokens)
    there = columns != PADDING_TOKEN
    counts = sparse.csr_matrix(
        (np.ones(int(there.sum()), np.float32), (rows[there], columns[there])),
        shape=(len(tokens), pieces),
    )
    counts.sum_duplicates()
    return counts


def ridge_map(rows: Any, targets: Floats, strength: float) -> Floats:
    """The map float32 (pieces, width) of least squares with a penalty.

    Of the two forms of the solution the one with the smaller system is taken.

    Args:
        rows: SciPy sparse float32 (texts, pieces).
        targets: float32 (texts, width), centred.
        strength: The penalty.
    """
    texts, pieces = rows.shape
    if texts <= pieces:
        return np.asarray(rows.T @ _solved(rows @ rows.T, targets, strength), dtype=np.float32)
    return _solved(rows.T @ rows, np.asarray(rows.T @ targets), strength)


def _solved(gram: Any, targets: Floats, strength: float) -> Floats:
    from scipy import linalg

    matrix = gram.toarray()
    matrix[np.diag_indices_from(matrix)] += np.float32(strength)
    solved: Floats = linalg.solve(matrix, targets, assume_a="pos", overwrite_a=True)
    return solved.astype(np.float32, copy=False)


def fit_bag_tower(
    texts: Sequence[str],
    targets: Floats,
    settings: ItemTowerSettings,
    seed: int,
    level_of: LevelOf = unchanged,
) -> tuple[BagTower, bytes, dict[str, float]]:
    """The tower of these texts, and how well it does on items that it has not seen.

    Args:
        texts: Item texts.
        targets: LLM-derived item vectors float32 (items, width).
        settings: Vocabulary and tokens read.
        seed: Of the held-out items, a tenth, which decide the penalty.
        level_of: Places the vectors of new items among known ones, from the held-out items.

    Returns:
        The tower, the SentencePiece model's bytes, and `held_out_cosine`, `train_cosine` (mean
        cosine to the targets), `vocabulary`, `ridge` and `scale` (of the level).
    """
    import sentencepiece

    model = train_tokenizer(texts, settings.vocabulary)
    tokenizer = sentencepiece.SentencePieceProcessor(model_proto=model)
    counts = bags(tokenize(tokenizer, texts, settings.max_tokens), tokenizer.get_piece_size())
    idf = inverse_frequencies(counts)
    rows = weighted(counts, idf)
    out, kept = held_out(len(texts), seed)
    found = {s: _predicted(rows[kept], targets[kept], rows[out], s) for s in STRENGTHS}
    best = max(STRENGTHS, key=lambda strength: mean_cosine(found[strength], targets[out]))
    bias = targets.mean(axis=0)
    table = ridge_map(rows, targets - bias, best)
    tower = BagTower(idf.astype(np.float32), table, bias)
    level = level_of(out, found[best])
    figures = {
        "held_out_cosine": mean_cosine(found[best], targets[out]),
        "train_cosine": mean_cosine(rows @ table + bias, targets),
        "vocabulary": tokenizer.get_piece_size(),
        "ridge": best,
        "scale": level.scale,
    }
    tower.place(level.scale, torch.from_numpy(level.shift))
    return tower, model, figures


def _predicted(rows: Any, targets: Floats, others: Any, strength: float) -> Floats:
    bias = targets.mean(axis=0)
    vectors: Floats = others @ ridge_map(rows, targets - bias, strength) + bias
    return vectors
