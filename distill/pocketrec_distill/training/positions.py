"""What a training step knows of its positions, and how its two losses are put together."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pocketrec_distill.training.settings import TrainSettings
from pocketrec_distill.training.sparse_labels import SparseBatch


@dataclass(frozen=True)
class Positions:
    """The positions of one step, of all its sequences one after the other.

    Attributes:
        targets: Items that came next, int64 (positions,).
        weights: Weight of each target's event, float32 (positions,); 0 leaves it out of the hard
            labels.
        seen: Items of the history, int64 (positions, longest), see `seen_items`.
        labelled: Which positions have a teacher's label, bool (positions,).
        found: The labels, in order: dense float32 (labelled, items), or sparse; None without any.
    """

    targets: Tensor
    weights: Tensor
    seen: Tensor
    labelled: Tensor
    found: Tensor | SparseBatch | None

    def __len__(self) -> int:
        return len(self.targets)

    def shares(self, settings: TrainSettings) -> tuple[float, float]:
        """What the loss of hard labels and the distance to the teacher count in that of the step.

        Hard labels are there for a part of the positions only; the teacher's for every one.
        """
        if self.found is None:
            return 1.0, 0.0
        real = float((self.weights > 0).float().mean())
        return (1 - settings.teacher_weight) * real, settings.teacher_weight


def seen_items(inputs: Tensor, known: Tensor) -> Tensor:
    """What stands in the history at each position, int64 (known positions, longest).

    It is never recommended, so that neither model's opinion of it counts in their distance.

    Args:
        inputs: Events int64 (sequences, longest), right-padded.
        known: Which of them are positions, bool of the same shape.
    """
    longest = inputs.shape[1]
    past = torch.ones(longest, longest, dtype=torch.bool, device=inputs.device).tril()
    # Where nothing was seen yet stands the first event, which always was.
    return torch.where(past, inputs[:, None, :], inputs[:, :1, None])[known]
