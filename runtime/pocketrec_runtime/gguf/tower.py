"""The GGUF file of a user tower: its keys, its tensors, and its weights as arrays."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pocketrec_runtime import limits
from pocketrec_runtime.errors import BundleFormatError, InputError
from pocketrec_runtime.gguf.blocks import decode
from pocketrec_runtime.gguf.reader import GgufFile, GgufTensor, Value, read_gguf
from pocketrec_runtime.llama_weights import BlockWeights, Floats, LlamaWeights
from pocketrec_runtime.shape import ModelShape

FILE = "user_tower.gguf"
ARCHITECTURE = "llama"
VOCABULARY = "no_vocab"

# GGUF's name of each part of a block -> ours.
BLOCK_TENSORS = {
    "attn_norm": "attention_norm",
    "attn_q": "query",
    "attn_k": "key",
    "attn_v": "value",
    "attn_output": "output",
    "ffn_norm": "feed_norm",
    "ffn_gate": "gate",
    "ffn_up": "up",
    "ffn_down": "down",
}
_MAX_HIDDEN = 16 * limits.MAX_WIDTH


@dataclass(frozen=True, eq=False)
class GgufTower:
    """A checked tower file.

    Attributes:
        file: Its metadata and tensors.
        inner: Width of the blocks.
        hidden: Inner width of the feed-forward layers.
        edges: What happens before and after the blocks; the arguments of `LlamaWeights`.
        precision: How its matrices are stored, for example "Q8_0".
    """

    file: GgufFile
    inner: int
    hidden: int
    edges: "Edges"
    precision: str


@dataclass(frozen=True, eq=False)
class Edges:
    """The way from item vectors into the blocks and out to the user vector; see `LlamaWeights`."""

    input_scale: float
    enter: Floats | None
    input_norm_eps: float | None
    leave: Floats | None
    skip_gain: float

    def enter_blocks(self, item_vectors: Floats) -> Floats:
        """What the first block reads, float32 (..., inner), of item vectors (..., width)."""
        x: Floats = item_vectors * np.float32(self.input_scale)
        if self.enter is not None:
            x = x @ self.enter.T
        if self.input_norm_eps is not None:
            x = x / np.sqrt(
                np.mean(x * x, axis=-1, keepdims=True) + np.float32(self.input_norm_eps)
            )
        return x

    def leave_blocks(self, normed: Floats, last_item: Floats) -> Floats:
        """User vectors, float32 (..., width), of normed states and the items that they follow."""
        users = normed if self.leave is None else normed @ self.leave.T
        if self.skip_gain:
            users = users + np.float32(self.skip_gain * self.input_scale) * last_item
        return users


def check_tower(data: bytes, shape: ModelShape) -> GgufTower:
    """The tower file, once its keys and tensors are exactly those of the shape.

    Raises:
        BundleFormatError: It has other, or malformed ones; see docs/bundle-format.md.
    """
    file = read_gguf(data, FILE)
    fields = _Fields(file.metadata)
    fields.expect("general.architecture", ARCHITECTURE)
    fields.expect("tokenizer.ggml.model", VOCABULARY)
    fields.expect("llama.vocab_size", 1)
    fields.expect("llama.block_count", shape.blocks)
    fields.expect("llama.attention.head_count", shape.heads)
    fields.expect("llama.attention.head_count_kv", shape.kv_heads)
    for key in ("attention.key_length", "attention.value_length", "rope.dimension_count"):
        fields.expect(f"llama.{key}", shape.head_dim)
    fields.integer("llama.context_length", limits.MAX_WINDOW)
    inner = fields.integer("llama.embedding_length", limits.MAX_WIDTH)
    hidden = fields.integer("llama.feed_forward_length", _MAX_HIDDEN)
    fields.number("llama.attention.layer_norm_rms_epsilon", positive=True)
    fields.number("llama.rope.freq_base", positive=True)
    edges = _edges(fields, shape.width, inner)
    fields.expect_no_more()
    _check_tensors(file.tensors, shape, inner, hidden)
    return GgufTower(file, inner, hidden, edges, _precision(file.tensors))


def read_tower(data: bytes, shape: ModelShape) -> LlamaWeights:
    """The weights of a tower file, decoded to float32.

    Raises:
        BundleFormatError: As `check_tower`, or a weight is NaN or infinite.
    """
    tower = check_tower(data, shape)
    metadata, tensors, edges = tower.file.metadata, tower.file.tensors, tower.edges
    blocks = []
    for number in range(shape.blocks):
        parts = {
            ours: _array(tensors[f"blk.{number}.{theirs}.weight"])
            for theirs, ours in BLOCK_TENSORS.items()
        }
        for part in ("query", "key"):
            parts[part] = halves_from_pairs(parts[part], shape.head_dim)
        blocks.append(BlockWeights(**parts))
    try:
        return LlamaWeights(
            tuple(blocks),
            _array(tensors["output_norm.weight"]),
            shape.heads,
            shape.kv_heads,
            shape.head_dim,
            float(metadata["llama.attention.layer_norm_rms_epsilon"]),
            float(metadata["llama.rope.freq_base"]),
            edges.input_scale,
            edges.enter,
            edges.input_norm_eps,
            edges.leave,
            edges.skip_gain,
        )
    except InputError as error:
        raise BundleFormatError(f"{FILE}: {error}") from error


def pairs_from_halves(weight: Floats, head_dim: int) -> Floats:
    """Rows of a query or key projection in the order in which llama.cpp rotates them.

    llama.cpp's `llama` rotates neighbours (0, 1), (2, 3) ...; Hugging Face rotates half against
    half. The same function comes out once the rows of each head change places.
    """
    heads = weight.reshape(-1, 2, head_dim // 2, weight.shape[1])
    return np.ascontiguousarray(heads.swapaxes(1, 2).reshape(weight.shape))


def halves_from_pairs(weight: Floats, head_dim: int) -> Floats:
    """The opposite of `pairs_from_halves`."""
    heads = weight.reshape(-1, head_dim // 2, 2, weight.shape[1])
    return np.ascontiguousarray(heads.swapaxes(1, 2).reshape(weight.shape))


class _Fields:
    """Metadata, each key asked for once; what nobody asked for is refused."""

    def __init__(self, metadata: Mapping[str, Value]) -> None:
        self._rest = dict(metadata)

    def _take(self, key: str) -> Value:
        if key not in self._rest:
            raise BundleFormatError(f"{FILE} lacks the key {key}; export it again")
        return self._rest.pop(key)

    def expect(self, key: str, expected: int | str) -> None:
        value = self._take(key)
        if type(value) is not type(expected) or value != expected:
            raise BundleFormatError(f"{FILE}: {key} is {value!r}; it needs {expected!r}")

    def integer(self, key: str, limit: int) -> int:
        value = self._take(key)
        if not isinstance(value, int) or not 1 <= value <= limit:
            raise BundleFormatError(f"{FILE}: {key} is {value!r}; it must be 1 to {limit}")
        return value

    def number(self, key: str, *, positive: bool = False) -> float:
        value = self._take(key)
        good = isinstance(value, float) and math.isfinite(value) and (value > 0 or not positive)
        if not good:
            raise BundleFormatError(f"{FILE}: {key} is {value!r}; it must be a finite float32")
        return float(value)

    def matrix(self, key: str, rows: int, columns: int) -> Floats:
        value = self._take(key)
        if not isinstance(value, memoryview) or len(value) != 4 * rows * columns:
            raise BundleFormatError(f"{FILE}: {key} is no array of {rows} x {columns} float32")
        array: Floats = np.frombuffer(value, "<f4").astype(np.float32).reshape(rows, columns)
        if not np.isfinite(array).all():
            raise BundleFormatError(f"{FILE}: {key} holds NaN or infinity; export it again")
        return array

    def has(self, key: str) -> bool:
        return key in self._rest

    def expect_no_more(self) -> None:
        if self._rest:
            raise BundleFormatError(
                f"{FILE} has the keys {', '.join(sorted(self._rest))}, which no tower has"
            )


def _edges(fields: _Fields, width: int, inner: int) -> Edges:
    enters, leaves = fields.has("pocketrec.enter"), fields.has("pocketrec.leave")
    if inner != width and not (enters and leaves):
        raise BundleFormatError(
            f"{FILE} has blocks {inner} wide and item vectors of {width}; it needs the keys "
            "pocketrec.enter and pocketrec.leave"
        )
    normed = fields.has("pocketrec.input_norm_epsilon")
    return Edges(
        input_scale=fields.number("pocketrec.input_scale"),
        enter=fields.matrix("pocketrec.enter", inner, width) if enters else None,
        input_norm_eps=(
            fields.number("pocketrec.input_norm_epsilon", positive=True) if normed else None
        ),
        leave=fields.matrix("pocketrec.leave", width, inner) if leaves else None,
        skip_gain=fields.number("pocketrec.skip_gain"),
    )


def _check_tensors(
    tensors: Mapping[str, GgufTensor], shape: ModelShape, inner: int, hidden: int
) -> None:
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    block = {
        "attn_norm": (inner,), "attn_q": (queries, inner), "attn_k": (keys, inner),
        "attn_v": (keys, inner), "attn_output": (inner, queries), "ffn_norm": (inner,),
        "ffn_gate": (hidden, inner), "ffn_up": (hidden, inner), "ffn_down": (inner, hidden),
    }  # fmt: skip
    expected: dict[str, tuple[int, ...]] = {
        f"blk.{number}.{name}.weight": size
        for number in range(shape.blocks)
        for name, size in block.items()
    }
    # llama.cpp asks for a token embedding; a tower has one token, which is never read.
    expected |= {"token_embd.weight": (1, inner), "output_norm.weight": (inner,)}
    if set(tensors) != set(expected):
        odd = sorted(set(tensors) ^ set(expected))
        raise BundleFormatError(f"{FILE}: tensor {odd[0]} is missing, or one too many")
    for name, size in expected.items():
        tensor = tensors[name]
        if tensor.shape != size:
            raise BundleFormatError(f"{FILE}: {name} has shape {tensor.shape}; it needs {size}")
        if len(size) == 1 and tensor.encoding.name != "F32":
            raise BundleFormatError(f"{FILE}: {name} is {tensor.encoding.name}; norms are F32")


def _array(tensor: GgufTensor) -> Floats:
    return decode(tensor.data, tensor.encoding, f"{FILE}: {tensor.name}").reshape(tensor.shape)


def _precision(tensors: Mapping[str, GgufTensor]) -> str:
    """The most coarse encoding of a block's matrices, which names the file."""
    found = {t.encoding.name for n, t in tensors.items() if n.startswith("blk.")}
    return next(name for name in ("Q4_0", "Q8_0", "F16", "F32") if name in found)
