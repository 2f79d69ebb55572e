"""The distance to a teacher that knows a few candidates of each position, by the kind asked for."""

import torch
from torch import Tensor

from pocketrec_distill.training.closure import Closure
from pocketrec_distill.training.losses import (
    MASKED,
    RankingGains,
    closure_kl,
    ranking_kd,
    ranking_weights,
)
from pocketrec_distill.training.settings import TrainSettings
from pocketrec_distill.training.sparse_labels import SparseBatch


def sparse_distance(found: Closure, wanted: SparseBatch, settings: TrainSettings) -> Tensor:
    """Mean distance of what the student says to what the teacher says, at the same positions."""
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


def best_of_dense(teacher_logits: Tensor, count: int) -> SparseBatch:
    """The best candidates of dense labels, float32 (positions, items)."""
    count = min(count, teacher_logits.shape[1] - 1)
    best = teacher_logits.topk(count, dim=-1)
    rest = teacher_logits.scatter(-1, best.indices, -torch.inf).logsumexp(dim=-1)
    return SparseBatch(best.indices, best.values, rest)
