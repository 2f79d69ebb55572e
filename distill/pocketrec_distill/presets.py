"""Named sizes of students, from a few kilobytes of tower to a pruned LLM."""

from collections.abc import Mapping
from dataclasses import dataclass

from pocketrec_distill.checks import below_one, not_negative, positive
from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models.llama import TowerShape

LLM = "llm"
"""The preset whose student is made of the teacher's own blocks."""

_SMALL = TowerShape(width=128, blocks=2, heads=2, kv_heads=2, hidden=256)
PRESETS: Mapping[str, TowerShape] = {
    "nano": TowerShape(width=32, blocks=1, heads=2, kv_heads=1, hidden=64),
    "micro": TowerShape(width=64, blocks=2, heads=2, kv_heads=2, hidden=128),
    "small": _SMALL,
    "medium": TowerShape(width=256, blocks=2, heads=4, kv_heads=4, hidden=512),
    # The shape of its control, which has no LLM.
    LLM: _SMALL,
}


def preset_shape(name: str) -> TowerShape:
    """The sizes that a preset stands for.

    Raises:
        ConfigError: No such preset.
    """
    if name not in PRESETS:
        raise ConfigError(f"preset is {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


@dataclass(frozen=True)
class LlmStudentSettings:
    """The LLM student: some of the teacher's blocks, distilled again. For `preset = "llm"`.

    Attributes:
        first: Blocks kept from the beginning of the teacher.
        last: Blocks kept from its end.
        alignment: Weight of the distance between hidden states of student and teacher; 0 leaves
            it out.
        dropout: Dropout on item vectors.
        epochs: Most passes over the data.
        patience: Passes without a better validation NDCG@10 before training stops.
        batch: Sequences per step.
        pass_positions: Positions of one pass at most, on average, of sequences drawn anew each
            time; 0 takes all.
        learning_rate: Step size of item vectors and projections.
        kept_rate: Step size of the kept blocks over `learning_rate`.
    """

    first: int = 2
    last: int = 2
    alignment: float = 0.1
    dropout: float = 0.1
    epochs: int = 8
    patience: int = 2
    batch: int = 32
    pass_positions: int = 150_000
    learning_rate: float = 1e-3
    kept_rate: float = 0.1

    def __post_init__(self) -> None:
        positive("llm_student", self, "epochs", "patience", "batch", "learning_rate")
        names = ("first", "last", "alignment", "pass_positions", "kept_rate")
        not_negative("llm_student", self, *names)
        below_one("llm_student", self, "dropout")
        if self.first + self.last < 1:
            raise ConfigError("[llm_student] first and last are 0; keep at least one block")
