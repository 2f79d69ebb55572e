"""Continued pretraining: LoRA on the base LLM and two losses; merged when the LLM is loaded."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pocketrec_distill.errors import ConfigError, SourceError
from pocketrec_distill.llm.adapters import with_updates
from pocketrec_distill.llm.base import BaseLlm, CausalLlm, load_causal_llm
from pocketrec_distill.llm.states import pooled
from pocketrec_distill.models.base import History
from pocketrec_distill.placement import CPU
from pocketrec_distill.pretrain.examples import co_consumed, text_batch
from pocketrec_distill.pretrain.losses import info_nce, next_token_loss
from pocketrec_distill.pretrain.settings import PretrainSettings
from pocketrec_distill.progress import progress
from pocketrec_distill.training.schedule import warmed_up

GRADIENT_NORM = 1.0
_ADAPTER = "adapter_model.safetensors"


@dataclass(frozen=True)
class PretrainStep:
    """One step: its number from 1 and its losses, 0 where one is left out."""

    step: int
    text: float
    behaviour: float

    def as_dict(self) -> dict[str, float]:
        """The form that stands in reports."""
        return asdict(self)


def pretrain(
    llm: CausalLlm,
    texts: Sequence[str],
    histories: Sequence[History],
    settings: PretrainSettings,
    *,
    layer: int,
    max_tokens: int,
    seed: int,
    folder: Path,
) -> list[PretrainStep]:
    """Train LoRA updates on a causal LM, and write them to `folder` in peft's layout.

    Args:
        llm: The base; it is changed, load it anew afterwards.
        texts: Item texts.
        histories: Training histories, oldest first.
        settings: See `PretrainSettings`.
        layer: Block whose pooled states stand for an item, as they will for the item states; 1 to
            the number of blocks.
        max_tokens: Tokens kept of a text.
        seed: Of the LoRA updates and of every choice.
        folder: Where the adapter goes.

    Raises:
        ConfigError: The loss is no longer finite.
        DataError: There is no pair of items to learn behaviour from.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = with_updates(llm.lm, settings.rank, checkpointing=settings.checkpointing)
    base = BaseLlm(model.get_base_model().base_model, llm.tokenizer, llm.fingerprint)
    pairs = co_consumed(histories, settings.distance) if settings.behaviour_weight else None
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=0.0)
    schedule = warmed_up(optimiser, settings.steps)
    curve: list[PretrainStep] = []
    model.train()
    for step in progress(range(1, settings.steps + 1), label="pretrain", unit="step"):
        text = behaviour = torch.zeros((), device=model.device)
        if settings.text_weight:
            chosen = text_batch(texts, histories, settings.batch, settings.history, rng)
            text = _text_loss(model, llm.tokenizer, chosen, max_tokens)
        if pairs is not None:
            rows = pairs[rng.integers(len(pairs), size=settings.batch)]
            behaviour = _behaviour_loss(base, texts, rows, layer, max_tokens, settings.temperature)
        loss = settings.text_weight * text + settings.behaviour_weight * behaviour
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, GRADIENT_NORM)
        optimiser.step()
        schedule.step()
        curve.append(PretrainStep(step, float(text.detach()), float(behaviour.detach())))
        if not np.isfinite([curve[-1].text, curve[-1].behaviour]).all():
            raise ConfigError(
                f"pretraining: a loss is no longer finite at step {step}; lower learning_rate "
                f"(now {settings.learning_rate})"
            )
    model.eval().save_pretrained(folder, save_embedding_layers=False)
    return curve


def load_pretrained(
    model: str, precision: str, folder: Path, device: torch.device = CPU
) -> BaseLlm:
    """The base LLM with the updates in `folder` merged in, frozen, its head left out.

    Raises:
        SourceError: The base or the updates cannot be loaded, or do not fit.
    """
    from peft import PeftModel

    llm = load_causal_llm(model, precision, device)
    try:
        merged = PeftModel.from_pretrained(llm.lm, str(folder), local_files_only=True)
        lm = merged.merge_and_unload()
    except Exception as error:  # peft raises what torch and safetensors raise
        raise SourceError(f"the updates in {folder} do not fit {model!r}: {error}") from error
    digest = hashlib.sha256(llm.fingerprint.encode())
    digest.update((folder / _ADAPTER).read_bytes())
    backbone = lm.base_model.eval().requires_grad_(False)
    return BaseLlm(backbone, llm.tokenizer, digest.hexdigest())


def _text_loss(model: Any, tokenizer: Any, texts: Sequence[str], max_tokens: int) -> Tensor:
    batch = tokenizer(
        list(texts),
        return_tensors="pt",
        padding=True,
        padding_side="right",
        truncation=True,
        max_length=max_tokens,
    ).to(model.device)
    logits = model(**batch, use_cache=False).logits
    return next_token_loss(logits, batch["input_ids"], batch["attention_mask"])


def _behaviour_loss(
    base: BaseLlm,
    texts: Sequence[str],
    pairs: Any,
    layer: int,
    max_tokens: int,
    temperature: float,
) -> Tensor:
    wanted, places = np.unique(pairs, return_inverse=True)
    states = pooled(base, [texts[item] for item in wanted], layer, max_tokens)
    sides = states[torch.from_numpy(places.reshape(-1, 2)).to(states.device)]
    indices = torch.from_numpy(np.asarray(pairs, dtype=np.int64)).to(states.device)
    return info_nce(sides[:, 0], sides[:, 1], indices, temperature)
