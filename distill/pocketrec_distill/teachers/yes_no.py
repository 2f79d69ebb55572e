"""A causal LM that answers yes or no about a candidate (TALLRec, Bao et al., RecSys 2023)."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pocketrec_distill.errors import ConfigError, SourceError
from pocketrec_distill.llm.adapters import with_updates
from pocketrec_distill.llm.base import CausalLlm, load_causal_llm
from pocketrec_distill.models.base import PADDING, Floats
from pocketrec_distill.placement import CPU
from pocketrec_distill.teachers.item_texts import ItemTexts
from pocketrec_distill.teachers.prefix_cache import PrefixCount, suffix_logits
from pocketrec_distill.teachers.prompt import PromptTemplate
from pocketrec_distill.teachers.protocol import Candidates, Context, check_candidates
from pocketrec_distill.teachers.settings import YesNoSettings

_BATCH = 32


class YesNo:
    """Logit = log of all yes answers' probability over that of all no answers'.

    The user's part of the prompt is computed once and shared by all candidates through its keys
    and values; `count` says how much that saved.
    """

    def __init__(
        self, llm: CausalLlm, lm: Any, texts: Sequence[str], settings: YesNoSettings
    ) -> None:
        self.lm, self.tokenizer, self.settings = lm, llm.tokenizer, settings
        self.template = PromptTemplate.parse(settings.prompt)
        self.texts = ItemTexts.cut(texts, self.tokenizer, settings.item_tokens)
        self.yes, self.no = answer_tokens(self.tokenizer, settings.yes, settings.no)
        self.count = PrefixCount()
        # What the template itself takes, with a spare token where its parts meet the texts.
        bare = self.template.prefix("") + self.template.suffix("")
        self.fixed_tokens = len(self.tokenizer(bare)["input_ids"]) + 4
        if settings.max_tokens <= self.fixed_tokens + 2 * settings.item_tokens:
            raise ConfigError(
                f"[yes_no] max_tokens is {settings.max_tokens}; the prompt takes "
                f"{self.fixed_tokens} without texts, and two of {settings.item_tokens} must fit"
            )

    @classmethod
    def open(
        cls,
        folder: Path,
        texts: Sequence[str],
        settings: YesNoSettings,
        device: torch.device = CPU,
    ) -> "YesNo":
        """A fine-tuned LM: a peft adapter over the base, or a whole model; safetensors only.

        Raises:
            SourceError: Base, adapter or model cannot be loaded, or do not fit.
        """
        from peft import PeftModel

        if (folder / "config.json").is_file():
            llm = load_causal_llm(str(folder), settings.precision, device)
            return cls(llm, llm.lm, texts, settings)
        if not (folder / "adapter_model.safetensors").is_file():
            raise SourceError(
                f"no adapter_model.safetensors in {str(folder)!r}, and no config.json; give a "
                "folder that peft wrote, or one of a whole model"
            )
        llm = load_causal_llm(settings.base, settings.precision, device)
        try:
            lm = PeftModel.from_pretrained(llm.lm, str(folder), local_files_only=True)
        except Exception as error:  # peft raises what torch and safetensors raise
            raise SourceError(
                f"the adapter in {str(folder)!r} does not fit {settings.base!r}: {error}"
            ) from error
        return cls(llm, lm.eval(), texts, settings)

    @classmethod
    def untrained(
        cls,
        texts: Sequence[str],
        settings: YesNoSettings,
        seed: int,
        device: torch.device = CPU,
    ) -> "YesNo":
        """The base LM with fresh LoRA updates on its linear layers; they change nothing yet."""
        llm = load_causal_llm(settings.base, settings.precision, device)
        torch.manual_seed(seed)
        lm = with_updates(llm.lm, settings.rank, checkpointing=settings.checkpointing)
        return cls(llm, lm.eval(), texts, settings)

    def save(self, folder: Path) -> None:
        """Write the adapter in peft's layout; the base is not written."""
        self.lm.save_pretrained(folder, save_embedding_layers=False)

    def save_whole(self, folder: Path) -> None:
        """Write a whole model, the adapter merged in float32, with its tokenizer.

        Raises:
            ConfigError: The adapter cannot be merged.
        """
        from peft import PeftModel

        lm = copy.deepcopy(self.lm).float()
        if isinstance(lm, PeftModel):
            if not hasattr(lm, "merge_and_unload"):
                kind = lm.active_peft_config.peft_type.value
                raise ConfigError(f"a yes_no adapter of kind {kind} cannot be merged; use LoRA")
            lm = lm.merge_and_unload()
        lm.save_pretrained(folder, max_shard_size="1GB")
        # Of a GGUF file, what the tokenizer came from would be the whole model once more.
        self.tokenizer.save_pretrained(folder, legacy_format=False)

    @torch.inference_mode()
    def candidate_logits(self, contexts: Sequence[Context], candidates: Candidates) -> Floats:
        """Logits float32 (contexts, candidates), NaN at padding."""
        check_candidates(contexts, candidates, len(self.texts.texts))
        self.lm.eval()
        logits = np.full(candidates.shape, np.nan, dtype=np.float32)
        for row in range(len(contexts)):
            known = np.flatnonzero(candidates[row] != PADDING)
            if not len(known):
                continue
            answers = suffix_logits(
                self.lm,
                torch.tensor([self.prefix_ids(contexts[row])], device=self.lm.device),
                [self.suffix_ids(item) for item in candidates[row, known]],
                tokens=torch.cat((self.yes, self.no)),
                padding=self.tokenizer.pad_token_id,
                batch=_BATCH,
                count=self.count,
            )
            logits[row, known] = self._odds(answers).numpy()
        return logits

    def pair_logits(self, contexts: Sequence[Context], items: Candidates) -> Tensor:
        """Logit of one item for each context, by whole prompts, float32 (contexts,)."""
        prompts = [
            self.prefix_ids(context) + self.suffix_ids(item)
            for context, item in zip(contexts, items, strict=True)
        ]
        longest = max(map(len, prompts))
        padding = self.tokenizer.pad_token_id
        device = self.lm.device
        ids = torch.tensor([p + [padding] * (longest - len(p)) for p in prompts], device=device)
        lengths = torch.tensor([len(p) for p in prompts], device=device)
        mask = (torch.arange(longest, device=device) < lengths[:, None]).long()
        last, which = torch.unique(lengths - 1, return_inverse=True)
        output = self.lm(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=last)
        logits = output.logits[torch.arange(len(ids), device=device), which]
        return self._odds(logits[:, torch.cat((self.yes, self.no)).to(device)].float())

    def prefix_ids(self, context: Context) -> list[int]:
        """Tokens that all candidates of a context share; the oldest events are cut first."""
        room = self.settings.max_tokens - self.fixed_tokens - self.settings.item_tokens
        text = self.template.prefix(self.texts.history(context.history, room))
        return list(self.tokenizer(text)["input_ids"])

    def suffix_ids(self, item: int) -> list[int]:
        """Tokens of a candidate, up to the answer."""
        text = self.template.suffix(self.texts.texts[item])
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def trainable(self) -> list[torch.nn.Parameter]:
        """What training changes: the adapter."""
        return [p for p in self.lm.parameters() if p.requires_grad]

    def set_training(self, mode: bool) -> None:
        """Dropout on or off."""
        self.lm.train(mode)

    def _odds(self, answers: Tensor) -> Tensor:
        yes, no = answers[:, : len(self.yes)], answers[:, len(self.yes) :]
        return yes.logsumexp(dim=1) - no.logsumexp(dim=1)


def answer_tokens(tokenizer: Any, yes: Sequence[str], no: Sequence[str]) -> tuple[Tensor, Tensor]:
    """First tokens of the words for yes and for no, int64, each once.

    A token that both begin with, such as a lone space, tells nothing and is left out.

    Raises:
        ConfigError: No token is left for one of them.
    """
    first = [
        {tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in words}
        for words in (yes, no)
    ]
    shared = first[0] & first[1]
    kept = [sorted(tokens - shared) for tokens in first]
    if not all(kept):
        raise ConfigError(
            f"[yes_no] yes {list(yes)} and no {list(no)} begin with the same tokens; give words "
            "that this tokenizer tells apart"
        )
    return torch.tensor(kept[0]), torch.tensor(kept[1])
