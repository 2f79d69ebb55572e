"""Parameter-efficient fine-tuning of a frozen decoder: LoRA, AdaLoRA, IA3 and prefix tuning.

All of them through peft. `Adapted` reads `inputs_embeds`, since a user tower reads item vectors and
not text; `with_updates` leaves a causal LM one that reads text.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pocketrec_distill.checks import at_least
from pocketrec_distill.errors import ConfigError

ADAPTERS = ("lora", "adalora", "ia3", "prefix")

# AdaLoRA as published: ranks start at 1.5 times the target, and stop changing for the last half.
_START_RANK = 1.5
_WARM_SHARE, _FINAL_SHARE = 0.1, 0.5
_ORTHOGONALITY = 0.1


@dataclass(frozen=True)
class AdapterShape:
    """What is trained inside a frozen decoder.

    Attributes:
        kind: "lora" (Hu et al., 2022), "adalora" (Zhang et al., 2023), "ia3" (Liu et al., 2022) or
            "prefix" (Li and Liang, 2021).
        rank: Rank of a low-rank update; of AdaLoRA the mean rank at the end; of prefix tuning the
            number of virtual positions. IA3 has none.
        steps: Training steps, over which AdaLoRA moves its ranks.
        checkpointing: Compute activations again in the backward pass, to save memory.
    """

    kind: str = "lora"
    rank: int = 16
    steps: int = 1_000
    checkpointing: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ADAPTERS:
            raise ConfigError(f"adapter is {self.kind!r}; choose one of {', '.join(ADAPTERS)}")
        at_least("", self, 1, "rank", "steps")
        if self.kind == "prefix" and self.checkpointing:
            raise ConfigError(
                "a prefix is handed over as keys and values, which checkpointing drops; choose "
                "another adapter, or no checkpointing"
            )


class Adapted:
    """A frozen decoder with a trainable adapter, over vectors instead of tokens.

    Attributes:
        model: The peft model.
        shape: See `AdapterShape`.
    """

    def __init__(self, backbone: Any, shape: AdapterShape) -> None:
        from peft import get_peft_model

        self.shape = shape
        try:
            self.model = get_peft_model(backbone, _config(shape))
        except ValueError as error:  # peft knows IA3's layers for the usual models only
            raise ConfigError(
                f"{shape.kind} does not fit {type(backbone).__name__}: {error}; choose lora"
            ) from error
        for name, parameter in self.model.named_parameters():
            if ".ranknum." in name:  # a count, which peft leaves trainable on an accelerator
                parameter.requires_grad_(requires_grad=False)
        if shape.checkpointing:
            backbone.gradient_checkpointing_enable({"use_reentrant": False})
        self._step = 0

    def states(self, vectors: Tensor) -> Tensor:
        """Last hidden states of (batch, length, width), causal, in the decoder's dtype."""
        if self.shape.kind != "prefix":
            output = self.model(inputs_embeds=vectors, use_cache=False)
        else:
            # peft's own forward drops `inputs_embeds` beside a prefix.
            output = self.model.get_base_model()(
                inputs_embeds=vectors,
                past_key_values=self.model.get_prompt(len(vectors)),
                use_cache=True,
            )
        states: Tensor = output.last_hidden_state
        return states

    def penalty(self) -> Tensor | float:
        """What is added to the loss: AdaLoRA's factors are to stay orthogonal; else 0.

        peft adds it to a loss that the model computes itself, which a user tower's does not.
        """
        if self.shape.kind != "adalora":
            return 0.0
        factors = [
            p @ p.T if "lora_A" in name else p.T @ p
            for name, p in self.model.named_parameters()
            if "lora_A" in name or "lora_B" in name
        ]
        apart = [torch.linalg.matrix_norm(f - torch.eye(len(f), device=f.device)) for f in factors]
        return _ORTHOGONALITY * torch.stack(apart).mean()

    def after_step(self) -> None:
        """Tell the adapter that a step was made, its gradients still there."""
        if self.shape.kind == "adalora" and self._step < self.shape.steps:
            self.model.base_model.update_and_allocate(self._step)
            self._step += 1

    def save(self, folder: str) -> None:
        """Write the adapter in peft's layout; the frozen decoder is not written."""
        config = self.model.peft_config["default"]
        if self.shape.kind == "adalora":
            # Ranks moved on after the step that is kept: dropping those that are 0 now would drop
            # some that are not 0 in what is saved. Ranks that were given up are zeros.
            config.rank_pattern = {}
        self.model.save_pretrained(folder, save_embedding_layers=False)

    def load(self, tensors: dict[str, Tensor]) -> list[str]:
        """Take over what `save` wrote; returns names that are missing or unknown."""
        from peft import get_peft_model_state_dict, set_peft_model_state_dict

        wanted = get_peft_model_state_dict(self.model, save_embedding_layers=False)
        odd = sorted(set(wanted) ^ set(tensors))
        odd += [n for n in wanted if n not in odd and wanted[n].shape != tensors[n].shape]
        if not odd:
            set_peft_model_state_dict(self.model, tensors)
        return odd


def with_updates(lm: Any, rank: int, *, checkpointing: bool) -> Any:
    """A causal LM, frozen, with fresh LoRA updates on its linear layers; they change nothing yet.

    Args:
        lm: The LM; it is changed.
        rank: Of each update.
        checkpointing: Compute activations again in the backward pass, to save memory.
    """
    from peft import get_peft_model

    model = get_peft_model(lm.requires_grad_(False), _lora(rank, "CAUSAL_LM"))
    if checkpointing:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return model


def _lora(rank: int, task_type: str | None = None) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type=task_type,
    )


def _config(shape: AdapterShape) -> Any:
    import peft

    if shape.kind == "lora":
        return _lora(shape.rank)
    if shape.kind == "adalora":
        start = round(_START_RANK * shape.rank + 0.5)
        return peft.AdaLoraConfig(
            init_r=start,
            target_r=shape.rank,
            lora_alpha=2 * shape.rank,
            lora_dropout=0.0,
            target_modules="all-linear",
            total_step=max(3, shape.steps),
            tinit=int(_WARM_SHARE * shape.steps),
            tfinal=int(_FINAL_SHARE * shape.steps),
            deltaT=max(1, shape.steps // 100),
        )
    if shape.kind == "ia3":
        return peft.IA3Config()
    return peft.PrefixTuningConfig(
        task_type=peft.TaskType.FEATURE_EXTRACTION, num_virtual_tokens=shape.rank
    )
