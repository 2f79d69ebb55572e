"""A user tower of Llama blocks as plain arrays: what GGUF files hold and the NumPy tower runs."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import InputError

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class BlockWeights:
    """One Llama block; every matrix is float32 (outputs, inputs), as PyTorch's `Linear` keeps it.

    Queries and keys are rotated half against half, as in Hugging Face's Llama.

    Attributes:
        attention_norm: Gain of the norm before attention, (inner,).
        query: (heads * head_dim, inner).
        key: (kv_heads * head_dim, inner).
        value: (kv_heads * head_dim, inner).
        output: (inner, heads * head_dim).
        feed_norm: Gain of the norm before the feed-forward layer, (inner,).
        gate: (hidden, inner).
        up: (hidden, inner).
        down: (inner, hidden).
    """

    attention_norm: Floats
    query: Floats
    key: Floats
    value: Floats
    output: Floats
    feed_norm: Floats
    gate: Floats
    up: Floats
    down: Floats


@dataclass(frozen=True, eq=False)
class LlamaWeights:
    """A whole user tower, from item vectors to the user vector.

        scaled = input_scale * item vector
        x      = enter @ scaled, over its root mean square where input_norm_eps is given
        normed = norm(blocks(x))
        user   = leave @ normed + skip_gain * scaled

    A tower without `enter` and `leave` has inner = width; a small student has neither, an LLM
    whose blocks are wider than the item vectors has both.

    Attributes:
        blocks: First to last.
        norm: Gain of the last norm, (inner,).
        heads: Query heads.
        kv_heads: Key/value heads; `heads` divides by it.
        head_dim: Length of one head's query, key and value; even.
        eps: Added to mean squares in every norm.
        rope_theta: Base of the rotary positions.
        input_scale: Factor of item vectors.
        enter: (inner, width), or None for the identity.
        input_norm_eps: The input's norm has no gain, and this epsilon; None for no norm.
        leave: (width, inner), or None for the identity.
        skip_gain: Share of the last scaled item vector in the user vector.
    """

    blocks: tuple[BlockWeights, ...]
    norm: Floats = field(repr=False)
    heads: int
    kv_heads: int
    head_dim: int
    eps: float = 1e-5
    rope_theta: float = 10_000.0
    input_scale: float = 1.0
    enter: Floats | None = None
    input_norm_eps: float | None = None
    leave: Floats | None = None
    skip_gain: float = 0.0

    def __post_init__(self) -> None:
        if not self.blocks or self.heads % self.kv_heads or self.head_dim % 2:
            raise InputError(
                f"{len(self.blocks)} blocks, {self.heads} heads, {self.kv_heads} kv_heads of "
                f"{self.head_dim}: give blocks, heads that divide by kv_heads, an even head_dim"
            )
        for name, (array, expected) in self._shapes().items():
            if array.shape != expected or array.dtype != np.float32:
                raise InputError(f"{name} is {array.dtype} {array.shape}; give float32 {expected}")

    @property
    def inner(self) -> int:
        """Width of the blocks."""
        return len(self.norm)

    @property
    def width(self) -> int:
        """Length of item and user vectors."""
        return self.inner if self.enter is None else self.enter.shape[1]

    @property
    def hidden(self) -> int:
        """Inner width of the feed-forward layers."""
        return len(self.blocks[0].gate)

    def _shapes(self) -> dict[str, tuple[Floats, tuple[int, ...]]]:
        """Every array with the shape that it must have."""
        inner, queries = self.inner, self.heads * self.head_dim
        keys, hidden = self.kv_heads * self.head_dim, self.hidden
        expected = {
            "attention_norm": (inner,), "query": (queries, inner), "key": (keys, inner),
            "value": (keys, inner), "output": (inner, queries), "feed_norm": (inner,),
            "gate": (hidden, inner), "up": (hidden, inner), "down": (inner, hidden),
        }  # fmt: skip
        shapes: dict[str, tuple[Floats, tuple[int, ...]]] = {
            f"block {number} {name}": (getattr(block, name), shape)
            for number, block in enumerate(self.blocks)
            for name, shape in expected.items()
        }
        shapes["norm"] = (self.norm, (inner,))
        if self.enter is not None:
            shapes["enter"] = (self.enter, (inner, self.enter.shape[-1]))
        if self.leave is not None or self.width != inner:
            leave = np.empty(0, np.float32) if self.leave is None else self.leave
            shapes["leave"] = (leave, (self.width, inner))
        return shapes
