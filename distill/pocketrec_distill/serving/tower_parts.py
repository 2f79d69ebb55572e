"""User towers as a teacher folder holds them: sizes, and every tensor by name."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models.llama import TowerShape
from pocketrec_runtime.limits import MAX_BLOCKS, MAX_WIDTH

Family = Literal["llama", "sasrec"]
# A teacher's blocks are a large LLM's: Llama of 405 billion weights is 53,248 wide inside.
MAX_INNER = 65_536

Sizes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class TowerPart:
    """A user tower over item vectors, adapters merged.

    Attributes:
        width: Length of item and user vectors.
        shape: Sizes of the blocks; SASRec's have a key head for each query head, and are as wide
            inside as outside.
        projected: Whether blocks are wider than vectors: vectors enter and leave by projections,
            and a gain times the last vector is added. Llama's alone.
        rope_theta: Base of the rotary positions; SASRec has none.
        eps: Added to mean squares (SASRec: variances) in every norm.
        tensors: float32: `items` (items, width), and of Llama blocks `norm.weight`, `blocks.{i}.*`
            and, where projected, `enter.weight`, `leave.weight`, `skip_gain`; of SASRec `positions`
            (window, width), `norm.*` and `blocks.{i}.*` as in torch's `TransformerEncoderLayer`.
        family: Whose blocks they are.
    """

    width: int
    shape: TowerShape
    projected: bool
    rope_theta: float
    eps: float
    tensors: Mapping[str, Tensor]
    family: Family = "llama"

    def __post_init__(self) -> None:
        shape = self.shape
        inner = max(shape.width, shape.hidden)
        if self.family not in get_args(Family):
            raise ConfigError(f"a tower of the family {str(self.family)[:40]!r} cannot be served")
        if self.width > MAX_WIDTH or inner > MAX_INNER or shape.blocks > MAX_BLOCKS:
            raise ConfigError(
                f"a tower of width {self.width} and shape {shape} is larger than the format allows "
                f"(vectors {MAX_WIDTH} wide, {MAX_BLOCKS} blocks {MAX_INNER} wide inside)"
            )
        if not (0 < self.rope_theta < math.inf and 0 < self.eps < 1):
            raise ConfigError(f"rope_theta is {self.rope_theta} and eps {self.eps}")
        if not self.projected and self.width != shape.width:
            raise ConfigError(f"blocks of width {shape.width} read vectors of width {self.width}")
        if self.family == "sasrec" and (self.projected or shape.kv_heads != shape.heads):
            raise ConfigError("a SASRec has no projections, and as many key heads as query heads")
        self._check_tensors()

    @property
    def items(self) -> int:
        """Number of catalogue items."""
        return len(self.tensors["items"])

    @property
    def longest(self) -> int | None:
        """Longest history that it can read; None for any."""
        return len(self.tensors["positions"]) if self.family == "sasrec" else None

    def expected(self) -> Sizes:
        """Name -> shape of every tensor of such a tower."""
        blocks = _sasrec_block(self.shape) if self.family == "sasrec" else _llama_block(self.shape)
        return {
            "items": (self.items, self.width),
            **self._ends(),
            **{
                f"blocks.{block}.{name}": size
                for block in range(self.shape.blocks)
                for name, size in blocks.items()
            },
        }

    def _ends(self) -> Sizes:
        """The tensors before the first block and after the last."""
        inner, norm = self.shape.width, {"norm.weight": (self.shape.width,)}
        if self.family == "sasrec":
            return {**norm, "norm.bias": (inner,), "positions": (self.longest or 0, self.width)}
        if not self.projected:
            return {**norm}
        enter, leave = (inner, self.width), (self.width, inner)
        return {**norm, "enter.weight": enter, "leave.weight": leave, "skip_gain": ()}

    def _check_tensors(self) -> None:
        for name in ("items", *(["positions"] if self.family == "sasrec" else [])):
            if name not in self.tensors or self.tensors[name].ndim != 2:
                raise ConfigError(f"a tower lacks its {name}, a tensor of two dimensions")
        expected = self.expected()
        if odd := sorted(set(expected) ^ set(self.tensors)):
            raise ConfigError(f"a tower lacks, or should not have, the tensor {odd[0]!r}")
        for name, shape in expected.items():
            tensor = self.tensors[name]
            if tuple(tensor.shape) != shape or str(tensor.dtype) != "torch.float32":
                raise ConfigError(
                    f"tensor {name!r} is {tensor.dtype} {tuple(tensor.shape)}; expected "
                    f"float32 {shape}"
                )
            if not bool(tensor.isfinite().all()):
                raise ConfigError(f"tensor {name!r} holds NaN or infinity")


def _llama_block(shape: TowerShape) -> Sizes:
    """Tensors of one Llama block."""
    inner, keys, hidden = shape.width, shape.kv_heads * shape.head_dim, shape.hidden
    sizes: Sizes = {
        "attention_norm": (inner,),
        "attention.query": (inner, inner),
        "attention.key": (keys, inner),
        "attention.value": (keys, inner),
        "attention.output": (inner, inner),
        "feed_norm": (inner,),
        "feed.gate": (hidden, inner),
        "feed.up": (hidden, inner),
        "feed.down": (inner, hidden),
    }
    return {f"{name}.weight": size for name, size in sizes.items()}


def _sasrec_block(shape: TowerShape) -> Sizes:
    """Tensors of one of torch's encoder layers."""
    inner, hidden = shape.width, shape.hidden
    layers = {
        "self_attn.out_proj": (inner, inner),
        "linear1": (hidden, inner),
        "linear2": (inner, hidden),
    }
    sizes: Sizes = {
        "self_attn.in_proj_weight": (3 * inner, inner),
        "self_attn.in_proj_bias": (3 * inner,),
    }
    for name, (out, of) in layers.items():
        sizes |= {f"{name}.weight": (out, of), f"{name}.bias": (out,)}
    for norm in ("norm1", "norm2"):
        sizes |= {f"{norm}.weight": (inner,), f"{norm}.bias": (inner,)}
    return sizes
