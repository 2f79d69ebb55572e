"""The on-device item tower: a tiny text encoder distilled to the LLM-derived item vectors."""

import torch
from torch import Tensor, nn

from pocketrec_distill.models.llama import LlamaBlock, RMSNorm, TowerShape, rotary_tables

PADDING_TOKEN = 0

_DROPOUT = 0.1


class ItemTower(nn.Module):
    """Token embeddings, one two-way Llama block, mean and maximum pooling, a linear head.

    Args:
        vocabulary: Number of SentencePiece tokens; token 0 is padding.
        shape: Sizes of the encoder.
        width: Length of an item vector.
    """

    def __init__(self, vocabulary: int, shape: TowerShape, width: int) -> None:
        super().__init__()
        self.shape = shape
        self.tokens = nn.Embedding(vocabulary, shape.width)
        nn.init.normal_(self.tokens.weight, std=0.5)
        self.blocks = nn.ModuleList(LlamaBlock(shape, _DROPOUT) for _ in range(shape.blocks))
        self.norm = RMSNorm(shape.width)
        self.head = nn.Linear(2 * shape.width, width)
        self.drop = nn.Dropout(_DROPOUT)

    def forward(self, token_ids: Tensor) -> Tensor:
        """Item vectors (batch, width) of token ids int64 (batch, tokens)."""
        kept = token_ids != PADDING_TOKEN
        positions = torch.arange(token_ids.shape[1], device=token_ids.device)
        tables = rotary_tables(positions, self.shape.head_dim)
        # A text of padding alone attends to itself, so that no softmax is over nothing.
        mask = kept[:, None, None, :] | (positions[:, None] == positions[None, :])[None, None]
        hidden = self.drop(self.tokens(token_ids))
        for block in self.blocks:
            hidden, _ = block(hidden, tables, mask)
        hidden = self.norm(hidden)
        weights = kept[..., None].to(hidden.dtype)
        mean = (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp_min(1.0)
        highest = (hidden * weights + (weights - 1.0) * 1e4).amax(dim=1)
        highest = highest * kept.any(dim=1, keepdim=True).to(hidden.dtype)
        vectors: Tensor = self.head(torch.cat((mean, highest), dim=-1))
        return vectors

    @torch.no_grad()
    def place(self, scale: float, shift: Tensor) -> None:
        """Make every vector `scale` times as long and add `shift` (width,), in the head itself."""
        self.head.weight.mul_(scale)
        self.head.bias.mul_(scale).add_(shift)
