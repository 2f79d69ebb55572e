"""Distillation of a click model: will this user like this item?"""

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def pointwise_kd(
    logits: Tensor,
    clicks: Tensor,
    teacher_logits: Tensor | None = None,
    *,
    teacher_weight: float = 0.5,
) -> Tensor:
    """Mean binary cross-entropy to the click, mixed with that to the teacher.

    Hinton, Vinyals and Dean (2015) for two classes; as used for click models by Zhu et al.,
    "Ensembled CTR Prediction via Knowledge Distillation", CIKM 2020.

    Args:
        logits: Student's scores of impressions, float32 (impressions,).
        clicks: 1 where the item was clicked, else 0, float32 (impressions,).
        teacher_logits: Teacher's scores of the same impressions; None leaves hard labels alone.
        teacher_weight: Share of the teacher, 0 to 1.
    """
    losses = binary_cross_entropy_with_logits(logits, clicks, reduction="none")
    if teacher_logits is not None:
        soft = teacher_logits.detach().sigmoid()
        to_teacher = binary_cross_entropy_with_logits(logits, soft, reduction="none")
        losses = (1 - teacher_weight) * losses + teacher_weight * to_teacher
    return losses.mean()
