"""Section `[pretrain]` of the configuration."""

from dataclasses import dataclass

from pocketrec_distill.checks import at_least, not_negative, positive
from pocketrec_distill.errors import ConfigError


@dataclass(frozen=True)
class PretrainSettings:
    """Continued pretraining of the base LLM; its result makes item states and starts the teacher.

    Attributes:
        enabled: Whether there is any.
        steps: Steps of training.
        batch: Texts, and pairs of items, per step.
        text_weight: Of the causal LM loss on item texts and verbalised histories; 0 leaves it out.
        behaviour_weight: Of the contrastive loss that draws items of one user together; 0 leaves
            it out.
        temperature: Of the contrastive loss.
        distance: Events between two items of a pair, at most.
        history: Items of a verbalised history, at most.
        rank: Rank of the LoRA updates, which are merged into the LLM afterwards.
        learning_rate: AdamW's step size after a warm-up; it falls to 0 in a line.
        checkpointing: Compute activations again in the backward pass, to save memory.
    """

    enabled: bool = False
    steps: int = 200
    batch: int = 16
    text_weight: float = 1.0
    behaviour_weight: float = 1.0
    temperature: float = 0.05
    distance: int = 1
    history: int = 8
    rank: int = 16
    learning_rate: float = 2e-4
    checkpointing: bool = False

    def __post_init__(self) -> None:
        names = ("steps", "batch", "temperature", "distance", "rank", "learning_rate")
        positive("pretrain", self, *names)
        not_negative("pretrain", self, "text_weight", "behaviour_weight")
        at_least("pretrain", self, 2, "history")
        if self.text_weight == 0 and self.behaviour_weight == 0:
            raise ConfigError(
                "[pretrain] text_weight and behaviour_weight are both 0; nothing would be learned"
            )
        if self.behaviour_weight and self.batch < 2:
            raise ConfigError("[pretrain] batch is 1; a pair is told from others of its batch")
