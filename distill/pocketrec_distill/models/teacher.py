"""The teacher: a pretrained LLM with an adapter as user tower over item vectors (HLLM, E4SRec)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pocketrec_distill.errors import SourceError
from pocketrec_distill.llm.adapters import Adapted, AdapterShape
from pocketrec_distill.llm.base import BaseLlm, decoder_blocks
from pocketrec_distill.models.base import SequenceModel
from pocketrec_distill.models.student import ItemVectors


@dataclass(frozen=True)
class TeacherShape:
    """Which part of the LLM a teacher keeps, and how it is adapted.

    Attributes:
        adapter: What is trained inside the LLM.
        blocks: Decoder blocks kept, first to last, at most; 0 keeps all.
        adapter_rate: Step of the adapter over that of the rest.
    """

    adapter: AdapterShape
    blocks: int = 0
    adapter_rate: float = 0.5


class Teacher(SequenceModel):
    """User vector = projected LLM state after the last event + a gain times its item vector.

    The skip connection lets the model start from "more of the last item", from which it
    converges in a few epochs.
    """

    def __init__(
        self,
        llm: BaseLlm,
        items: int,
        width: int,
        states: NDArray[np.float32],
        shape: TeacherShape,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.items = ItemVectors(items, width, states)
        self.adapted = _adapted(llm, shape)
        self.llm = self.adapted.model
        self.dtype = llm.backbone.dtype
        self.adapter_rate = shape.adapter_rate
        self.enter = nn.Linear(width, llm.width, bias=False)
        self.leave = nn.Linear(llm.width, width, bias=False)
        self.skip_gain = nn.Parameter(torch.tensor(0.3))
        self.drop = nn.Dropout(dropout)
        self.input_scale = math.sqrt(width)

    def item_vectors(self) -> Tensor:
        """Vectors of the whole catalogue (items, width)."""
        vectors: Tensor = self.items()
        return vectors

    def start_from(self, item_vectors: Mapping[str, Tensor]) -> None:
        """Take item vectors that another model learned from behaviour, as a starting point."""
        self.items.load_state_dict(item_vectors)

    def forward(self, item_vectors: Tensor) -> Tensor:
        """User vectors after each event (batch, length, width)."""
        scaled = self.drop(item_vectors) * self.input_scale
        entered = self.enter(scaled)
        entered = entered * torch.rsqrt(entered.pow(2).mean(dim=-1, keepdim=True) + 1e-6)
        device = entered.device.type
        with torch.autocast(device, self.dtype, enabled=self.dtype == torch.bfloat16):
            states = self.adapted.states(entered.to(self.dtype))
        users: Tensor = self.leave(states.float()) + self.skip_gain * scaled
        return users

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """AdamW's parameter groups: the adapters step more slowly than the new layers."""
        adapters = [p for p in self.llm.parameters() if p.requires_grad]
        known = {id(p) for p in adapters}
        rest = [p for p in self.parameters() if p.requires_grad and id(p) not in known]
        rates = (learning_rate * self.adapter_rate, learning_rate)
        return [
            {"params": group, "lr": rate, "weight_decay": weight_decay}
            for group, rate in zip((adapters, rest), rates, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Write the adapter in peft's layout to `folder/adapter`, the rest beside them.

        The frozen LLM is not written; its fingerprint names it.
        """
        from safetensors.torch import save_file

        self.adapted.save(str(folder / "adapter"))
        save_file(self._own_state(), folder / "towers.safetensors")

    def load(self, folder: Path) -> None:
        """Read what `save` wrote into a teacher of the same shape over the same LLM.

        Raises:
            SourceError: The files lack a tensor of this teacher, or have one too many.
        """
        from safetensors.torch import load_file

        odd = self.adapted.load(load_file(folder / "adapter" / "adapter_model.safetensors"))
        own = self.load_state_dict(load_file(folder / "towers.safetensors"), strict=False)
        # Only the LLM's own weights stand outside this file.
        odd += own.unexpected_keys
        odd += [name for name in own.missing_keys if not name.startswith("llm.")]
        if odd:
            raise SourceError(
                f"teacher in {folder} does not fit: tensor {odd[0]!r} is missing or unknown; "
                "train it again"
            )

    def penalty(self) -> Tensor | float:
        """What the adapter adds to the loss."""
        return self.adapted.penalty()

    def after_step(self) -> None:
        """Let the adapter move its ranks."""
        self.adapted.after_step()

    def _own_state(self) -> dict[str, Tensor]:
        """Everything outside the LLM."""
        state = self.state_dict()
        return {name: state[name].contiguous() for name in state if not name.startswith("llm.")}


def _adapted(llm: BaseLlm, shape: TeacherShape) -> Adapted:
    """The LLM's first blocks, frozen, with a trainable adapter."""
    blocks = decoder_blocks(llm.backbone)
    if 0 < shape.blocks < len(blocks):
        del blocks[shape.blocks :]
        llm.backbone.config.num_hidden_layers = shape.blocks
    return Adapted(llm.backbone, shape.adapter)
