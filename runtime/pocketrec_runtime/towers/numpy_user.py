"""The user tower in NumPy: the oracle that every other backend is measured against.

Written to be read beside the equations of Llama (Touvron et al., 2023); it needs nothing but
NumPy, so that it also runs where no ONNX Runtime does.
"""

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.gguf.tower import FILE, Edges, check_tower, read_tower
from pocketrec_runtime.llama_weights import BlockWeights, Floats, LlamaWeights
from pocketrec_runtime.shape import ModelShape
from pocketrec_runtime.state import KV, Cache
from pocketrec_runtime.towers.array_cache import ArrayCaches
from pocketrec_runtime.towers.contract import (
    Account,
    Counter,
    check_item_vectors,
    check_user_vectors,
)


class NumpyUserTower(ArrayCaches):
    """History to user vector from plain arrays. Safe to share among threads.

    Args:
        model: Bytes of `user_tower.gguf`.
        shape: The sizes that it must have.

    Raises:
        BundleFormatError: It is no tower file of this shape; see `read_tower`.
    """

    def __init__(self, model: bytes, shape: ModelShape) -> None:
        super().__init__(shape)
        self._weights = read_tower(model, shape)
        self._precision = check_tower(model, shape).precision
        self._computed = Counter()

    @property
    def account(self) -> Account:
        """What it runs on."""
        cpu = ("cpu",)
        return Account("numpy", FILE, self._precision, "float32", 1, cpu, cpu, cpu)

    @property
    def computed_positions(self) -> int:
        """Positions computed so far."""
        return self._computed.value

    def run(
        self, item_vectors: NDArray[np.float32], past: Cache | None = None
    ) -> tuple[NDArray[np.float32], KV]:
        """As `UserTower.run`."""
        check_item_vectors(item_vectors, self._shape.width)
        batch, added = item_vectors.shape[:2]
        before = self.empty(batch) if past is None else self.of_arrays(past)
        vectors, cache = user_vectors(self._weights, item_vectors, before)
        self._computed.add(batch * added)
        check_user_vectors(vectors, batch, self._shape, FILE)
        return vectors, cache


def user_vectors(weights: LlamaWeights, item_vectors: Floats, past: KV) -> tuple[Floats, KV]:
    """User vectors (batch, width) after the last event, and the grown cache.

    Args:
        weights: The tower.
        item_vectors: float32 (batch, length, width), oldest event first.
        past: The cache of the positions before.
    """
    edges = Edges(
        weights.input_scale,
        weights.enter,
        weights.input_norm_eps,
        weights.leave,
        weights.skip_gain,
    )
    x = edges.enter_blocks(item_vectors)
    grown = []
    for block, cache in zip(weights.blocks, past, strict=True):
        mixed, cache = _attention(
            weights, block, _rms_norm(x, block.attention_norm, weights), cache
        )
        x = x + mixed
        x = x + _swiglu(block, _rms_norm(x, block.feed_norm, weights))
        grown.append(cache)
    normed = _rms_norm(x[:, -1], weights.norm, weights)
    return edges.leave_blocks(normed, item_vectors[:, -1]), tuple(grown)


def _rms_norm(x: Floats, gain: Floats, weights: LlamaWeights) -> Floats:
    mean_square = np.mean(x * x, axis=-1, keepdims=True)
    normed: Floats = x / np.sqrt(mean_square + np.float32(weights.eps)) * gain
    return normed


def _attention(
    weights: LlamaWeights, block: BlockWeights, x: Floats, past: tuple[Floats, Floats]
) -> tuple[Floats, tuple[Floats, Floats]]:
    """Attention from x (batch, length, inner) to the cache and to x itself."""
    batch, length, _ = x.shape
    before = past[0].shape[2]
    positions = np.arange(before, before + length)

    def heads(projection: Floats) -> Floats:
        return (x @ projection.T).reshape(batch, length, -1, weights.head_dim).swapaxes(1, 2)

    query = _rotate(heads(block.query), positions, weights.rope_theta)
    key = np.concatenate([past[0], _rotate(heads(block.key), positions, weights.rope_theta)], 2)
    value = np.concatenate([past[1], heads(block.value)], 2)
    # Each key/value head serves a group of query heads.
    group = weights.heads // weights.kv_heads
    logits = (
        query @ key.repeat(group, axis=1).swapaxes(2, 3) / np.sqrt(np.float32(weights.head_dim))
    )
    future = np.arange(before + length)[None, :] > positions[:, None]
    shares = _softmax(np.where(future, -np.inf, logits).astype(np.float32))
    mixed = (shares @ value.repeat(group, axis=1)).swapaxes(1, 2).reshape(batch, length, -1)
    return mixed @ block.output.T, (key, value)


def _rotate(x: Floats, positions: NDArray[np.int64], theta: float) -> Floats:
    """Rotary positions on (batch, heads, length, head_dim), half against half (Su et al., 2021)."""
    half = x.shape[-1] // 2
    angles = positions[:, None] * theta ** (-np.arange(half) / half)
    cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    first, second = x[..., :half], x[..., half:]
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def _swiglu(block: BlockWeights, x: Floats) -> Floats:
    gate = x @ block.gate.T
    with np.errstate(over="ignore"):  # exp of a large negative gate: the share is 0
        opened: Floats = gate / (1 + np.exp(-gate)) * (x @ block.up.T)
    return opened @ block.down.T
