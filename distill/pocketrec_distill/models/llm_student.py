"""The LLM student: the first and last blocks of a fine-tuned teacher, and its two projections.

Most middle blocks of an LLM are redundant for sequential recommendation (SLMRec, Xu et al., ICLR
2025). What is kept is a plain tower of Llama blocks, wider than the item vectors it reads.
"""

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.llm.base import decoder_blocks
from pocketrec_distill.models.base import SequenceModel
from pocketrec_distill.models.llama import (
    ROPE_THETA,
    KeyValue,
    LlamaBlock,
    RMSNorm,
    TowerShape,
    causal_mask,
    rotary_tables,
)
from pocketrec_distill.models.student import ItemVectors
from pocketrec_distill.models.teacher import Teacher

INPUT_NORM_EPS = 1e-6
Alignment = Callable[[list[Tensor], Tensor], Tensor]
# Names of a Llama block's parts here and in transformers.
BLOCK_PARTS = {
    "attention_norm": "input_layernorm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "feed_norm": "post_attention_layernorm",
    "feed.gate": "mlp.gate_proj",
    "feed.up": "mlp.up_proj",
    "feed.down": "mlp.down_proj",
}


class LlmStudent(SequenceModel):
    """User vector = projected state of a few LLM blocks + a gain times the last item vector.

    Args:
        items: Number of catalogue items.
        width: Length of item and user vectors.
        shape: Sizes of the blocks, whose width is the LLM's.
        states: Pooled LLM states of the item texts, float32 (items, llm width); None for ids alone.
        rope_theta: Base of the rotary positions.
        eps: Added to mean squares in every norm.
        dropout: On item vectors while training.
        kept_rate: Step size of the blocks over that of the rest.
    """

    def __init__(
        self,
        items: int,
        width: int,
        shape: TowerShape,
        states: NDArray[np.float32] | None,
        *,
        rope_theta: float = ROPE_THETA,
        eps: float = 1e-5,
        dropout: float = 0.1,
        kept_rate: float = 0.1,
    ) -> None:
        super().__init__()
        self.width, self.shape, self.rope_theta = width, shape, rope_theta
        self.kept_rate = kept_rate
        # Distance of the states after each block to a teacher's; not a part of the model.
        self.alignment: Alignment | None = None
        self.items = ItemVectors(items, width, states)
        self.enter = nn.Linear(width, shape.width, bias=False)
        blocks = [LlamaBlock(shape) for _ in range(shape.blocks)]
        self.norm = RMSNorm(shape.width, eps)
        for block in blocks:
            block.attention_norm.eps = block.feed_norm.eps = eps
        self.blocks = nn.ModuleList(blocks)
        self.leave = nn.Linear(shape.width, width, bias=False)
        self.skip_gain = nn.Parameter(torch.tensor(0.3))
        self.drop = nn.Dropout(dropout)
        self.input_scale = math.sqrt(width)

    def item_vectors(self) -> Tensor:
        """Vectors of the whole catalogue (items, width)."""
        vectors: Tensor = self.items()
        return vectors

    def _entered(self, item_vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled item vectors, and the states that the first block reads."""
        scaled = self.drop(item_vectors) * self.input_scale
        entered = self.enter(scaled)
        mean = entered.pow(2).mean(dim=-1, keepdim=True)
        return scaled, entered * torch.rsqrt(mean + INPUT_NORM_EPS)

    def _rotary(self, length: int, before: int, device: torch.device) -> KeyValue:
        positions = torch.arange(length, device=device) + before
        return rotary_tables(positions, self.shape.head_dim, self.rope_theta)

    def forward(self, item_vectors: Tensor) -> Tensor:
        """User vectors after each event (batch, length, width)."""
        return self.with_states(item_vectors)[0]

    def training_pass(self, item_vectors: Tensor, items: Tensor) -> tuple[Tensor, Tensor | None]:
        """User vectors, and the distance of hidden states where an alignment is set."""
        users, states = self.with_states(item_vectors)
        return users, None if self.alignment is None else self.alignment(states, items)

    def with_states(self, item_vectors: Tensor) -> tuple[Tensor, list[Tensor]]:
        """User vectors (batch, length, width), and the states after each block."""
        length, device = item_vectors.shape[1], item_vectors.device
        tables, mask = self._rotary(length, 0, device), causal_mask(length, 0, device)
        scaled, hidden = self._entered(item_vectors)
        states = []
        for block in self.blocks:
            hidden, _ = block(hidden, tables, mask)
            states.append(hidden)
        users: Tensor = self.leave(self.norm(hidden)) + self.skip_gain * scaled
        return users, states

    def step(self, item_vectors: Tensor, past: list[KeyValue]) -> tuple[Tensor, list[KeyValue]]:
        """User vector of the last position and the grown cache; see `Student.step`."""
        length, before = item_vectors.shape[1], past[0][0].shape[2]
        tables = self._rotary(length, before, item_vectors.device)
        mask = causal_mask(length, before, item_vectors.device)
        scaled, hidden = self._entered(item_vectors)
        present = []
        for block, cache in zip(self.blocks, past, strict=True):
            hidden, grown = block(hidden, tables, mask, cache)
            present.append(grown)
        last: Tensor = self.leave(self.norm(hidden[:, -1])) + self.skip_gain * scaled[:, -1]
        return last, present

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """AdamW's parameter groups: the kept blocks step more slowly than the rest."""
        kept = [*self.blocks.parameters(), *self.norm.parameters()]
        known = {id(p) for p in kept}
        rest = [p for p in self.parameters() if id(p) not in known]
        return [
            {"params": group, "lr": learning_rate * rate, "weight_decay": decay}
            for members, rate in ((kept, self.kept_rate), (rest, 1.0))
            for group, decay in (
                ([p for p in members if p.ndim > 1], weight_decay),
                ([p for p in members if p.ndim <= 1], 0.0),
            )
        ]


def kept_blocks(depth: int, first: int, last: int) -> list[int]:
    """Which of `depth` blocks are kept: the first and the last ones.

    Raises:
        ConfigError: None would be kept, or more than there are.
    """
    if not 0 < first + last <= depth:
        raise ConfigError(
            f"{first} first and {last} last blocks of a teacher of {depth} cannot be kept; "
            f"keep 1 to {depth}"
        )
    return [*range(first), *range(depth - last, depth)]


def prune_teacher(
    teacher: Teacher,
    states: NDArray[np.float32],
    *,
    first: int,
    last: int,
    dropout: float = 0.1,
    kept_rate: float = 0.1,
) -> LlmStudent:
    """A student from the teacher's first and last blocks, adapters merged; the teacher stays.

    Args:
        teacher: Fine-tuned, with adapters that can be merged into its weights.
        states: The text states that it was made with.
        first: Blocks kept from the beginning.
        last: Blocks kept from the end.
        dropout: On item vectors while training.
        kept_rate: Step size of the blocks over that of the rest.

    Raises:
        ConfigError: The teacher's blocks are no plain Llama blocks, or its adapters cannot merge.
    """
    merged = _merged(teacher.llm)
    config = merged.config
    blocks = decoder_blocks(merged)
    kept = kept_blocks(len(blocks), first, last)
    _check_llama(config, blocks[0])
    shape = TowerShape(
        width=config.hidden_size,
        blocks=len(kept),
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        hidden=config.intermediate_size,
    )
    items, width = teacher.items.residual.shape
    student = LlmStudent(
        items,
        width,
        shape,
        states,
        rope_theta=_rope_theta(config),
        eps=float(config.rms_norm_eps),
        dropout=dropout,
        kept_rate=kept_rate,
    )
    student.items.load_state_dict(teacher.items.state_dict())
    student.enter.load_state_dict(teacher.enter.state_dict())
    student.leave.load_state_dict(teacher.leave.state_dict())
    student.skip_gain.data.copy_(teacher.skip_gain.data)
    student.norm.weight.data.copy_(merged.norm.weight.data.float())
    for ours, number in zip(student.blocks, kept, strict=True):
        theirs = blocks[number].state_dict()
        parts = {f"{a}.weight": theirs[f"{b}.weight"].float() for a, b in BLOCK_PARTS.items()}
        ours.load_state_dict(parts)
    return student


def _merged(llm: Any) -> Any:
    """A copy of the LLM with its adapters merged into its weights, in float32.

    Merged in bfloat16, most of an adapter would be rounded away.
    """
    llm = copy.deepcopy(llm).float()
    if not hasattr(llm, "merge_and_unload"):
        if hasattr(llm, "peft_config"):
            raise ConfigError(
                "the teacher's adapters cannot be merged into its blocks (prefix or prompt "
                "tuning); fine-tune it with lora, adalora or ia3 for an LLM student"
            )
        return llm
    return llm.merge_and_unload()


def _rope_theta(config: Any) -> float:
    """Base of the rotary positions, where transformers 4 and 5 keep it."""
    parameters = getattr(config, "rope_parameters", None) or {}
    found = parameters.get("rope_theta") or getattr(config, "rope_theta", None)
    return ROPE_THETA if found is None else float(found)


def _check_llama(config: Any, block: nn.Module) -> None:
    expected = {f"{part}.weight" for part in BLOCK_PARTS.values()}
    found = set(block.state_dict())
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    plain = found == expected and getattr(config, "hidden_act", "silu") == "silu"
    scaled = getattr(config, "rope_scaling", None) or {}
    kind = scaled.get("rope_type", scaled.get("type", "default"))
    square = head_dim * config.num_attention_heads == config.hidden_size
    if not (plain and square and kind == "default"):
        raise ConfigError(
            f"blocks of {config.model_type!r} are no plain Llama blocks (no biases, SiLU, "
            "unscaled rotary positions); take a Llama such as SmolLM2 for an LLM student or a "
            "served teacher"
        )
