"""The sizes of a bundle's models: what the files must agree with."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from pocketrec_runtime import limits
from pocketrec_runtime.errors import InputError

TokenizerKind = Literal["sentencepiece", "wordpiece"]
RowFormat = Literal["int8", "int4", "float32"]


@dataclass(frozen=True)
class ItemTowerShape:
    """Sizes of the on-device item tower.

    Attributes:
        max_tokens: Tokens of one text that the tower reads; the rest is cut.
        bias: Score bias of an item that was not in the catalogue at training time.
        tokenizer: What `tokenizer.model` is.
    """

    max_tokens: int
    bias: float = 0.0
    tokenizer: TokenizerKind = "sentencepiece"

    def __post_init__(self) -> None:
        _check_range("max_tokens", self.max_tokens, limits.MAX_TOKENS)
        if not math.isfinite(self.bias):
            raise InputError(f"item tower bias is {self.bias}; give a finite number")
        if self.tokenizer not in get_args(TokenizerKind):
            raise InputError(
                f"tokenizer is {self.tokenizer!r}; this runtime reads "
                f"{' and '.join(get_args(TokenizerKind))}"
            )


@dataclass(frozen=True)
class ModelShape:
    """Sizes of the user tower and of the catalogue.

    Attributes:
        width: Length of item and user vectors.
        blocks: Number of Llama blocks.
        heads: Query heads.
        kv_heads: Key/value heads; `heads` divides by it.
        head_dim: Length of one head's query, key and value.
        window: Longest history, in events, that the user tower reads.
        items: Number of catalogue items.
        rows: How catalogue rows are stored; int4 rows are int8 of -7 to 7 in memory.
        user_tower: Format of the user tower's file; an "onnx" bundle may have a GGUF file too.
        item_tower: Sizes of the item tower, None where the bundle has none.
    """

    width: int
    blocks: int
    heads: int
    kv_heads: int
    head_dim: int
    window: int
    items: int
    rows: RowFormat = "int8"
    user_tower: Literal["onnx", "gguf"] = "onnx"
    item_tower: ItemTowerShape | None = None

    def __post_init__(self) -> None:
        _check_range("width", self.width, limits.MAX_WIDTH)
        _check_range("blocks", self.blocks, limits.MAX_BLOCKS)
        _check_range("heads", self.heads, limits.MAX_HEADS)
        _check_range("kv_heads", self.kv_heads, limits.MAX_HEADS)
        _check_range("head_dim", self.head_dim, limits.MAX_WIDTH)
        _check_range("window", self.window, limits.MAX_WINDOW)
        _check_range("items", self.items, limits.MAX_ITEMS)
        if self.heads % self.kv_heads:
            raise InputError(f"heads {self.heads} does not divide by kv_heads {self.kv_heads}")
        if self.rows not in get_args(RowFormat):
            known = ", ".join(get_args(RowFormat))
            raise InputError(f"rows is {self.rows!r}; this runtime reads {known}")
        if self.user_tower not in ("onnx", "gguf"):
            raise InputError(f"user_tower is {self.user_tower!r}; this runtime reads onnx and gguf")

    @property
    def new_item_bias(self) -> float:
        """Score bias of an item that was not in the catalogue at training time."""
        return 0.0 if self.item_tower is None else self.item_tower.bias


def _check_range(name: str, value: int, limit: int) -> None:
    if not 1 <= value <= limit:
        raise InputError(f"{name} is {value}; it must be 1 to {limit}")
