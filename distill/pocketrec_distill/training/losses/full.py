"""Losses over the full catalogue. Pure functions of logits; higher layers choose and weigh them."""

from torch import Tensor
from torch.nn import functional

LEAST_WEIGHT = 1e-12
"""A batch in which no event counts has a loss of 0 instead of NaN."""


def hard_label_loss(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Weighted mean cross-entropy of the item that came next.

    Args:
        logits: Student scores float32 (positions, items).
        targets: Item indices int64 (positions,).
        weights: Weight of each target's event, float32 (positions,); 0 leaves an event
            out, None is all equal.
    """
    if weights is None:
        return functional.cross_entropy(logits, targets)
    losses = functional.cross_entropy(logits, targets, reduction="none")
    return (losses * weights).sum() / weights.sum().clamp_min(LEAST_WEIGHT)


def full_catalogue_kl(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Mean KL(teacher || student) over the whole catalogue (Hinton, Vinyals and Dean, 2015).

    Args:
        logits: Student scores float32 (positions, items).
        teacher_logits: Teacher scores of the same shape, at the temperature of the labels.
    """
    student = functional.log_softmax(logits, dim=-1)
    teacher = functional.log_softmax(teacher_logits, dim=-1)
    return functional.kl_div(student, teacher, log_target=True, reduction="batchmean")
