"""The loss of a step that scores every item, a few positions at a time.

Scores of all positions at once, their softmax and its gradient would each be far larger than the
processor's caches, and the time of a step would go into moving them. So each part of the positions
is scored, its loss and the gradient of its scores are taken while they are at hand, and only the
gradients of the two small factors are kept (as in Liger Kernel's fused linear cross-entropy, Hsu et
al., 2024, there for GPUs). The result is that of the whole, but for rounding.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pocketrec_distill.training.closure import Closure
from pocketrec_distill.training.distances import best_of_dense, sparse_distance
from pocketrec_distill.training.losses import MASKED, full_catalogue_kl, hard_label_loss
from pocketrec_distill.training.positions import Positions
from pocketrec_distill.training.settings import TrainSettings
from pocketrec_distill.training.sparse_labels import SparseBatch

PART_SCORES = 1_000_000
"""Scores held at once, 4 MB: measured best from 3,665 to 11,447 items, by a few percent."""

ACCELERATOR_PART_SCORES = 40_000_000
"""The same on an accelerator, 160 MB: there a part must keep thousands of cores busy."""

PartLoss = Callable[[Tensor, slice], Tensor]


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
    # Row of the labels at which each position's stands.
    rows = at.labelled.cumsum(dim=0)

    def part_loss(logits: Tensor, part: slice) -> Tensor:
        hard = _hard_part(logits, at.targets[part], at.weights[part], total)
        if at.found is None:
            return hard
        here = at.labelled[part]
        count = int(here.sum())
        distance = logits.new_zeros(())
        if count:
            last = int(rows[part][-1])
            wanted = at.found[last - count : last]
            scores, seen = _chosen(here, logits, at.seen[part])
            distance = _distance(scores, wanted, seen, settings) * (count / labelled)
        return at.mixed(hard, distance, settings)

    held = PART_SCORES if users.device.type == "cpu" else ACCELERATOR_PART_SCORES
    part = max(1, held // len(table))
    gradients = torch.is_grad_enabled()
    loss: Tensor = _InParts.apply(  # type: ignore[no-untyped-call]
        users, table, part_loss, part, settings.dtype, gradients
    )
    return loss


def _hard_part(logits: Tensor, targets: Tensor, weights: Tensor, total: Tensor) -> Tensor:
    """A part's share of the weighted mean over all positions."""
    counted = weights > 0
    if not bool(counted.any()):
        return logits.new_zeros(())
    logits, targets, weights = _chosen(counted, logits, targets, weights)
    return hard_label_loss(logits, targets, weights) * (weights.sum() / total)


def _chosen(rows: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
    """Some rows of each, given as a mask; nothing is copied where that is all of them."""
    if bool(rows.all()):
        return values
    places = rows.nonzero()[:, 0]
    return tuple(value.index_select(0, places) for value in values)


def _distance(
    logits: Tensor, found: Tensor | SparseBatch, seen: Tensor, settings: TrainSettings
) -> Tensor:
    """Mean distance to the teacher, where neither says anything of what was seen."""
    unseen = logits.scatter(-1, seen, MASKED)
    if isinstance(found, Tensor):
        dense = found.scatter(-1, seen, MASKED)
        if settings.kind(logits.shape[1]) == "kl":
            return full_catalogue_kl(unseen, dense)
        found = best_of_dense(dense, settings.candidates)
    # An absent candidate points at a seen item, which is masked already.
    places = torch.where(found.candidates >= 0, found.candidates, seen[:, :1])
    candidates = unseen.gather(-1, places)
    wanted = found.only(candidates.detach() > MASKED / 2)
    rest = unseen.scatter(-1, places, MASKED).logsumexp(dim=-1)
    bar = rest.detach()
    if settings.loss == "ranking":  # the only one that asks for it
        count = min(places.shape[1], unseen.shape[1])
        bar = unseen.detach().topk(count, dim=-1).values[:, -1]
    closure = Closure(candidates, rest, rest, candidates[:, 0], bar)
    return sparse_distance(closure, wanted, settings)


class _InParts(torch.autograd.Function):
    """Sum of a loss over parts of `users @ table.T`, none of which outlives its turn."""

    @staticmethod
    def forward(
        ctx: Any,
        users: Tensor,
        table: Tensor,
        part_loss: PartLoss,
        part: int,
        dtype: torch.dtype,
        gradients: bool,
    ) -> Tensor:
        """The loss, and the gradients for later."""
        rough_users, rough_table = users.to(dtype), table.to(dtype)
        users_gradient, table_gradient = torch.zeros_like(users), torch.zeros_like(table)
        total = users.new_zeros(())
        for start in range(0, len(users), part):
            rows = slice(start, start + part)
            logits = (rough_users[rows] @ rough_table.T).float()
            with torch.set_grad_enabled(gradients):
                loss = part_loss(logits.requires_grad_(gradients), rows)
            total += loss.detach()
            if gradients and loss.requires_grad:
                gradient = torch.autograd.grad(loss, logits)[0].to(dtype)
                users_gradient[rows] = (gradient @ rough_table).float()
                table_gradient += gradient.T @ rough_users[rows]
        ctx.save_for_backward(users_gradient, table_gradient)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the forward pass, scaled."""
        users_gradient, table_gradient = ctx.saved_tensors
        return gradient * users_gradient, gradient * table_gradient, None, None, None, None
