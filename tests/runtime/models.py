"""Tiny real models for the tests: ONNX graphs written node by node, and a NumPy reference.

The user tower is two Llama blocks (RMSNorm, rotary positions, grouped-query attention, SwiGLU),
with a skip from the last item, in the input and output contract of docs/bundle-format.md.
"""

import io
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import onnx
import sentencepiece
from onnx import TensorProto, helper, numpy_helper

EPS = 1e-5


@dataclass(frozen=True)
class Sizes:
    width: int = 8
    blocks: int = 2
    heads: int = 2
    kv_heads: int = 1
    head_dim: int = 4
    hidden: int = 12


def user_tower_weights(sizes: Sizes, seed: int = 7) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return rng.normal(scale=rows**-0.5, size=(rows, columns)).astype(np.float32)

    weights = {}
    for i in range(sizes.blocks):
        weights |= {
            f"{i}.norm1": rng.uniform(0.5, 1.5, sizes.width).astype(np.float32),
            f"{i}.norm2": rng.uniform(0.5, 1.5, sizes.width).astype(np.float32),
            f"{i}.q": matrix(sizes.width, sizes.heads * sizes.head_dim),
            f"{i}.k": matrix(sizes.width, sizes.kv_heads * sizes.head_dim),
            f"{i}.v": matrix(sizes.width, sizes.kv_heads * sizes.head_dim),
            f"{i}.o": matrix(sizes.heads * sizes.head_dim, sizes.width),
            f"{i}.gate": matrix(sizes.width, sizes.hidden),
            f"{i}.up": matrix(sizes.width, sizes.hidden),
            f"{i}.down": matrix(sizes.hidden, sizes.width),
        }
    return weights


def reference_user_vector(
    sizes: Sizes, weights: dict[str, np.ndarray], item_vectors: np.ndarray
) -> np.ndarray:
    """User vector (width,) of item vectors (length, width), in float64 and loops."""
    x = item_vectors.astype(np.float64)
    length, group = len(x), sizes.heads // sizes.kv_heads
    for i in range(sizes.blocks):
        w = {name.split(".")[1]: value for name, value in weights.items() if name[0] == str(i)}
        normed = _rms(x, w["norm1"])
        q = (normed @ w["q"]).reshape(length, sizes.heads, sizes.head_dim)
        k = (normed @ w["k"]).reshape(length, sizes.kv_heads, sizes.head_dim)
        v = (normed @ w["v"]).reshape(length, sizes.kv_heads, sizes.head_dim)
        out = np.zeros((length, sizes.heads, sizes.head_dim))
        for head in range(sizes.heads):
            for at in range(length):
                query = _rotate(q[at, head], at)
                keys = [_rotate(k[j, head // group], j) for j in range(at + 1)]
                logits = np.array([query @ key for key in keys]) / np.sqrt(sizes.head_dim)
                share = np.exp(logits - logits.max())
                out[at, head] = (share / share.sum()) @ v[: at + 1, head // group]
        x = x + out.reshape(length, -1) @ w["o"]
        normed = _rms(x, w["norm2"])
        gate = normed @ w["gate"]
        x = x + (gate / (1 + np.exp(-gate)) * (normed @ w["up"])) @ w["down"]
    return x[-1] + item_vectors[-1]


def _rms(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + EPS) * gain


def _rotate(x: np.ndarray, position: int) -> np.ndarray:
    half = len(x) // 2
    angles = position * 10_000.0 ** (-np.arange(half) / half)
    first, second = x[:half], x[half:]
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin])


class _Graph:
    """Collects nodes and constants; every operator call returns its output's name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: np.ndarray) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def __call__(self, op: str, *inputs: str, to: str | None = None, **attributes: object) -> str:
        name = to or f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def floats(self, of: str) -> str:
        name = f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node("Cast", [of], [name], to=TensorProto.FLOAT))
        return name

    def size(self, of: str, axis: int) -> str:
        """The length of one axis, as a scalar."""
        return self("Gather", self("Shape", of), self.constant(np.int64(axis)))

    def model(self, inputs: dict[str, tuple], outputs: dict[str, tuple]) -> bytes:
        def ports(described: dict[str, tuple]) -> list[onnx.ValueInfoProto]:
            return [helper.make_tensor_value_info(n, *spec) for n, spec in described.items()]

        graph = helper.make_graph(
            self.nodes, "tower", ports(inputs), ports(outputs), self.constants
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        onnx.checker.check_model(model)
        return model.SerializeToString()


def user_tower(sizes: Sizes, weights: dict[str, np.ndarray]) -> bytes:
    g = _Graph()
    half = sizes.head_dim // 2
    zero, one = g.constant(np.int64(0)), g.constant(np.int64(1))
    past = g.size("past_key_values.0.key", 2)
    total = g("Add", past, g.size("item_vectors", 1))
    positions = g("Unsqueeze", g("Range", past, total, one), g.ints(1))
    inverse = g.constant((10_000.0 ** (-np.arange(half) / half)).astype(np.float32)[None])
    angles = g("Mul", g.floats(positions), inverse)
    cos, sin = g("Cos", angles), g("Sin", angles)
    future = g("Greater", g("Range", zero, total, one), positions)
    mask = g("Where", future, g.constant(np.float32(-1e9)), g.constant(np.float32(0)))
    x = "item_vectors"
    for i in range(sizes.blocks):
        w = {name.split(".")[1]: v for name, v in weights.items() if name.startswith(f"{i}.")}
        x = g(
            "Add",
            x,
            _attention(g, sizes, w, _norm(g, x, w["norm1"]), _Place(i, half, cos, sin, mask)),
        )
        x = g("Add", x, _feed_forward(g, w, _norm(g, x, w["norm2"])))
    last = g.constant(np.int64(-1))
    g("Gather", g("Add", x, "item_vectors"), last, axis=1, to="user_vector")
    return g.model(*_user_tower_ports(sizes))


class _Place(NamedTuple):
    """A block's number, and the values that tell positions apart."""

    block: int
    half: int
    cos: str
    sin: str
    mask: str


def _user_tower_ports(sizes: Sizes) -> tuple[dict[str, tuple], dict[str, tuple]]:
    inputs = {"item_vectors": (TensorProto.FLOAT, ["batch", "length", sizes.width])}
    outputs = {"user_vector": (TensorProto.FLOAT, ["batch", sizes.width])}
    for i in range(sizes.blocks):
        for part in ("key", "value"):
            cache = ["batch", sizes.kv_heads, "past_length", sizes.head_dim]
            inputs[f"past_key_values.{i}.{part}"] = (TensorProto.FLOAT, cache)
            grown = ["batch", sizes.kv_heads, "total_length", sizes.head_dim]
            outputs[f"present.{i}.{part}"] = (TensorProto.FLOAT, grown)
    return inputs, outputs


def _norm(g: _Graph, x: str, gain: np.ndarray) -> str:
    mean = g("ReduceMean", g("Mul", x, x), g.ints(-1), keepdims=1)
    root = g("Sqrt", g("Add", mean, g.constant(np.float32(EPS))))
    return g("Mul", g("Div", x, root), g.constant(gain))


def _heads(g: _Graph, x: str, weight: np.ndarray, heads: int, head_dim: int) -> str:
    """(batch, length, width) -> (batch, heads, length, head_dim)."""
    projected = g("MatMul", x, g.constant(weight))
    return g("Transpose", g("Reshape", projected, g.ints(0, 0, heads, head_dim)), perm=[0, 2, 1, 3])


def _rotary(g: _Graph, x: str, place: _Place) -> str:
    cos, sin, half = place.cos, place.sin, place.half
    first = g("Slice", x, g.ints(0), g.ints(half), g.ints(-1))
    second = g("Slice", x, g.ints(half), g.ints(2 * half), g.ints(-1))
    turned = (
        g("Sub", g("Mul", first, cos), g("Mul", second, sin)),
        g("Add", g("Mul", second, cos), g("Mul", first, sin)),
    )
    return g("Concat", *turned, axis=-1)


def _attention(
    g: _Graph,
    sizes: Sizes,
    w: dict[str, np.ndarray],
    x: str,
    place: _Place,
) -> str:
    q = _rotary(g, _heads(g, x, w["q"], sizes.heads, sizes.head_dim), place)
    k = _rotary(g, _heads(g, x, w["k"], sizes.kv_heads, sizes.head_dim), place)
    v = _heads(g, x, w["v"], sizes.kv_heads, sizes.head_dim)
    past = f"past_key_values.{place.block}"
    k = g("Concat", f"{past}.key", k, axis=2, to=f"present.{place.block}.key")
    v = g("Concat", f"{past}.value", v, axis=2, to=f"present.{place.block}.value")
    # One key/value head is shared by all query heads of its group.
    group = np.repeat(np.arange(sizes.kv_heads), sizes.heads // sizes.kv_heads)
    k, v = (g("Gather", each, g.constant(group), axis=1) for each in (k, v))
    logits = g("MatMul", q, g("Transpose", k, perm=[0, 1, 3, 2]))
    scaled = g("Mul", logits, g.constant(np.float32(sizes.head_dim**-0.5)))
    mixed = g("MatMul", g("Softmax", g("Add", scaled, place.mask), axis=-1), v)
    flat = g("Reshape", g("Transpose", mixed, perm=[0, 2, 1, 3]), g.ints(0, 0, -1))
    return g("MatMul", flat, g.constant(w["o"]))


def _feed_forward(g: _Graph, w: dict[str, np.ndarray], x: str) -> str:
    gate = g("MatMul", x, g.constant(w["gate"]))
    silu = g("Mul", gate, g("Sigmoid", gate))
    up = g("MatMul", x, g.constant(w["up"]))
    return g("MatMul", g("Mul", silu, up), g.constant(w["down"]))


def item_tower(table: np.ndarray) -> bytes:
    """The mean of the token rows (vocabulary, width) of a text; padding (id 0) is left out."""
    g = _Graph()
    is_token = g("Greater", "token_ids", g.constant(np.int64(0)))
    share = g("Unsqueeze", g.floats(is_token), g.ints(2))
    rows = g("Mul", g("Gather", g.constant(table.astype(np.float32)), "token_ids"), share)
    count = g("Max", g("ReduceSum", share, g.ints(1), keepdims=0), g.constant(np.float32(1)))
    g("Div", g("ReduceSum", rows, g.ints(1), keepdims=0), count, to="item_vector")
    return g.model(
        {"token_ids": (TensorProto.INT64, ["batch", "tokens"])},
        {"item_vector": (TensorProto.FLOAT, ["batch", table.shape[1]])},
    )


def tokenizer(sentences: list[str], *, pad_id: int = 0, unk_id: int = 1) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        vocab_size=60,
        hard_vocab_limit=False,
        pad_id=pad_id,
        unk_id=unk_id,
        bos_id=-1,
        eos_id=-1,
        minloglevel=2,
        num_threads=1,
    )
    return model.getvalue()
