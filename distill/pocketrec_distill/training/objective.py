"""The loss of one batch: hard labels, mixed with what the teacher says where there are labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models.base import PADDING, History, SequenceModel, pad
from pocketrec_distill.training.closure import Closure, Proposal, close
from pocketrec_distill.training.labels import TeacherLabels
from pocketrec_distill.training.losses import (
    MASKED,
    RankingGains,
    closure_kl,
    full_catalogue_kl,
    hard_label_loss,
    ranking_kd,
    ranking_weights,
    sampled_hard_label_loss,
)
from pocketrec_distill.training.settings import TrainSettings
from pocketrec_distill.training.sparse_labels import SparseBatch, SparseTeacherLabels

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
    events = pad([examples.sequences[index] for index in indices])
    inputs, targets = events[:, :-1], events[:, 1:]
    known = targets != PADDING
    table = model.item_vectors()
    users, extra = model.training_pass(
        table[inputs.clamp_min(0)], inputs.masked_fill(~known, PADDING)
    )
    users = users[known]
    weights = examples.target_weights(indices)
    labels = examples.labels if settings.teacher_weight > 0 else None
    mask, found = (None, None) if labels is None else labels.batch(indices, known.sum(dim=1))
    labelled = None if mask is None else mask[known]
    if isinstance(found, SparseBatch):
        found = found.first(settings.candidates)
    seen = seen_items(inputs, known)
    real = 1.0 if weights is None else float((weights > 0).float().mean())
    if examples.proposal is not None:
        hard, distance = _sampled(
            users,
            table,
            targets[known],
            weights,
            examples.proposal,
            labelled,
            found,
            seen,
            settings,
        )
    else:
        logits = users @ table.T
        hard = hard_label_loss(logits, targets[known], weights)
        distance = None
        if labelled is not None and found is not None and len(found):
            old = seen[labelled]
            unseen = logits[labelled].scatter(-1, old, MASKED)
            if isinstance(found, Tensor):
                distance = _full_distance(unseen, found.scatter(-1, old, MASKED), settings)
            else:
                distance = _full_distance(unseen, found.without(old), settings)
    loss = hard
    if distance is not None:
        loss = (1 - settings.teacher_weight) * real * hard + settings.teacher_weight * distance
    return loss if extra is None else loss + extra


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


def _full_distance(logits: Tensor, found: Tensor | SparseBatch, settings: TrainSettings) -> Tensor:
    """Distance to the teacher where the student's scores of the whole catalogue are there."""
    if isinstance(found, Tensor):
        if settings.kind(logits.shape[1]) == "kl":
            return full_catalogue_kl(logits, found, settings.temperature)
        found = _sparse(found, settings.candidates)
    count = found.candidates.shape[1]
    there = found.candidates >= 0
    places = found.candidates.clamp_min(0)
    candidates = logits.gather(-1, places).masked_fill(~there, MASKED)
    # An absent candidate points at item 0, which must stay in the rest.
    taken = torch.zeros_like(logits).scatter_add_(-1, places, there.to(logits.dtype)) > 0
    rest = logits.masked_fill(taken, MASKED).logsumexp(dim=-1)
    bar = logits.detach().topk(min(count, logits.shape[1]), dim=-1).values[:, -1]
    return _sparse_distance(Closure(candidates, rest, rest, candidates[:, 0], bar), found, settings)


def _sparse(teacher_logits: Tensor, count: int) -> SparseBatch:
    """The best candidates of dense labels."""
    count = min(count, teacher_logits.shape[1] - 1)
    best = teacher_logits.topk(count, dim=-1)
    rest = teacher_logits.scatter(-1, best.indices, -torch.inf).logsumexp(dim=-1)
    return SparseBatch(best.indices, best.values, rest)


def _sparse_distance(found: Closure, wanted: SparseBatch, settings: TrainSettings) -> Tensor:
    kind = settings.loss
    if kind == "ranking":
        agreed = found.candidates.detach() >= found.bar[:, None]
        gains = ranking_weights(wanted.logits, agreed, RankingGains())
        return ranking_kd(found.candidates - found.partition[:, None], gains)
    if kind == "top-k":
        nothing = torch.full_like(found.unseen, MASKED)
        return closure_kl(found.candidates, nothing, wanted.logits, nothing * torch.inf)
    # Where no item of the rest was looked at, nothing can be said of it.
    teacher_rest = wanted.rest.masked_fill(found.unseen.detach() < MASKED / 2, -torch.inf)
    return closure_kl(found.candidates, found.unseen, wanted.logits, teacher_rest)


def _sampled(
    users: Tensor,
    table: Tensor,
    targets: Tensor,
    weights: Tensor | None,
    proposal: Proposal,
    labelled: Tensor | None,
    found: Tensor | SparseBatch | None,
    seen: Tensor,
    settings: TrainSettings,
) -> tuple[Tensor, Tensor | None]:
    """Hard-label loss and distance to the teacher from a closed set of items."""
    candidates, wanted = targets.new_empty((len(targets), 0)), None
    if labelled is not None and found is not None and len(found):
        old = seen[labelled]
        if isinstance(found, Tensor):
            found = _sparse(found.scatter(-1, old, MASKED), settings.candidates)
        wanted = found.without(old)
        # Positions without labels take part with no candidates.
        candidates = targets.new_full((len(targets), wanted.candidates.shape[1]), PADDING)
        candidates[labelled] = wanted.candidates
    drawn = proposal.draw(settings.samples)
    closure = close(users, table, targets, candidates, seen=seen, own=settings.own, drawn=drawn)
    hard = sampled_hard_label_loss(closure.target, closure.partition, weights)
    if labelled is None or wanted is None:
        return hard, None
    return hard, _sparse_distance(closure[labelled], wanted, settings)


def check_labels(labels: Labels | None, settings: TrainSettings) -> None:
    """Refuse a combination that has no meaning.

    Raises:
        ConfigError: Candidates are softened by a temperature, which their rest cannot be.
    """
    if isinstance(labels, SparseTeacherLabels) and settings.temperature != 1:
        raise ConfigError(
            f"temperature is {settings.temperature}; labels of candidates need 1, since the sum "
            "over the rest of the catalogue was kept at 1"
        )
