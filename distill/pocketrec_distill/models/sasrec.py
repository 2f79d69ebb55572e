"""ID-only SASRec (Kang and McAuley, ICDM 2018), the floor every text-fed model must beat."""

import math

import torch
from torch import Tensor, nn

from pocketrec_distill.models.base import SequenceModel
from pocketrec_distill.models.llama import TowerShape, causal_mask


class SasRec(SequenceModel):
    """A pre-norm Transformer with learned positions over item ids, tied output weights.

    Trained here with full-catalogue cross-entropy, which closes most of the gap to newer models
    (Klenitskiy and Vasilev, RecSys 2023).
    """

    def __init__(
        self, items: int, width: int, blocks: int, heads: int, window: int, dropout: float
    ) -> None:
        super().__init__()
        self.shape = TowerShape(width, blocks, heads, heads, width)
        self.ids = nn.Parameter(torch.randn(items, width) * 0.02)
        self.positions = nn.Parameter(torch.randn(window, width) * 0.02)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, width, dropout, batch_first=True, norm_first=True
            )
            for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.drop = nn.Dropout(dropout)
        self.input_scale = math.sqrt(width)

    def item_vectors(self) -> Tensor:
        """Vectors of the whole catalogue (items, width)."""
        return self.ids

    def forward(self, item_vectors: Tensor) -> Tensor:
        """User vectors after each event (batch, length, width)."""
        length = item_vectors.shape[1]
        hidden: Tensor = self.drop(item_vectors * self.input_scale + self.positions[:length])
        mask = ~causal_mask(length, 0, hidden.device)
        for block in self.blocks:
            hidden = block(hidden, src_mask=mask)
        normed: Tensor = self.norm(hidden)
        return normed
