"""A pretrained text encoder: vectors of texts, and of every piece of its vocabulary."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pocketrec_distill.errors import SourceError
from pocketrec_distill.progress import progress
from pocketrec_distill.sources.minilm import minilm

Floats = NDArray[np.float32]

_TEXTS, _PIECES = 64, 512
# How tokenizers mark a piece that begins a word, or one that goes on.
_BEGINS, _GOES_ON = ("\u2581", "\u0120"), "##"


@dataclass(frozen=True, eq=False)
class Encoder:
    """A bidirectional encoder and its tokenizer.

    Attributes:
        tokenizer: A fast Hugging Face tokenizer.
        model: The encoder, in evaluation mode.
    """

    tokenizer: Any
    model: nn.Module

    def texts(self, texts: Sequence[str], max_tokens: int) -> Floats:
        """Mean of the last states over a text's tokens, float32 (texts, encoder width)."""
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        rows: list[Floats] = []
        for start in progress(range(0, len(order), _TEXTS), label="item texts", unit="batch"):
            chunk = [texts[row] for row in order[start : start + _TEXTS]]
            batch = self.tokenizer(
                chunk, return_tensors="pt", padding=True, truncation=True, max_length=max_tokens
            )
            rows.append(self._pooled(batch["input_ids"], batch["attention_mask"]))
        found = np.concatenate(rows)
        result = np.empty_like(found)
        result[order] = found
        return result

    def pieces(self, ids: Sequence[int]) -> Floats:
        """Vector of each piece standing alone, float32 (pieces, encoder width).

        The static embeddings of Model2Vec (Tulkens and van Dongen, 2024).
        """
        tokens = torch.tensor(list(ids), dtype=torch.int64)
        before = torch.full_like(tokens, self.tokenizer.cls_token_id)
        after = torch.full_like(tokens, self.tokenizer.sep_token_id)
        rows = torch.stack((before, tokens, after), dim=1)
        starts = progress(range(0, len(rows), _PIECES), label="word pieces", unit="batch")
        parts = [
            self._pooled(chunk, torch.ones_like(chunk))
            for chunk in (rows[start : start + _PIECES] for start in starts)
        ]
        return np.concatenate(parts)

    @torch.inference_mode()
    def _pooled(self, ids: torch.Tensor, mask: torch.Tensor) -> Floats:
        states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        kept = mask[..., None].float()
        pooled: Floats = ((states * kept).sum(dim=1) / kept.sum(dim=1)).numpy()
        return pooled

    def word_pieces(self, limit: int) -> list[tuple[int, str, bool]]:
        """(id, text, whether it begins a word) of at most `limit` pieces, in order of id."""
        special, vocabulary = set(self.tokenizer.all_special_ids), self.tokenizer.get_vocab()
        marked = any(piece.startswith(_BEGINS) for piece in vocabulary)
        found = []
        for piece, place in sorted(vocabulary.items(), key=lambda pair: pair[1]):
            if place in special or piece.startswith("[unused"):
                continue
            text, begins = _piece_text(piece, marked)
            if text.strip() and text.isprintable():
                found.append((place, text, begins))
        return found[:limit]


def _piece_text(piece: str, marked: bool) -> tuple[str, bool]:
    if marked:
        begins = piece.startswith(_BEGINS)
        return piece[1:] if begins else piece, begins
    goes_on = piece.startswith(_GOES_ON) and len(piece) > len(_GOES_ON)
    return piece.removeprefix(_GOES_ON) if goes_on else piece, not goes_on


def load_encoder(name: str) -> Encoder:
    """The encoder called "minilm", or the one in a folder.

    Raises:
        SourceError: There is no such encoder, or it has no tokenizer with start and end tokens.
    """
    from transformers import AutoModel, AutoTokenizer

    folder = minilm() if name == "minilm" else Path(name)
    if not (folder / "config.json").is_file():
        raise SourceError(f"[clicks] encoder {name!r} is no folder with config.json, nor minilm")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModel.from_pretrained(folder, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot load the encoder in {folder}: {error}") from error
    if tokenizer.cls_token_id is None or tokenizer.sep_token_id is None:
        raise SourceError(f"the tokenizer in {folder} has no start and end token; give an encoder")
    return Encoder(tokenizer, model.eval())
