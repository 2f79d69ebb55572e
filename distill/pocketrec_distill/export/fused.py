"""The student's user tower with its small matrices fused: the same function in half the operators.

A tower this small spends its time between operators, not inside them. Query, key and value come
out of one product; so do gate and up. The rotation of queries and keys is linear, so the turned
projections are columns of that same product, and rotating is two multiplications and a sum.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn

from pocketrec_distill.models.llama import (
    KeyValue,
    LlamaBlock,
    RMSNorm,
    TowerShape,
    rotary_tables,
)
from pocketrec_distill.models.llm_student import INPUT_NORM_EPS, LlmStudent
from pocketrec_distill.models.student import Student


def _turned(weight: Tensor, head_dim: int) -> Tensor:
    """Rows of a projection (out, in) such that its output comes out with turned halves."""
    heads = weight.reshape(-1, head_dim, weight.shape[1])
    half = head_dim // 2
    return torch.cat((-heads[:, half:], heads[:, :half]), dim=1).reshape(weight.shape)


class FusedNorm(nn.Module):
    """RMSNorm in the form that ONNX Runtime recognises and runs as one operator."""

    def __init__(self, norm: RMSNorm) -> None:
        super().__init__()
        self.weight = nn.Parameter(norm.weight.detach().clone())
        self.eps = norm.eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class FusedBlock(nn.Module):
    """One Llama block with fused projections.

    Args:
        block: The block as it was trained.
        shape: Its sizes.
        fold: Whether the rotary turn is folded into the weights. It saves operators where the
            width is small, and takes an eighth more bytes where it is large.
    """

    def __init__(self, block: LlamaBlock, shape: TowerShape, *, fold: bool = True) -> None:
        super().__init__()
        self.shape, self.fold = shape, fold
        attention, feed = block.attention, block.feed
        scale = 1.0 / math.sqrt(shape.head_dim)
        straight = torch.cat((attention.query.weight * scale, attention.key.weight))
        turned = [_turned(straight, shape.head_dim)] if fold else []
        joined = torch.cat((straight, *turned, attention.value.weight)).detach()
        self.attention_in = nn.Parameter(joined.T.contiguous())
        self.attention_out = nn.Parameter(attention.output.weight.detach().T.contiguous())
        gate_up = torch.cat((feed.gate.weight, feed.up.weight)).detach()
        self.feed_in = nn.Parameter(gate_up.T.contiguous())
        self.feed_out = nn.Parameter(feed.down.weight.detach().T.contiguous())
        self.attention_norm = FusedNorm(block.attention_norm)
        self.feed_norm = FusedNorm(block.feed_norm)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor, past: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The block's output and its grown keys and values.

        Args:
            x: (batch, length, width).
            cos: (length, 1, head_dim).
            sin: (length, 1, head_dim).
            mask: Added to attention scores, (length, past length + length).
            past: Keys and values so far, (batch, kv_heads, past length, head_dim) each.
        """
        shape, batch, length = self.shape, x.shape[0], x.shape[1]
        by_head = (batch, length, -1, shape.head_dim)
        straight, turned, value = self._projected(x)
        rotated = straight.reshape(by_head) * cos + turned.reshape(by_head) * sin
        query, key = torch.split(rotated.transpose(1, 2), [shape.heads, shape.kv_heads], dim=1)
        key = torch.cat((past[0], key), dim=2)
        value = torch.cat((past[1], value.reshape(by_head).transpose(1, 2)), dim=2)
        mixed = self._attend(query, key, value, mask)
        x = x + mixed.transpose(1, 2).reshape(batch, length, shape.width) @ self.attention_out
        gate, up = torch.split(self.feed_norm(x) @ self.feed_in, shape.hidden, dim=-1)
        return x + (gate * torch.sigmoid(gate) * up) @ self.feed_out, key, value

    def _projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries and keys, the same with turned halves, and values."""
        shape = self.shape
        both = (shape.heads + shape.kv_heads) * shape.head_dim
        values = shape.kv_heads * shape.head_dim
        joined = self.attention_norm(x) @ self.attention_in
        if self.fold:
            straight, turned, value = torch.split(joined, [both, both, values], dim=-1)
            return straight, turned, value
        straight, value = torch.split(joined, [both, values], dim=-1)
        heads = straight.reshape(*x.shape[:2], -1, shape.head_dim)
        first, second = torch.split(heads, shape.head_dim // 2, dim=-1)
        return straight, torch.cat((-second, first), dim=-1), value

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        groups = self.shape.heads // self.shape.kv_heads
        if groups > 1:
            key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
        return torch.softmax(query @ key.transpose(2, 3) + mask, dim=-1) @ value


class Ends(nn.Module):
    """What stands before and after the blocks of an LLM student: its projections."""

    def __init__(self, student: LlmStudent) -> None:
        super().__init__()
        self.into = nn.Parameter(student.enter.weight.detach().T.contiguous())
        self.out = nn.Parameter(student.leave.weight.detach().T.contiguous())
        self.skip_gain = float(student.skip_gain.detach())

    def enter(self, scaled: Tensor) -> Tensor:
        """(batch, length, width) -> (batch, length, inner width), each of mean square 1."""
        entered = scaled @ self.into
        return entered / torch.sqrt(entered.pow(2).mean(-1, keepdim=True) + INPUT_NORM_EPS)

    def leave(self, normed: Tensor, last: Tensor) -> Tensor:
        """(batch, inner width) and the last scaled item vectors -> (batch, width)."""
        return normed @ self.out + self.skip_gain * last


class FusedUserTower(nn.Module):
    """`step` of a student for export: flat cache arguments, fused weights, no dropout."""

    def __init__(self, student: Student | LlmStudent) -> None:
        super().__init__()
        self.shape = student.shape
        self.input_scale = student.input_scale
        wide = isinstance(student, LlmStudent)
        self.blocks = nn.ModuleList(
            FusedBlock(cast(LlamaBlock, block), student.shape, fold=not wide)
            for block in student.blocks
        )
        self.norm = FusedNorm(student.norm)
        self.rope_theta = student.rope_theta if isinstance(student, LlmStudent) else 10_000.0
        self.ends = Ends(student) if isinstance(student, LlmStudent) else None

    def forward(self, item_vectors: Tensor, past: list[Tensor]) -> tuple[Tensor, ...]:
        """User vector of the last position, then key and value of each block, grown.

        Args:
            item_vectors: New events (batch, length, width).
            past: Key, value, key, value ... (batch, kv_heads, past length, head_dim) each.
        """
        length, before = item_vectors.shape[1], past[0].shape[2]
        total = torch.arange(before + length)
        now = total[before:]
        cos, sin = (table[:, None, :] for table in self._tables(now))
        mask = (total[None, :] > now[:, None]).float() * -1e9
        scaled = item_vectors * self.input_scale
        hidden = scaled if self.ends is None else self.ends.enter(scaled)
        present: list[Tensor] = []
        for block, key, value in zip(self.blocks, past[::2], past[1::2], strict=True):
            hidden, *grown = block(hidden, cos, sin, mask, (key, value))
            present += grown
        user = self.norm(hidden[:, -1])
        if self.ends is not None:
            user = self.ends.leave(user, scaled[:, -1])
        return (user, *present)

    def _tables(self, positions: Tensor) -> KeyValue:
        return rotary_tables(positions, self.shape.head_dim, self.rope_theta)
