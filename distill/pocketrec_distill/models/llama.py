"""Llama blocks over item vectors: the one family that teacher, student, ONNX and GGUF share.

RMSNorm, rotary positions, grouped-query attention and SwiGLU as in Llama 2 (Touvron et al., 2023).
A block takes and returns an explicit key/value cache, so that the same code trains and exports.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  (the field's own name)
from torch import Tensor, nn

from pocketrec_distill.checks import at_least
from pocketrec_distill.errors import ConfigError

KeyValue = tuple[Tensor, Tensor]

ROPE_THETA = 10_000.0
"""Base of the rotary positions, where nothing else is said."""

# What is left of random queries where attention starts as an average.
_INDIFFERENT = 0.2


@dataclass(frozen=True)
class TowerShape:
    """Sizes of a user tower.

    Attributes:
        width: Length of item and user vectors.
        blocks: Number of Llama blocks.
        heads: Query heads; `width` divides by it.
        kv_heads: Key/value heads; `heads` divides by it.
        hidden: Inner width of the SwiGLU layer.
    """

    width: int = 64
    blocks: int = 2
    heads: int = 2
    kv_heads: int = 2
    hidden: int = 128

    def __post_init__(self) -> None:
        at_least("", self, 1, *vars(self))
        if self.width % self.heads or self.head_dim % 2:
            raise ConfigError(
                f"width {self.width} over {self.heads} heads is no even head size; "
                "choose a width that divides by 2 * heads"
            )
        if self.heads % self.kv_heads:
            raise ConfigError(
                f"heads {self.heads} does not divide by kv_heads {self.kv_heads}; "
                "choose kv_heads among the divisors of heads"
            )

    @property
    def head_dim(self) -> int:
        """Length of one head's query, key and value."""
        return self.width // self.heads


class RMSNorm(nn.Module):
    """Root-mean-square norm with a learned gain, shape (..., width) -> (..., width)."""

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Divide by the root mean square of the last axis, then scale."""
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def rotary_tables(positions: Tensor, head_dim: int, theta: float = ROPE_THETA) -> KeyValue:
    """Cosine and sine tables (length, head_dim) for int64 `positions` (length,).

    Halves are rotated against each other, as in Hugging Face's Llama.
    """
    steps = torch.arange(0, head_dim, 2, dtype=torch.float32, device=positions.device)
    angles = positions[:, None].float() * (theta ** (-steps / head_dim))[None, :]
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, tables: KeyValue) -> Tensor:
    """Apply rotary positions to (batch, heads, length, head_dim)."""
    cos, sin = tables
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos + turned * sin


class Attention(nn.Module):
    """Causal grouped-query attention with rotary positions."""

    def __init__(self, shape: TowerShape, dropout: float) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = shape.heads, shape.kv_heads, shape.head_dim
        self.query = nn.Linear(shape.width, shape.width, bias=False)
        self.key = nn.Linear(shape.width, self.kv_heads * self.head_dim, bias=False)
        self.value = nn.Linear(shape.width, self.kv_heads * self.head_dim, bias=False)
        self.output = nn.Linear(shape.width, shape.width, bias=False)
        self.dropout = dropout

    @torch.no_grad()
    def become_average(self, gain: float) -> None:
        """Make the output `gain` times the mean of what is attended to, of its leading dimensions.

        There are as many of these as keys and values have. Queries stay small, so that no position
        is preferred by much, and not zero, so that preferences may be learned.
        """
        self.query.weight.mul_(_INDIFFERENT)
        nn.init.eye_(self.value.weight).mul_(gain**0.5)
        nn.init.zeros_(self.output.weight)
        for head in range(self.kv_heads):
            # Query heads of a group average the same values: the first of them speaks.
            first = head * (self.heads // self.kv_heads)
            rows = slice(head * self.head_dim, (head + 1) * self.head_dim)
            columns = slice(first * self.head_dim, (first + 1) * self.head_dim)
            nn.init.eye_(self.output.weight[rows, columns]).mul_(gain**0.5)

    def _split(self, x: Tensor, heads: int) -> Tensor:
        batch, length, _ = x.shape
        return x.reshape(batch, length, heads, self.head_dim).transpose(1, 2)

    def forward(
        self, x: Tensor, tables: KeyValue, mask: Tensor, past: KeyValue | None
    ) -> tuple[Tensor, KeyValue]:
        """Attend from `x` (batch, length, width) to the cache and to `x` itself."""
        query = rotate(self._split(self.query(x), self.heads), tables)
        key = rotate(self._split(self.key(x), self.kv_heads), tables)
        value = self._split(self.value(x), self.kv_heads)
        if past is not None:
            key = torch.cat((past[0], key), dim=2)
            value = torch.cat((past[1], value), dim=2)
        groups = self.heads // self.kv_heads
        mixed = F.scaled_dot_product_attention(
            query,
            key.repeat_interleave(groups, dim=1) if groups > 1 else key,
            value.repeat_interleave(groups, dim=1) if groups > 1 else value,
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
        )
        batch, _, length, _ = mixed.shape
        output: Tensor = self.output(mixed.transpose(1, 2).reshape(batch, length, -1))
        return output, (key, value)


class SwiGLU(nn.Module):
    """Gated feed-forward layer (Shazeer, 2020), (..., width) -> (..., width)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return `down(silu(gate(x)) * up(x))`."""
        output: Tensor = self.down(F.silu(self.gate(x)) * self.up(x))
        return output


class LlamaBlock(nn.Module):
    """Pre-norm attention and feed-forward, each added to its input."""

    def __init__(self, shape: TowerShape, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(shape.width)
        self.attention = Attention(shape, dropout)
        self.feed_norm = RMSNorm(shape.width)
        self.feed = SwiGLU(shape.width, shape.hidden)
        self.drop = nn.Dropout(dropout)

    @torch.no_grad()
    def quieten(self, share: float) -> None:
        """Leave a share of what both branches add to their input."""
        self.attention.output.weight.mul_(share)
        self.feed.down.weight.mul_(share)

    def forward(
        self, x: Tensor, tables: KeyValue, mask: Tensor, past: KeyValue | None = None
    ) -> tuple[Tensor, KeyValue]:
        """Return the block's output and its grown key/value cache."""
        mixed, cache = self.attention(self.attention_norm(x), tables, mask, past)
        x = x + self.drop(mixed)
        return x + self.drop(self.feed(self.feed_norm(x))), cache


def causal_mask(length: int, past: int, device: torch.device) -> Tensor:
    """Boolean (length, past + length): True where a new position may look."""
    rows = torch.arange(length, device=device)[:, None] + past
    columns = torch.arange(past + length, device=device)[None, :]
    return columns <= rows
