"""The loss of one batch: hard labels, mixed with what the teacher says where there are labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocketrec_distill.models.base import PADDING, History, SequenceModel, pad
from pocketrec_distill.training.closure import Proposal
from pocketrec_distill.training.labels import TeacherLabels
from pocketrec_distill.training.positions import Positions, seen_items
from pocketrec_distill.training.sampled_catalogue import sampled_catalogue_loss
from pocketrec_distill.training.settings import TrainSettings
from pocketrec_distill.training.sparse_labels import SparseBatch, SparseTeacherLabels
from pocketrec_distill.training.whole_catalogue import whole_catalogue_loss

Labels = TeacherLabels | SparseTeacherLabels


@dataclass(frozen=True)
class Examples:
    """What a model is trained on: sequences, and what stands beside their events.

    Attributes:
        sequences: Training sequences.
        weights: Weight of each event; None where all are 1. Events of weight 0 are no targets:
            of a synthetic history only the teacher's labels are learned.
        labels: Teacher scores, dense or sparse; None for hard labels alone.
        proposal: Where negatives are drawn from; None scores the whole catalogue in every step.
    """

    sequences: Sequence[History]
    weights: Sequence[NDArray[np.float32]] | None
    labels: Labels | None
    proposal: Proposal | None = None

    def target_weights(self, indices: NDArray[np.int64]) -> Tensor | None:
        """Weights of the targets of some sequences, one after the other; None where all are 1."""
        if self.weights is None:
            return None
        return torch.from_numpy(np.concatenate([self.weights[index][1:] for index in indices]))

    def target_counts(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """What each sequence counts in the mean of a batch: its targets, or their weights' sum."""
        if self.weights is None:
            return np.array([len(self.sequences[index]) - 1 for index in indices], np.float64)
        sums = [np.sum(self.weights[index][1:], dtype=np.float64) for index in indices]
        return np.array(sums, np.float64)


def batch_loss(
    model: SequenceModel,
    examples: Examples,
    indices: NDArray[np.int64],
    settings: TrainSettings,
) -> Tensor:
    """Loss of one batch of sequences; see `TrainSettings.loss` for what is taken from a teacher."""
    device = model.device
    events = pad([examples.sequences[index] for index in indices]).to(device)
    inputs, targets = events[:, :-1], events[:, 1:]
    known = targets != PADDING
    table = model.item_vectors()
    users, extra = model.training_pass(
        table[inputs.clamp_min(0)], inputs.masked_fill(~known, PADDING)
    )
    weights = examples.target_weights(indices)
    labels = examples.labels if settings.teacher_weight > 0 else None
    mask, found = (None, None) if labels is None else labels.batch(indices, known.sum(dim=1).cpu())
    if isinstance(found, SparseBatch):
        found = found.first(settings.candidates)
    labelled = torch.zeros_like(known) if mask is None else mask.to(device)
    at = Positions(
        targets[known],
        torch.ones(int(known.sum()), device=device) if weights is None else weights.to(device),
        seen_items(inputs, known),
        labelled[known],
        found.to(device) if found is not None and bool(labelled.any()) else None,
    )
    if examples.proposal is None:
        loss = whole_catalogue_loss(users[known], table, at, settings)
    else:
        loss = sampled_catalogue_loss(users[known], table, at, examples.proposal, settings)
    return loss if extra is None else loss + extra
