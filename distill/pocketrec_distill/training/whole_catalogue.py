"""The loss of a step that scores every item, a few positions at a time.

Scores of all positions at once, their softmax and its gradient would each be far larger than the
processor's caches, and the time of a step would go into moving them. So each part of the positions
is scored, its loss and the gradient of its scores are taken while they are at hand, and only the
gradients of the two small factors are kept (as in Liger Kernel's fused linear cross-entropy, Hsu et
al., 2024, there for GPUs). The gradient of a cross-entropy is a softmax, and so is that of a
distance to few candidates of a teacher, which knows the others by their log sum alone: it is made
in the place of the scores. The result is that of the whole, but for rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pocketrec_distill.training.closure import Closure
from pocketrec_distill.training.distances import best_of_dense, sparse_distance
from pocketrec_distill.training.losses import MASKED, full_catalogue_kl
from pocketrec_distill.training.positions import Positions
from pocketrec_distill.training.settings import TrainSettings
from pocketrec_distill.training.sparse_labels import SparseBatch

PART_SCORES = 1_000_000
"""Scores held at once, 4 MB, of up to some 4,000 items: measured best there, by a few percent."""

PART_POSITIONS = 256
"""Positions scored at once at least. The gradient of the table is read and written for each part:
with fewer, a large catalogue's takes longer than its products."""

ACCELERATOR_PART_SCORES = 40_000_000
"""The same on an accelerator, 160 MB: there a part must keep thousands of cores busy."""


@dataclass(frozen=True)
class _Graded:
    """A loss of some positions, and its gradient.

    Attributes:
        loss: A scalar.
        rows: The positions, bool, of all at hand.
        gradient: Of their scores, float32 (those positions, items); None where nobody wants it.
    """

    loss: Tensor
    rows: Tensor
    gradient: Tensor | None


PartLoss = Callable[[Tensor, slice], list[_Graded]]


def whole_catalogue_loss(
    users: Tensor, table: Tensor, at: Positions, settings: TrainSettings
) -> Tensor:
    """Hard labels and distance to the teacher, over every item of the catalogue.

    Args:
        users: User vectors (positions, width).
        table: Item vectors (items, width).
        at: What came next, and what the teacher says.
        settings: See `TrainSettings`; its `dtype` is that of the products.
    """
    total = at.weights.sum()
    labelled = int(at.labelled.sum())
    hard_share, distance_share = at.shares(settings)
    gradients = torch.is_grad_enabled()
    # Row of the labels at which each position's stands.
    rows = at.labelled.cumsum(dim=0)

    def part_loss(logits: Tensor, part: slice) -> list[_Graded]:
        found = []
        counted, here = at.weights[part] > 0, at.labelled[part]
        asked = at.found is not None and bool(here.any())
        if bool(counted.any()):
            scores = logits[counted] if asked else _chosen(logits, counted)
            weights = hard_share * at.weights[part][counted] / total
            found.append(_hard(scores, counted, at.targets[part][counted], weights, gradients))
        if at.found is not None and asked:
            count, last = int(here.sum()), int(rows[part][-1])
            wanted = at.found[last - count : last]
            seen, counts = at.seen[part][here], distance_share * count / labelled
            # The last to read the scores: it may write over them.
            found.append(_distance(logits, here, wanted, seen, settings, counts, gradients))
        return found

    held = PART_SCORES if users.device.type == "cpu" else ACCELERATOR_PART_SCORES
    part = max(PART_POSITIONS, held // len(table))
    loss: Tensor = _InParts.apply(  # type: ignore[no-untyped-call]
        users, table, part_loss, part, settings.dtype
    )
    return loss


def _hard(
    scores: Tensor, rows: Tensor, targets: Tensor, weights: Tensor, gradients: bool
) -> _Graded:
    """The cross-entropy of what came next, a sum by weight; writes over the scores."""
    highest = scores.amax(dim=-1)
    wanted = scores.gather(-1, targets[:, None])[:, 0]
    odds = scores.sub_(highest[:, None]).exp_()
    sums = odds.sum(dim=-1)
    loss = (weights * (sums.log() + highest - wanted)).sum()
    if not gradients:
        return _Graded(loss, rows, None)
    gradient = odds.mul_((weights / sums)[:, None])
    gradient.scatter_add_(-1, targets[:, None], -weights[:, None])
    return _Graded(loss, rows, gradient)


def _dense_distance(
    scores: Tensor, rows: Tensor, wanted: Tensor, seen: Tensor, share: float, gradients: bool
) -> _Graded:
    """The distance to labels that score every item."""
    scores.requires_grad_(gradients)
    with torch.set_grad_enabled(gradients):
        loss = share * full_catalogue_kl(scores.scatter(-1, seen, MASKED), wanted)
    gradient = torch.autograd.grad(loss, scores)[0] if gradients else None
    return _Graded(loss.detach(), rows, gradient)


def _distance(
    logits: Tensor,
    rows: Tensor,
    wanted: Tensor | SparseBatch,
    seen: Tensor,
    settings: TrainSettings,
    share: float,
    gradients: bool,
) -> _Graded:
    """A share of the mean distance to the teacher, where neither says anything of what was seen."""
    scores = _chosen(logits, rows)
    if isinstance(wanted, Tensor):
        dense = wanted.scatter(-1, seen, MASKED)
        if settings.kind(logits.shape[1]) == "kl":
            return _dense_distance(scores, rows, dense, seen, share, gradients)
        wanted = best_of_dense(dense, settings.candidates)
    unseen = scores.scatter_(-1, seen, MASKED)
    # An absent candidate points at a seen item, which is masked already.
    places = torch.where(wanted.candidates >= 0, wanted.candidates, seen[:, :1])
    candidates = unseen.gather(-1, places)
    known = candidates > MASKED / 2
    bar = candidates[:, 0]
    if settings.loss == "ranking":  # the only one that asks for it
        count = min(places.shape[1], unseen.shape[1])
        bar = unseen.topk(count, dim=-1).values[:, -1]
    others = unseen.scatter_(-1, places, MASKED)
    highest = others.amax(dim=-1)
    sums = others.sub_(highest[:, None]).exp_().sum(dim=-1)
    rest = sums.log() + highest
    with torch.set_grad_enabled(gradients):
        leaves = candidates.requires_grad_(gradients), rest.requires_grad_(gradients)
        closure = Closure(candidates, rest, rest, candidates[:, 0], bar)
        loss = share * sparse_distance(closure, wanted.only(known), settings)
    if not gradients:
        return _Graded(loss, rows, None)
    of_candidates, of_rest = torch.autograd.grad(loss, leaves, materialize_grads=True)
    # Of what is masked nothing is learned, also where nothing else is left.
    of_rest = of_rest.masked_fill(highest < MASKED / 2, 0.0) / sums
    gradient = others.mul_(of_rest[:, None])
    gradient.scatter_(-1, places, of_candidates.masked_fill(~known, 0.0))
    return _Graded(loss.detach(), rows, gradient)


def _chosen(logits: Tensor, rows: Tensor) -> Tensor:
    """Some rows, given as a mask; nothing is copied where that is all of them."""
    return logits.detach() if bool(rows.all()) else logits[rows]


def _summed(losses: list[_Graded], logits: Tensor) -> Tensor | None:
    """The gradient of the losses' sum; one that is of all positions takes up the others."""
    parts = [(each.rows, each.gradient) for each in losses if each.gradient is not None]
    parts.sort(key=lambda part: -len(part[1]))
    if not parts:
        return None
    rows, gradient = parts.pop(0)
    if len(gradient) < len(logits):
        gradient = torch.zeros_like(logits).index_copy_(0, rows.nonzero()[:, 0], gradient)
    for rows, more in parts:
        gradient.index_add_(0, rows.nonzero()[:, 0], more)
    return gradient


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """Add `a @ b` to a float32 sum, without a matrix of its own where both are float32 too."""
    if a.dtype == total.dtype:
        total.addmm_(a, b)
    else:
        total += a @ b


class _InParts(torch.autograd.Function):
    """Sum of a loss over parts of `users @ table.T`, none of which outlives its turn."""

    @staticmethod
    def forward(
        ctx: Any, users: Tensor, table: Tensor, part_loss: PartLoss, part: int, dtype: torch.dtype
    ) -> Tensor:
        """The loss, and the gradients for later."""
        rough_users, rough_table = users.to(dtype), table.to(dtype)
        users_gradient, table_gradient = torch.zeros_like(users), torch.zeros_like(table)
        total = users.new_zeros(())
        for start in range(0, len(users), part):
            rows = slice(start, start + part)
            logits = (rough_users[rows] @ rough_table.T).float()
            losses = part_loss(logits, rows)
            total += sum(each.loss for each in losses)
            if (gradient := _summed(losses, logits)) is not None:
                gradient = gradient.to(dtype)
                users_gradient[rows] = (gradient @ rough_table).float()
                _add_product(table_gradient, gradient.T, rough_users[rows])
        ctx.save_for_backward(users_gradient, table_gradient)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the forward pass, scaled."""
        users_gradient, table_gradient = ctx.saved_tensors
        return gradient * users_gradient, gradient * table_gradient, None, None, None
