"""The tiny student: Llama blocks over projected LLM text vectors plus an id residual."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pocketrec_distill.models.base import SequenceModel
from pocketrec_distill.models.llama import (
    ROPE_THETA,
    KeyValue,
    LlamaBlock,
    RMSNorm,
    TowerShape,
    causal_mask,
    rotary_tables,
)

# What is left of the random branches where a student starts as an average.
_QUIET = 0.1
# Ridge of text features against given vectors, a share of the mean of the gram matrix's diagonal.
_RIDGE = 0.5


def standardised(states: NDArray[np.float32]) -> Tensor:
    """Text states with zero mean and unit variance per dimension, rows of about unit length.

    LLM states share a few huge dimensions; without this the projection sees little else.
    """
    rows = torch.from_numpy(np.ascontiguousarray(states))
    spread = rows.std(dim=0, correction=0).clamp_min(1e-6)
    return (rows - rows.mean(dim=0)) / spread / math.sqrt(rows.shape[1])


class ItemVectors(nn.Module):
    """Item vectors: projected text features plus an id residual; either part may be absent.

    Args:
        items: Number of items.
        width: Length of a vector.
        states: Features of the items' text float32 (items, any), blocks of rows of about unit
            length; see `models.item_features.beside`. None for ids alone.
        id_dropout: Share of the items that stand without their residual in a training step, so that
            the text part learns to do alone, as it must for a new item (DropoutNet: Volkovs, Yu and
            Poutanen, NeurIPS 2017).
    """

    def __init__(
        self,
        items: int,
        width: int,
        states: NDArray[np.float32] | None,
        id_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.id_dropout = id_dropout
        self.residual = nn.Parameter(torch.randn(items, width) * 0.02)
        self.text: Tensor | None
        if states is None:
            self.register_buffer("text", None)
        else:
            rows = torch.from_numpy(np.ascontiguousarray(states))
            self.register_buffer("text", rows, persistent=False)
            self.projection = nn.Linear(states.shape[1], width, bias=False)

    def from_text(self) -> Tensor:
        """The part that a new item has too: projected text states (items, width)."""
        if self.text is None:
            return torch.zeros_like(self.residual)
        projected: Tensor = self.projection(self.text)
        return projected

    @torch.no_grad()
    def become(self, vectors: NDArray[np.float32], known: NDArray[np.bool_]) -> None:
        """Take these vectors: the text part as far as ridge regression finds it, else residual.

        Args:
            vectors: Wanted, float32 (items, width).
            known: Items whose vectors count, bool (items,); all others keep their text alone.
        """
        device = self.residual.device
        mask, wanted = torch.from_numpy(known).to(device), torch.from_numpy(vectors).to(device)
        if self.text is not None:
            rows = self.text[mask].double()
            gram = rows.T @ rows
            gram += _RIDGE * gram.trace() / len(gram) * torch.eye(len(gram)).to(gram)
            solved = torch.linalg.solve(gram, rows.T @ wanted[mask].double())
            self.projection.weight.copy_(solved.T)
        self.residual.copy_((wanted - self.from_text()) * mask[:, None])

    def forward(self) -> Tensor:
        """Vectors of the whole catalogue (items, width)."""
        if self.text is None:
            return self.residual
        residual: Tensor = self.residual
        if self.training and self.id_dropout:
            drawn = torch.rand(len(residual), 1, device=residual.device)
            residual = residual * (drawn >= self.id_dropout)
        return residual + self.from_text()


class Student(SequenceModel):
    """A causal decoder of Llama blocks; the user vector is the normed last hidden state.

    Args:
        items: Number of catalogue items.
        shape: Sizes of the tower.
        states: Features of the items' text, see `ItemVectors`, or None for ids alone.
        dropout: Dropout on inputs, attention and block outputs while training.
        id_dropout: See `ItemVectors`.
    """

    def __init__(
        self,
        items: int,
        shape: TowerShape,
        states: NDArray[np.float32] | None,
        dropout: float = 0.3,
        id_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.shape, self.width, self.rope_theta = shape, shape.width, ROPE_THETA
        self.items = ItemVectors(items, shape.width, states, id_dropout)
        self.blocks = nn.ModuleList(LlamaBlock(shape, dropout) for _ in range(shape.blocks))
        self.norm = RMSNorm(shape.width)
        self.drop = nn.Dropout(dropout)
        # Item vectors are about unit length; a hidden state is about sqrt(width).
        self.input_scale = math.sqrt(shape.width)

    def become_average(self, gain: float) -> None:
        """Make the user vector the last item plus `gain` times the mean of the normed history.

        What else there is stays small, so that it may still learn.
        """
        for place, block in enumerate(self.blocks):
            assert isinstance(block, LlamaBlock)  # noqa: S101  (narrows for the type checker)
            block.quieten(_QUIET)
            if place == 0:
                block.attention.become_average(gain)

    def item_vectors(self) -> Tensor:
        """Vectors of the whole catalogue (items, width)."""
        vectors: Tensor = self.items()
        return vectors

    def forward(self, item_vectors: Tensor) -> Tensor:
        """User vectors after each event (batch, length, width)."""
        length = item_vectors.shape[1]
        tables = rotary_tables(
            torch.arange(length, device=item_vectors.device), self.shape.head_dim
        )
        mask = causal_mask(length, 0, item_vectors.device)
        hidden: Tensor = self.drop(item_vectors * self.input_scale)
        for block in self.blocks:
            hidden, _ = block(hidden, tables, mask)
        normed: Tensor = self.norm(hidden)
        return normed

    def step(self, item_vectors: Tensor, past: list[KeyValue]) -> tuple[Tensor, list[KeyValue]]:
        """User vector of the last position (batch, width) and the grown cache.

        Args:
            item_vectors: New events (batch, length, width).
            past: Key and value per block, (batch, kv_heads, past length, head_dim) each.
        """
        length, before = item_vectors.shape[1], past[0][0].shape[2]
        positions = torch.arange(length, device=item_vectors.device) + before
        tables = rotary_tables(positions, self.shape.head_dim)
        mask = causal_mask(length, before, item_vectors.device)
        hidden, present = item_vectors * self.input_scale, []
        for block, cache in zip(self.blocks, past, strict=True):
            hidden, grown = block(hidden, tables, mask, cache)
            present.append(grown)
        return self.norm(hidden[:, -1]), present
