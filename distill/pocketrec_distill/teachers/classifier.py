"""A sequence classifier on (history text, candidate text), such as a fine-tuned BERT."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pocketrec_distill.errors import SourceError
from pocketrec_distill.llm.base import compute_dtype
from pocketrec_distill.models.base import PADDING, Floats
from pocketrec_distill.placement import CPU
from pocketrec_distill.teachers.item_texts import ItemTexts
from pocketrec_distill.teachers.protocol import Candidates, Context, check_candidates
from pocketrec_distill.teachers.settings import DEFAULT_ENCODER, ClassifierSettings

_BATCH = 64
# Parts of a head that a pretrained encoder does not have, and training makes.
_HEAD = ("classifier.", "score.", "pre_classifier.", "pooler.", "bert.pooler.")


class Classifier:
    """Logit = the model's log odds of "liked" for the pair of texts.

    One label is read as the logit itself (trained with binary cross-entropy), two as the
    difference of the second's and the first's.
    """

    def __init__(
        self, model: Any, tokenizer: Any, texts: Sequence[str], settings: ClassifierSettings
    ) -> None:
        labels = int(model.config.num_labels)
        if labels not in (1, 2):
            raise SourceError(
                f"the classifier has {labels} labels; one (a logit) or two (no, yes) are needed"
            )
        self.model, self.tokenizer, self.settings = model, tokenizer, settings
        self.texts = ItemTexts.cut(texts, tokenizer, settings.item_tokens)
        places = getattr(model.config, "max_position_embeddings", None) or settings.max_tokens
        self.max_tokens = min(settings.max_tokens, int(places))
        self.special = int(tokenizer.num_special_tokens_to_add(pair=True))

    @classmethod
    def open(
        cls,
        folder: Path,
        texts: Sequence[str],
        settings: ClassifierSettings,
        device: torch.device = CPU,
    ) -> "Classifier":
        """A fine-tuned classifier from a folder in Hugging Face's layout, safetensors only.

        Raises:
            SourceError: It cannot be loaded, or a tensor of it, its head for example, is missing.
        """
        model, tokenizer, missing = _loaded(folder)
        if missing:
            raise SourceError(
                f"{folder} has no tensor {missing[0]!r}: it is no fine-tuned classifier; "
                "name it as [classifier] base to train one"
            )
        return cls(model.to(device), tokenizer, texts, settings)

    @classmethod
    def untrained(
        cls,
        texts: Sequence[str],
        settings: ClassifierSettings,
        seed: int,
        device: torch.device = CPU,
    ) -> "Classifier":
        """The settings' base encoder with a fresh head of one label.

        Raises:
            SourceError: It cannot be loaded, or lacks more than a head.
        """
        folder = _encoder_folder(settings.base)
        torch.manual_seed(seed)
        model, tokenizer, missing = _loaded(folder, num_labels=1)
        lost = [name for name in missing if not name.startswith(_HEAD)]
        if lost:
            raise SourceError(f"{folder} has no tensor {lost[0]!r}; give a whole encoder")
        if settings.checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        return cls(model.to(device), tokenizer, texts, settings)

    def save(self, folder: Path) -> None:
        """Write model and tokenizer in Hugging Face's layout."""
        self.model.save_pretrained(folder, max_shard_size="1GB")
        self.tokenizer.save_pretrained(folder)

    # Nothing of it is an adapter.
    save_whole = save

    @torch.inference_mode()
    def candidate_logits(self, contexts: Sequence[Context], candidates: Candidates) -> Floats:
        """Logits float32 (contexts, candidates), NaN at padding."""
        check_candidates(contexts, candidates, len(self.texts.texts))
        self.model.eval()
        logits = np.full(candidates.shape, np.nan, dtype=np.float32)
        rows, columns = np.nonzero(candidates != PADDING)
        sizes = np.array([min(self._tokens(context), self.max_tokens) for context in contexts])
        # Pairs of one length share a batch; the order is restored by their places.
        order = np.argsort(sizes[rows], kind="stable")
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            pairs = [contexts[row] for row in rows[chosen]]
            items = candidates[rows[chosen], columns[chosen]]
            found = self.pair_logits(pairs, items).cpu().numpy()
            logits[rows[chosen], columns[chosen]] = found
        return logits

    def pair_logits(self, contexts: Sequence[Context], items: Candidates) -> Tensor:
        """Logit of one item for each context, float32 (contexts,), differentiable."""
        candidates = [self.texts.texts[item] for item in items]
        room = self.max_tokens - self.special
        histories = [
            self.texts.history(context.history, room - int(self.texts.lengths[item]))
            for context, item in zip(contexts, items, strict=True)
        ]
        batch = self.tokenizer(
            histories,
            candidates,
            padding=True,
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
        ).to(self.model.device)
        dtype = compute_dtype(self.settings.precision, self.model.device)
        with torch.autocast(self.model.device.type, dtype, enabled=dtype != torch.float32):
            logits: Tensor = self.model(**batch).logits
        logits = logits.float()
        return logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]

    def trainable(self) -> list[torch.nn.Parameter]:
        """What training changes: everything."""
        return list(self.model.parameters())

    def set_training(self, mode: bool) -> None:
        """Dropout on or off."""
        self.model.train(mode)

    def _tokens(self, context: Context) -> int:
        return int(self.texts.lengths[context.history].sum())


def _encoder_folder(base: str) -> Path:
    if base == DEFAULT_ENCODER:
        from pocketrec_distill.sources import minilm

        return minilm()
    return Path(base)


def _loaded(folder: Path, num_labels: int | None = None) -> tuple[Any, Any, list[str]]:
    """Model, tokenizer, and the tensors that the folder does not have.

    Raises:
        SourceError: No such folder, or no model with safetensors weights in it.
    """
    import transformers

    if not folder.is_dir():
        raise SourceError(f"no model folder at {str(folder)!r}; give an existing one")
    given = {} if num_labels is None else {"num_labels": num_labels}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
        model, info = transformers.AutoModelForSequenceClassification.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            dtype=torch.float32,
            output_loading_info=True,
            **given,
        )
    except Exception as error:  # transformers and safetensors share no base class of theirs
        raise SourceError(
            f"cannot load a sequence classifier from {str(folder)!r}: {error}. Give a folder with "
            "config, safetensors weights and tokenizer"
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    return model, tokenizer, sorted(info["missing_keys"])
