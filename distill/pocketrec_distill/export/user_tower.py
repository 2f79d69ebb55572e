"""The user tower in ONNX: as few operators as do the work, since small ones cost what they are.

Query, key and value come out of one product, gate and up out of another; norm, rotary positions and
attention with its cache are one standard operator each. Of the last block only the newest position
is asked for: the others go no further there than to their keys and values.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from pocketrec_distill.export.graph import FLOAT, Graph, Port
from pocketrec_distill.models.llama import Attention, LlamaBlock, RMSNorm, SwiGLU
from pocketrec_distill.models.llm_student import INPUT_NORM_EPS, LlmStudent
from pocketrec_distill.models.student import Student


def export_user_tower(student: Student | LlmStudent) -> bytes:
    """The student's user tower with explicit past and present KV, of any length from 0.

    Inputs `item_vectors` (batch, length, width) and `past_key_values.{i}.key/value`
    (batch, kv_heads, past_length, head_dim); outputs `user_vector` (batch, width) and
    `present.{i}.key/value`. All float32.
    """
    return _Tower(student).model()


def cache_names(number: int, when: str) -> list[str]:
    """Names of a block's keys and values in the contract, "past" or "present"."""
    prefix = "past_key_values" if when == "past" else when
    return [f"{prefix}.{number}.{part}" for part in ("key", "value")]


@dataclass(frozen=True)
class _Places:
    """Where the new positions stand.

    Attributes:
        cos: Cosines of their rotary angles (batch, length, head_dim / 2).
        sin: Sines.
        seen: Whom each may look at, bool (length, past length + length).
    """

    cos: str
    sin: str
    seen: str


class _Tower:
    """A student's tower, written into a graph; values are (batch, length, width)."""

    def __init__(self, student: Student | LlmStudent) -> None:
        self.student, self.shape = student, student.shape
        self.graph = Graph()

    def model(self) -> bytes:
        """The whole tower, from item vectors to the user vector."""
        student, graph = self.student, self.graph
        scaled = graph.op("Mul", "item_vectors", graph.number(student.input_scale))
        hidden = self._entered(student, scaled) if isinstance(student, LlmStudent) else scaled
        places = self._places()
        *first, last = (cast(LlamaBlock, block) for block in student.blocks)
        for number, block in enumerate(first):
            hidden = self._block(number, block, hidden, places)
        hidden = self._block(len(first), last, hidden, places, newest=True)
        user = self._norm("norm", student.norm, hidden)
        if isinstance(student, LlmStudent):
            user = self._left(student, user, scaled)
        graph.op("Squeeze", user, graph.whole([1]), name="user_vector")
        return graph.model(
            "user_tower",
            [Port("item_vectors", ("batch", "length", student.width)), *self._cache("past")],
            [Port("user_vector", ("batch", student.width)), *self._cache("present")],
        )

    def _cache(self, when: str) -> list[Port]:
        sizes = ("batch", self.shape.kv_heads, f"{when}_length", self.shape.head_dim)
        blocks = range(self.shape.blocks)
        return [Port(name, sizes) for number in blocks for name in cache_names(number, when)]

    def _places(self) -> _Places:
        graph, op = self.graph, self.graph.op
        sizes = op("Shape", "item_vectors", end=2)
        cached = op("Shape", cache_names(0, "past")[0], start=2, end=3)
        past = op("Squeeze", cached, graph.whole([0]))
        total = op("Add", past, op("Gather", sizes, graph.whole(1)))
        now = op("Range", past, total, graph.whole(1))
        each = op("Unsqueeze", op("Expand", now, sizes), graph.whole([2]))
        steps = torch.arange(0, self.shape.head_dim, 2) / self.shape.head_dim
        turns = graph.weight("turns", self.student.rope_theta**-steps)
        angles = op("Mul", op("Cast", each, to=FLOAT), turns)
        everyone = op("Range", graph.whole(0), total, graph.whole(1))
        seen = op("LessOrEqual", everyone, op("Unsqueeze", now, graph.whole([1])))
        return _Places(op("Cos", angles), op("Sin", angles), seen)

    def _block(
        self, number: int, block: LlamaBlock, x: str, places: _Places, *, newest: bool = False
    ) -> str:
        """One block; with `newest`, what it makes of the newest position alone (length 1)."""
        prefix, op = f"blocks.{number}", self.graph.op
        normed = self._norm(f"{prefix}.attention_norm", block.attention_norm, x)
        mixed = self._attention(number, block.attention, normed, places, newest=newest)
        x = op("Add", self._newest(x) if newest else x, mixed)
        normed = self._norm(f"{prefix}.feed_norm", block.feed_norm, x)
        return op("Add", x, self._feed(prefix, block.feed, normed))

    def _attention(
        self, number: int, attention: Attention, x: str, places: _Places, *, newest: bool
    ) -> str:
        graph, shape, prefix = self.graph, self.shape, f"blocks.{number}"
        scaled = attention.query.weight / math.sqrt(shape.head_dim)
        parts = (scaled, attention.key.weight, attention.value.weight)
        joined = self._product(f"{prefix}.attention_in", parts, x)
        query, key, value = graph.split(joined, [len(part) for part in parts])
        query = self._turned(query, shape.heads, places)
        key = self._turned(key, shape.kv_heads, places)
        # The newest position may look at all there is.
        query, seen = (self._newest(query), "") if newest else (query, places.seen)
        mixed, *_ = graph.add(
            "Attention", query, key, value, seen, *cache_names(number, "past"),
            outputs=[f"{prefix}.mixed", *cache_names(number, "present")],
            q_num_heads=shape.heads, kv_num_heads=shape.kv_heads, scale=1.0,
        )  # fmt: skip
        return self._product(f"{prefix}.attention_out", [attention.output.weight], mixed)

    def _turned(self, part: str, heads: int, places: _Places) -> str:
        return self.graph.op("RotaryEmbedding", part, places.cos, places.sin, num_heads=heads)

    def _feed(self, prefix: str, feed: SwiGLU, x: str) -> str:
        graph, op = self.graph, self.graph.op
        parts = (feed.gate.weight, feed.up.weight)
        joined = self._product(f"{prefix}.feed_in", parts, x)
        gate, up = graph.split(joined, [len(part) for part in parts])
        gated = op("Mul", op("Mul", gate, op("Sigmoid", gate)), up)
        return self._product(f"{prefix}.feed_out", [feed.down.weight], gated)

    def _entered(self, student: LlmStudent, scaled: str) -> str:
        """Item vectors in the width of an LLM's blocks, each of mean square 1."""
        entered = self._product("ends.into", [student.enter.weight], scaled)
        ones = self.graph.weight("ends.ones", torch.ones(self.shape.width))
        return self.graph.op("RMSNormalization", entered, ones, epsilon=INPUT_NORM_EPS)

    def _left(self, student: LlmStudent, normed: str, scaled: str) -> str:
        """The newest position back in the width of item vectors, its own added."""
        left = self._product("ends.out", [student.leave.weight], normed)
        gain = self.graph.number(float(student.skip_gain.detach()))
        return self.graph.op("Add", left, self.graph.op("Mul", self._newest(scaled), gain))

    def _norm(self, name: str, norm: RMSNorm, x: str) -> str:
        weight = self.graph.weight(f"{name}.weight", norm.weight)
        return self.graph.op("RMSNormalization", x, weight, epsilon=norm.eps)

    def _product(self, name: str, weights: Sequence[Tensor], x: str) -> str:
        """The products with several matrices (outputs, width), side by side."""
        return self.graph.op("MatMul", x, self.graph.weight(name, torch.cat([*weights]).T))

    def _newest(self, x: str) -> str:
        """The newest position (batch, 1, width)."""
        return self.graph.op("Gather", x, self.graph.whole([-1]), axis=1)
