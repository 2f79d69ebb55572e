"""The bag-of-pieces item tower: tf-idf of SentencePiece tokens, then one linear map.

Word order says little of a product or a film; which words there are says nearly all that the
student's own text vectors say. A linear map of tf-idf is fitted in closed form and generalises from
a few thousand texts, which a transformer of the same size does not (docs/distillation.md).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pocketrec_distill.models.item_tower import PADDING_TOKEN

SHORTEST = 1e-6
"""A text of no known piece is divided by this, and not by 0."""


class BagTower(nn.Module):
    """Token ids to item vectors: idf * (1 + log count) of each piece, of unit length, mapped.

    Args:
        idf: Inverse document frequency of each piece, float32 (pieces,).
        table: The map, float32 (pieces, width).
        bias: float32 (width,).
    """

    def __init__(
        self, idf: NDArray[np.float32], table: NDArray[np.float32], bias: NDArray[np.float32]
    ) -> None:
        super().__init__()
        pieces, width = table.shape
        self.tokens = nn.Embedding(pieces, width, _weight=torch.from_numpy(table.copy()))
        self.idf = nn.Embedding(pieces, 1, _weight=torch.from_numpy(idf[:, None].copy()))
        self.bias = nn.Parameter(torch.from_numpy(bias.copy()))

    def forward(self, token_ids: Tensor) -> Tensor:
        """Item vectors (batch, width) of int64 (batch, tokens); 0 is padding and adds nothing."""
        kept = (token_ids != PADDING_TOKEN).float()
        same = (token_ids[:, :, None] == token_ids[:, None, :]).float()
        # Padding counts itself, so that no logarithm is of 0.
        counts = same.sum(dim=2)
        strength = self.idf(token_ids)[..., 0] * (1 + counts.log()) * kept
        # Each occurrence stands for its share of the piece's one entry.
        length = (strength.square() / counts).sum(dim=1, keepdim=True).sqrt().clamp_min(SHORTEST)
        mixed = (self.tokens(token_ids) * (strength / counts)[..., None]).sum(dim=1)
        vectors: Tensor = mixed / length + self.bias
        return vectors

    @torch.no_grad()
    def place(self, scale: float, shift: Tensor) -> None:
        """Make every vector `scale` times as long and add `shift` (width,)."""
        self.tokens.weight.mul_(scale)
        self.bias.mul_(scale).add_(shift)
