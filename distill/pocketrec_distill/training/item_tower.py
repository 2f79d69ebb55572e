"""Distilling the on-device item tower: SentencePiece tokens in, LLM-derived item vectors out."""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pocketrec_distill.checks import one_of, positive
from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models.item_tower import PADDING_TOKEN, ItemTower
from pocketrec_distill.models.llama import TowerShape
from pocketrec_distill.progress import progress
from pocketrec_distill.training.held_out import held_out, mean_cosine
from pocketrec_distill.training.new_items import LevelOf, unchanged

# Words are dropped at random while training: a new item never has just the text of an old one.
TOKEN_DROPOUT = 0.1
# 256 bytes, padding and unknown stand in every vocabulary.
_FIXED_TOKENS = 258
LEAST_VOCABULARY = 300
KINDS = ("pieces", "sentencepiece", "minilm")


@dataclass(frozen=True)
class ItemTowerSettings:
    """The on-device item tower and its training.

    Attributes:
        kind: "pieces", a linear map of the tf-idf of SentencePiece tokens, which reads only
            `vocabulary` and `max_tokens` below; "sentencepiece", a tiny encoder of the same tokens;
            or "minilm": the published encoder of 22 million weights with a projection, 23 MB in a
            bundle; needs `pocketrec[minilm]`, and reads only `max_tokens`.
        vocabulary: Most SentencePiece tokens, at least 300; a small catalogue gets fewer.
        max_tokens: Tokens read of a text.
        width: Width of the encoder; divides by 4.
        blocks: Llama blocks of the encoder.
        epochs: Passes over the catalogue.
        batch: Items per step.
        learning_rate: AdamW's highest step size.
    """

    kind: str = "pieces"
    vocabulary: int = 8000
    max_tokens: int = 128
    width: int = 64
    blocks: int = 1
    epochs: int = 30
    batch: int = 64
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        one_of("item_tower", self, KINDS, "kind")
        positive("item_tower", self, *(name for name in vars(self) if name != "kind"))
        if self.kind == "minilm" and not 3 <= self.max_tokens <= 512:
            raise ConfigError(
                f"[item_tower] max_tokens is {self.max_tokens}; minilm reads 3 to 512"
            )
        if self.width % 4:
            raise ConfigError(
                f"[item_tower] width is {self.width}; it must divide by 4 (two heads)"
            )
        if self.vocabulary < LEAST_VOCABULARY:
            raise ConfigError(
                f"[item_tower] vocabulary is {self.vocabulary}; 256 bytes and some characters need "
                f"at least {LEAST_VOCABULARY}"
            )


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> bytes:
    """A SentencePiece unigram model (Kudo, 2018) of the catalogue's own text, as bytes.

    Characters that the catalogue does not have fall back to bytes, so that no text of any script
    is unreadable; so do its rarest, where its characters alone would fill half the vocabulary.
    Token 0 is padding.
    """
    import sentencepiece

    common = Counter(char for text in texts for char in text)
    kept = (vocabulary - _FIXED_TOKENS) // 2
    unread = {ord(char): " " for char, _ in common.most_common()[kept:]} | {0: " "}
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([text.translate(unread) for text in texts]),
        model_writer=model,
        model_type="unigram",
        vocab_size=vocabulary,
        hard_vocab_limit=False,
        byte_fallback=True,
        character_coverage=0.9995,
        pad_id=PADDING_TOKEN,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        num_threads=1,
        max_sentence_length=16384,
        minloglevel=2,
    )
    return model.getvalue()


def tokenize(
    tokenizer: Any,
    texts: Sequence[str],
    max_tokens: int,
) -> list[NDArray[np.int64]]:
    """Token ids of each text, at least one (padding stands for an empty text)."""
    encoded = tokenizer.encode(list(texts), out_type=int)
    return [np.array(ids[:max_tokens] or [PADDING_TOKEN], dtype=np.int64) for ids in encoded]


def _padded(rows: Sequence[NDArray[np.int64]]) -> Tensor:
    longest = max(map(len, rows))
    batch = np.full((len(rows), longest), PADDING_TOKEN, dtype=np.int64)
    for row, ids in enumerate(rows):
        batch[row, : len(ids)] = ids
    return torch.from_numpy(batch)


def vector_distance(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean of 1 - cosine plus the squared error relative to the mean squared length of `wanted`."""
    angle = 1 - functional.cosine_similarity(found, wanted).mean()
    return angle + (found - wanted).pow(2).mean() / wanted.pow(2).mean().clamp_min(1e-12)


def _train(
    tower: ItemTower,
    tokens: Sequence[NDArray[np.int64]],
    targets: Tensor,
    settings: ItemTowerSettings,
    *,
    seed: int,
    label: str,
) -> None:
    rng = np.random.default_rng(seed)
    batches_per_epoch = -(-len(tokens) // settings.batch)
    optimiser = torch.optim.AdamW(tower.parameters(), lr=settings.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.epochs * batches_per_epoch
    )
    tower.train()
    for _ in progress(range(settings.epochs), label=label, unit="epoch"):
        for rows in _batches(len(tokens), settings.batch, rng):
            ids = _padded([tokens[row] for row in rows])
            dropped = torch.from_numpy(rng.random(ids.shape) < TOKEN_DROPOUT)
            found = tower(ids.masked_fill(dropped, PADDING_TOKEN))
            loss = vector_distance(found, targets[torch.from_numpy(rows)])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()


def _batches(count: int, batch: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    order = rng.permutation(count)
    for start in range(0, count, batch):
        yield order[start : start + batch]


@torch.inference_mode()
def encode(tower: ItemTower, tokens: Sequence[NDArray[np.int64]]) -> Tensor:
    """Item vectors (texts, width) of token ids."""
    tower.eval()
    parts = [tower(_padded(tokens[at : at + 256])) for at in range(0, len(tokens), 256)]
    return torch.cat(parts)


def fit_item_tower(
    texts: Sequence[str],
    targets: NDArray[np.float32],
    settings: ItemTowerSettings,
    seed: int,
    level_of: LevelOf = unchanged,
) -> tuple[ItemTower, bytes, dict[str, float]]:
    """Distil the item tower, and say how well it does on items that it has not seen.

    A first tower learns from 90% of the items and is measured on the rest; the one returned
    learns from all of them.

    Args:
        texts: Item texts.
        targets: LLM-derived item vectors float32 (items, width).
        settings: See `ItemTowerSettings`.
        seed: Of initial weights, order and held-out items.
        level_of: Places the vectors of new items among known ones, from the held-out items.

    Returns:
        The tower, the SentencePiece model's bytes, and `held_out_cosine`, `train_cosine` (mean
        cosine to the targets), `vocabulary` and `scale` (of the level).
    """
    import sentencepiece

    tokenizer_model = train_tokenizer(texts, settings.vocabulary)
    tokenizer = sentencepiece.SentencePieceProcessor(model_proto=tokenizer_model)
    tokens = tokenize(tokenizer, texts, settings.max_tokens)
    wanted = torch.from_numpy(np.ascontiguousarray(targets))
    out, kept = held_out(len(texts), seed)
    everything = np.arange(len(texts))

    def made(rows: NDArray[np.int64], label: str) -> ItemTower:
        torch.manual_seed(seed)
        shape = TowerShape(settings.width, settings.blocks, 2, 2, 2 * settings.width)
        tower = ItemTower(tokenizer.get_piece_size(), shape, targets.shape[1])
        _train(tower, [tokens[row] for row in rows], wanted[rows], settings, seed=seed, label=label)
        return tower

    def encoded(tower: ItemTower, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return encode(tower, [tokens[row] for row in rows]).numpy()

    unseen = encoded(made(kept, "item tower, measured"), out)
    tower = made(everything, "item tower")
    level = level_of(out, unseen)
    figures = {
        "held_out_cosine": mean_cosine(unseen, targets[out]),
        "train_cosine": mean_cosine(encoded(tower, everything), targets),
        "vocabulary": tokenizer.get_piece_size(),
        "scale": level.scale,
    }
    tower.place(level.scale, torch.from_numpy(level.shift))
    return tower, tokenizer_model, figures
