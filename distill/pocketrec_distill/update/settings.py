"""Settings of `pocketrec update`."""

from dataclasses import dataclass

from pocketrec_distill.checks import below_one, not_negative, positive, share


@dataclass(frozen=True)
class UpdateSettings:
    """How a bundle learns new events without the full pipeline.

    Attributes:
        epochs: Most passes over the new events; 0 adds new items and renews the trend, and trains
            nothing.
        learning_rate: AdamW's step size of the user tower.
        item_rate: Step size of the item vectors over `learning_rate`.
        replay: Sequences replayed per sequence of new events.
        teacher_weight: Share of the old student's scores in the loss of a replayed sequence, and of
            a history made up from the old student all of it.
        made_up: Most made-up histories, where no old interactions are given.
        dropout: Dropout while training.
        batch: Sequences per step.
        keep: Least share of the old validation NDCG@10 that an epoch must keep to be taken.
    """

    epochs: int = 12
    learning_rate: float = 5e-4
    item_rate: float = 2.0
    replay: float = 1.0
    teacher_weight: float = 0.5
    made_up: int = 5_000
    dropout: float = 0.1
    batch: int = 64
    keep: float = 0.98

    def __post_init__(self) -> None:
        positive("update", self, "learning_rate", "batch", "made_up")
        not_negative("update", self, "epochs", "item_rate", "replay")
        share("update", self, "teacher_weight", "keep")
        below_one("update", self, "dropout")
