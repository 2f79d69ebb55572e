"""The tiny student: Llama blocks over projected LLM text vectors plus an id residual."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pocketrec_distill.models.base import SequenceModel
from pocketrec_distill.models.llama import (
    KeyValue,
    LlamaBlock,
    RMSNorm,
    TowerShape,
    causal_mask,
    rotary_tables,
)


def standardised(states: NDArray[np.float32]) -> Tensor:
    """Text states with zero mean and unit variance per dimension, rows of about unit length.

    LLM states share a few huge dimensions; without this the projection sees little else.
    """
    rows = torch.from_numpy(np.ascontiguousarray(states))
    spread = rows.std(dim=0, correction=0).clamp_min(1e-6)
    return (rows - rows.mean(dim=0)) / spread / math.sqrt(rows.shape[1])


class ItemVectors(nn.Module):
    """Item vectors: projected text states plus an id residual; either part may be absent."""

    def __init__(self, items: int, width: int, states: NDArray[np.float32] | None) -> None:
        super().__init__()
        self.residual = nn.Parameter(torch.randn(items, width) * 0.02)
        self.text: Tensor | None
        if states is None:
            self.register_buffer("text", None)
        else:
            self.register_buffer("text", standardised(states), persistent=False)
            self.projection = nn.Linear(states.shape[1], width, bias=False)

    def from_text(self) -> Tensor:
        """The part that a new item has too: projected text states (items, width)."""
        if self.text is None:
            return torch.zeros_like(self.residual)
        projected: Tensor = self.projection(self.text)
        return projected

    def forward(self) -> Tensor:
        """Vectors of the whole catalogue (items, width)."""
        return self.residual if self.text is None else self.residual + self.from_text()


class Student(SequenceModel):
    """A causal decoder of Llama blocks; the user vector is the normed last hidden state.

    Args:
        items: Number of catalogue items.
        shape: Sizes of the tower.
        states: Pooled LLM states float32 (items, llm width), or None for ids alone.
        dropout: Dropout on inputs, attention and block outputs while training.
    """

    def __init__(
        self,
        items: int,
        shape: TowerShape,
        states: NDArray[np.float32] | None,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.shape, self.width = shape, shape.width
        self.items = ItemVectors(items, shape.width, states)
        self.blocks = nn.ModuleList(LlamaBlock(shape, dropout) for _ in range(shape.blocks))
        self.norm = RMSNorm(shape.width)
        self.drop = nn.Dropout(dropout)
        # Item vectors are about unit length; a hidden state is about sqrt(width).
        self.input_scale = math.sqrt(shape.width)

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
