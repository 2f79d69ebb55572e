"""How one model is trained."""

from dataclasses import dataclass

import torch

from pocketrec_distill.checks import below_one, not_negative, one_of, positive, share

FULL_CATALOGUE_ITEMS = 50_000
"""Up to here every step scores every item; a larger catalogue is stood for by a closed set."""

DEFAULT_CANDIDATES = 200
SCHEDULES = ("constant", "cosine")
LOSSES = ("auto", "kl", "closure", "ranking", "top-k")


@dataclass(frozen=True)
class TrainSettings:
    """How one model is trained.

    Attributes:
        epochs: Most passes over the data.
        patience: Passes after the one that is kept (see `Kept`) before training stops.
        batch: Sequences per step at most.
        positions: Positions per step at most, on average; 0 for no limit.
        learning_rate: AdamW's highest step size, after a short linear warm-up.
        schedule: "constant", or "cosine" down to a twentieth at the last epoch.
        weight_decay: AdamW's decay of matrices.
        teacher_weight: Share of the teacher's KL in the loss, 0 to 1; the rest is hard labels.
        loss: One of `LOSSES`: what the student takes from the teacher. "auto" is "kl" up to
            `FULL_CATALOGUE_ITEMS` items and "closure" above.
        candidates: The teacher's best items per position, where not all are taken.
        own: The student's own top items in a closed set.
        samples: Drawn items in a closed set, for hard labels too.
        pass_positions: Positions of one pass at most, on average, of sequences drawn anew each
            time; 0 takes all.
        average: Decay per step of a running average of the weights, which is what is validated
            and kept (Polyak and Juditsky, 1992); 0 keeps the weights of the last step.
        dtype: Of the products of user and item vectors where every item is scored; sums, softmax
            and weights stay float32.
        seed: Of shuffling and dropout.
    """

    epochs: int = 60
    patience: int = 6
    batch: int = 64
    positions: int = 0
    learning_rate: float = 1e-3
    schedule: str = "constant"
    weight_decay: float = 0.01
    teacher_weight: float = 0.9
    loss: str = "auto"
    candidates: int = DEFAULT_CANDIDATES
    own: int = 50
    samples: int = 1024
    pass_positions: int = 0
    average: float = 0.0
    dtype: torch.dtype = torch.float32
    seed: int = 0

    def __post_init__(self) -> None:
        names = ("epochs", "patience", "batch", "learning_rate")
        positive("", self, *names, "candidates", "own", "samples")
        not_negative("", self, "positions", "pass_positions")
        one_of("", self, SCHEDULES, "schedule")
        below_one("", self, "average")
        share("", self, "teacher_weight")
        one_of("", self, LOSSES, "loss")

    def kind(self, items: int) -> str:
        """The loss for a catalogue of `items`, "auto" resolved."""
        if self.loss != "auto":
            return self.loss
        return "kl" if items <= FULL_CATALOGUE_ITEMS else "closure"

    def samples_catalogue(self, items: int) -> bool:
        """Whether a step looks at a closed set instead of the whole catalogue."""
        return items > FULL_CATALOGUE_ITEMS or self.kind(items) == "closure"

    def step_columns(self, items: int, width: int) -> int:
        """Numbers held per position of a step, in the widest matrix."""
        if not self.samples_catalogue(items):
            return items
        return max(self.samples, (self.candidates + self.own + 1) * width)
