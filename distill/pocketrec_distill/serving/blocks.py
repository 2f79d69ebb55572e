"""What differs between the towers that are served: the sums of one block, over packed events.

Each kind takes new events as one matrix (events, width) and knows nothing of histories: keys and
values are kept, and attended to, by `CachedTower`.
"""

from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812  (the field's own name)
from torch import Tensor

from pocketrec_distill.models.llama import rotary_tables
from pocketrec_distill.models.llm_student import INPUT_NORM_EPS
from pocketrec_distill.serving.tower_parts import TowerPart

Heads = tuple[Tensor, Tensor, Tensor]
Positions = tuple[Tensor, ...]


class Blocks(Protocol):
    """The blocks of one tower, and what stands before and after them."""

    def at(self, places: Tensor) -> Positions:
        """What says where events stand; `places` in what is read of each history, (events,)."""
        ...

    def enter(self, vectors: Tensor, positions: Positions) -> Tensor:
        """What the first block reads, (events, inner width), of scaled item vectors float32."""
        ...

    def heads(self, block: int, hidden: Tensor, positions: Positions) -> Heads:
        """Queries (events, heads, head_dim), keys and values (events, kv_heads, head_dim)."""
        ...

    def after(self, block: int, hidden: Tensor, mixed: Tensor) -> Tensor:
        """The block's output, given what its heads attended to (events, heads * head_dim)."""
        ...

    def leave(self, hidden: Tensor, vectors: Tensor) -> Tensor:
        """User vectors float32 (events, width), given the last block's output and `vectors`."""
        ...


def blocks_of(
    part: TowerPart, window: int, dtype: torch.dtype, device: torch.device
) -> "LlamaBlocks | SasRecBlocks":
    """The blocks of a part, their weights in `dtype` on a device."""
    if part.family == "sasrec":
        return SasRecBlocks(part, dtype, device)
    return LlamaBlocks(part, window, dtype, device)


class LlamaBlocks:
    """Of the LLM and of the control; weights that read the same states are joined."""

    def __init__(
        self, part: TowerPart, window: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.part, self.shape, self.dtype = part, part.shape, dtype
        tensors = _moved(part, dtype, device)
        self.norm = tensors["norm.weight"]
        self.entering, self.leaving = tensors.get("enter.weight"), tensors.get("leave.weight")
        gain = part.tensors.get("skip_gain")
        self.skip_gain = 0.0 if gain is None else float(gain)
        self.blocks = [_joined(tensors, f"blocks.{b}") for b in range(part.shape.blocks)]
        places = torch.arange(window, device=device)
        self.rotary = rotary_tables(places, part.shape.head_dim, part.rope_theta)

    def at(self, places: Tensor) -> Positions:
        """Cosines and sines, (events, 1, head_dim) each."""
        cos, sin = (table[places][:, None, :].to(self.dtype) for table in self.rotary)
        return cos, sin

    def enter(self, vectors: Tensor, positions: Positions) -> Tensor:  # noqa: ARG002  (in `heads`)
        """Projected and normed, where blocks are wider than vectors."""
        if self.entering is None:
            return vectors.to(self.dtype)
        entered = F.linear(vectors, self.entering.float())
        mean = entered.pow(2).mean(dim=-1, keepdim=True)
        return (entered * torch.rsqrt(mean + INPUT_NORM_EPS)).to(self.dtype)

    def heads(self, block: int, hidden: Tensor, positions: Positions) -> Heads:
        """Queries and keys turned by their positions."""
        shape, weights = self.shape, self.blocks[block]
        normed = self._normed(hidden, weights["attention_norm"])
        heads = F.linear(normed, weights["attention_in"]).view(len(hidden), -1, shape.head_dim)
        turned = _turned(heads[:, : -shape.kv_heads], *positions)
        return turned[:, : shape.heads], turned[:, shape.heads :], heads[:, -shape.kv_heads :]

    def after(self, block: int, hidden: Tensor, mixed: Tensor) -> Tensor:
        """Attention's output and SwiGLU, each added."""
        weights = self.blocks[block]
        hidden = hidden + F.linear(mixed, weights["attention_out"])
        normed = self._normed(hidden, weights["feed_norm"])
        gate, up = F.linear(normed, weights["feed_in"]).chunk(2, dim=-1)
        return hidden + F.linear(F.silu(gate) * up, weights["feed_out"])

    def leave(self, hidden: Tensor, vectors: Tensor) -> Tensor:
        """Normed, and projected with a share of the last vector where blocks are wider."""
        normed = self._normed(hidden, self.norm)
        if self.leaving is None:
            return normed.float()
        return F.linear(normed, self.leaving).float() + self.skip_gain * vectors

    def _normed(self, hidden: Tensor, gain: Tensor) -> Tensor:
        return F.rms_norm(hidden, (self.shape.width,), gain, self.part.eps)


class SasRecBlocks:
    """Of SASRec: learned positions, LayerNorm and biases, as in torch's pre-norm encoder layers."""

    def __init__(self, part: TowerPart, dtype: torch.dtype, device: torch.device) -> None:
        self.part, self.shape, self.dtype = part, part.shape, dtype
        self.tensors = _moved(part, dtype, device)
        self.positions = part.tensors["positions"].to(device)

    def at(self, places: Tensor) -> Positions:
        """Learned vectors, float32 (events, width)."""
        return (self.positions[places],)

    def enter(self, vectors: Tensor, positions: Positions) -> Tensor:
        """Vectors plus those of their positions."""
        return (vectors + positions[0]).to(self.dtype)

    def heads(self, block: int, hidden: Tensor, positions: Positions) -> Heads:  # noqa: ARG002
        """Queries, keys and values of one joined product."""
        prefix = f"blocks.{block}.self_attn.in_proj_"
        weight, bias = (self.tensors[prefix + name] for name in ("weight", "bias"))
        joined = F.linear(self._normed(hidden, f"blocks.{block}.norm1"), weight, bias)
        query, key, value = joined.view(len(hidden), 3, -1, self.shape.head_dim).unbind(1)
        return query, key, value

    def after(self, block: int, hidden: Tensor, mixed: Tensor) -> Tensor:
        """Attention's output and the feed-forward layer, each added."""
        prefix = f"blocks.{block}"
        hidden = hidden + self._linear(mixed, f"{prefix}.self_attn.out_proj")
        normed = self._normed(hidden, f"{prefix}.norm2")
        inner = F.relu(self._linear(normed, f"{prefix}.linear1"))
        return hidden + self._linear(inner, f"{prefix}.linear2")

    def leave(self, hidden: Tensor, vectors: Tensor) -> Tensor:  # noqa: ARG002  (nothing skips)
        """Normed."""
        return self._normed(hidden, "norm").float()

    def _linear(self, states: Tensor, name: str) -> Tensor:
        return F.linear(states, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])

    def _normed(self, hidden: Tensor, name: str) -> Tensor:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return F.layer_norm(hidden, (self.shape.width,), weight, bias, self.part.eps)


def _moved(part: TowerPart, dtype: torch.dtype, device: torch.device) -> dict[str, Tensor]:
    """All tensors but the item vectors."""
    return {
        name: value.to(device, dtype) for name, value in part.tensors.items() if name != "items"
    }


def _joined(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """A Llama block's weights, those that read the same states as one matrix."""
    together = {
        "attention_norm": ("attention_norm",),
        "attention_in": ("attention.query", "attention.key", "attention.value"),
        "attention_out": ("attention.output",),
        "feed_norm": ("feed_norm",),
        "feed_in": ("feed.gate", "feed.up"),
        "feed_out": ("feed.down",),
    }
    return {
        name: torch.cat([tensors[f"{prefix}.{own}.weight"] for own in owns]).contiguous()
        for name, owns in together.items()
    }


def _turned(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions of (events, heads, head_dim)."""
    first, second = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat((-second, first), dim=-1) * sin
