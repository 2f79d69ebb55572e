"""Distillation of a click model: will this user like this item?"""

from torch import Tensor
from torch.nn import functional


def pointwise_kd(
    logits: Tensor,
    clicks: Tensor,
    teacher_logits: Tensor | None = None,
    *,
    teacher_weight: float = 0.5,
    temperature: float = 1.0,
    weights: Tensor | None = None,
) -> Tensor:
    """Weighted mean of binary cross-entropy to the click, mixed with that to the teacher.

    Hinton, Vinyals and Dean (2015) for two classes; as used for click models by Zhu et al.,
    "Ensembled CTR Prediction via Knowledge Distillation", CIKM 2020. The teacher's part is scaled
    by temperature squared, so that its gradient keeps its size.

    Args:
        logits: Student's scores of impressions, float32 (impressions,).
        clicks: 1 where the item was clicked, else 0, float32 (impressions,).
        teacher_logits: Teacher's scores of the same impressions; None leaves hard labels alone.
        teacher_weight: Share of the teacher, 0 to 1.
        temperature: Softens student and teacher when above 1.
        weights: Weight of each impression, above 0; None is all equal.
    """
    losses = functional.binary_cross_entropy_with_logits(logits, clicks, reduction="none")
    if teacher_logits is not None:
        soft = (teacher_logits.detach() / temperature).sigmoid()
        to_teacher = functional.binary_cross_entropy_with_logits(
            logits / temperature, soft, reduction="none"
        )
        losses = (1 - teacher_weight) * losses + teacher_weight * temperature**2 * to_teacher
    if weights is None:
        return losses.mean()
    return (losses * weights).sum() / weights.sum()
