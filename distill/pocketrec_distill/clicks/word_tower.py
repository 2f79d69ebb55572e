"""The click item tower: a weighted mean of word vectors, of unit length; distilled from an encoder.

A table of word vectors knows words that no text of the catalogue holds, which an encoder trained
on the catalogue alone cannot; and it reads a text in microseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from pocketrec_distill.models.item_tower import PADDING_TOKEN
from pocketrec_distill.progress import progress
from pocketrec_distill.training.held_out import held_out, mean_cosine

Floats = NDArray[np.float32]
Tokens = Sequence[NDArray[np.int64]]

TOKEN_DROPOUT = 0.1
SMALLEST = 1e-12
"""Added to the square of a length, so that a text of no known word is no division by 0."""

_BATCH = 128
_RIDGE = 1e-2
# SIF's a (Arora, Liang and Ma, ICLR 2017): words more frequent than this count less.
_FREQUENT = 1e-3


class WordTower(nn.Module):
    """Token ids to a unit vector.

    Args:
        vectors: Start of the word vectors, float32 (pieces, width).
        weights: Start of the words' weights, above 0, float32 (pieces,).
    """

    def __init__(self, vectors: Floats, weights: Floats) -> None:
        super().__init__()
        pieces, width = vectors.shape
        logs = torch.from_numpy(np.log(weights)[:, None])
        self.words = nn.Embedding(pieces, width, _weight=torch.from_numpy(vectors))
        self.logs = nn.Embedding(pieces, 1, _weight=logs)

    def forward(self, token_ids: Tensor) -> Tensor:
        """Vectors (batch, width) of int64 (batch, tokens); 0 is padding, which alone gives 0."""
        kept = (token_ids != PADDING_TOKEN).float()[..., None]
        weights = self.logs(token_ids).exp() * kept
        total = (self.words(token_ids) * weights).sum(dim=1)
        # Not functional.normalize: its norm of 0 has no gradient.
        vectors: Tensor = total / total.pow(2).sum(dim=1, keepdim=True).add(SMALLEST).sqrt()
        return vectors


@dataclass(frozen=True)
class WordTowerFit:
    """How near the tower comes to the encoder.

    Attributes:
        held_out_cosine: Mean cosine on texts that a tower trained without them never saw.
        train_cosine: Mean cosine on the texts that it learned from.
        start_cosine: The same before training, by least squares alone.
    """

    held_out_cosine: float
    train_cosine: float
    start_cosine: float


def word_weights(tokens: Tokens, pieces: int) -> Floats:
    """SIF weights a / (a + frequency) of each piece in the catalogue; unused ones count fully."""
    counts = np.bincount(np.concatenate(tokens), minlength=pieces)
    weights: Floats = (_FREQUENT / (_FREQUENT + counts / max(1, counts.sum()))).astype(np.float32)
    return weights


def projected(pieces: Floats, tokens: Tokens, weights: Floats, targets: Floats) -> Floats:
    """Word vectors (pieces, width) whose weighted means fit `targets` best, by ridge regression.

    Args:
        pieces: The encoder's vectors of single pieces, float32 (pieces, encoder width).
        tokens: Token ids of each text.
        weights: Weight of each piece.
        targets: What each text should give, float32 (texts, width).
    """
    spread = pieces.std(axis=0) + 1e-6
    scaled = (pieces - pieces.mean(axis=0)) / spread / np.sqrt(pieces.shape[1])
    means = np.stack([_mean(scaled, weights, row) for row in tokens])
    gram = means.T @ means
    gram += np.eye(len(gram), dtype=np.float32) * _RIDGE * np.trace(gram) / len(gram)
    vectors: Floats = (scaled @ np.linalg.solve(gram, means.T @ targets)).astype(np.float32)
    return np.ascontiguousarray(vectors)


def _mean(vectors: Floats, weights: Floats, tokens: NDArray[np.int64]) -> Floats:
    share = weights[tokens] * (tokens != PADDING_TOKEN)
    mean: Floats = share @ vectors[tokens] / max(float(share.sum()), 1e-6)
    return mean


def distil_word_tower(
    pieces: Floats,
    tokens: Tokens,
    targets: Floats,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
) -> tuple[WordTower, WordTowerFit]:
    """A word tower whose vectors of the texts come near the encoder's.

    A first tower learns from 90% of the texts and is measured on the rest; the one returned learns
    from all of them. The word vectors of pieces that no text holds stay as least squares made them.

    Args:
        pieces: The encoder's vectors of single pieces, float32 (pieces, encoder width).
        tokens: Token ids of each text, at least one.
        targets: The encoder's vectors of the texts, of unit length, float32 (texts, width).
        epochs: Passes over the texts.
        learning_rate: AdamW's highest step size, relative to the spread of the word vectors.
        seed: Of order, dropout and the held-out texts.
    """
    out, kept = held_out(len(tokens), seed)

    def made(rows: NDArray[np.int64], label: str) -> tuple[WordTower, float]:
        chosen = [tokens[row] for row in rows]
        weights = word_weights(chosen, len(pieces))
        vectors = projected(pieces, chosen, weights, targets[rows])
        before = cosine(WordTower(vectors, weights), chosen, targets[rows])
        # Only pieces that some text holds can learn; padding stays at 0.
        used = np.union1d([PADDING_TOKEN], np.concatenate(chosen))
        small = WordTower(vectors[used], weights[used])
        renamed = [np.searchsorted(used, row) for row in chosen]
        _train(small, renamed, torch.from_numpy(targets[rows]), epochs, learning_rate, seed, label)
        vectors[used] = small.words.weight.detach().numpy()
        weights[used] = small.logs.weight.detach().exp().numpy()[:, 0]
        return WordTower(vectors, weights), before

    measured, _ = made(kept, "item tower, measured")
    tower, before = made(np.arange(len(tokens)), "item tower")
    return tower, WordTowerFit(
        held_out_cosine=cosine(measured, [tokens[row] for row in out], targets[out]),
        train_cosine=cosine(tower, tokens, targets),
        start_cosine=before,
    )


def cosine(tower: WordTower, tokens: Tokens, targets: Floats) -> float:
    """Mean cosine of the tower's vectors to `targets`."""
    return mean_cosine(encode_tokens(tower, tokens), targets)


@torch.inference_mode()
def encode_tokens(tower: WordTower, tokens: Tokens) -> Floats:
    """Vectors float32 (texts, width)."""
    tower.eval()
    parts = [tower(_padded(tokens[at : at + 256])).numpy() for at in range(0, len(tokens), 256)]
    return np.concatenate(parts)


def _padded(rows: Tokens) -> Tensor:
    longest = max(map(len, rows))
    batch = np.full((len(rows), longest), PADDING_TOKEN, dtype=np.int64)
    for row, ids in enumerate(rows):
        batch[row, : len(ids)] = ids
    return torch.from_numpy(batch)


def _train(
    tower: WordTower,
    tokens: Tokens,
    targets: Tensor,
    epochs: int,
    learning_rate: float,
    seed: int,
    label: str,
) -> None:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    spread = float(tower.words.weight.detach().std())
    groups = [
        {"params": [tower.words.weight], "lr": learning_rate * spread * 10},
        {"params": [tower.logs.weight], "lr": learning_rate},
    ]
    optimiser = torch.optim.Adam(groups)
    steps = epochs * -(-len(tokens) // _BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    tower.train()
    for _ in progress(range(epochs), label=label, unit="epoch"):
        order = rng.permutation(len(tokens))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            ids = _padded([tokens[row] for row in rows])
            dropped = torch.from_numpy(rng.random(ids.shape) < TOKEN_DROPOUT)
            found = tower(ids.masked_fill(dropped, PADDING_TOKEN))
            wanted = targets[torch.from_numpy(rows)]
            loss = 1 - functional.cosine_similarity(found, wanted).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
