"""Alignment of hidden states between a teacher and its depth-pruned student (SLMRec)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def hidden_alignment(
    student: Sequence[Tensor], teacher: Sequence[Tensor], norm_weight: float = 0.1
) -> Tensor:
    """Mean over groups of blocks of (1 - cosine) plus a share of the distance, mean over positions.

    Xu et al., "SLMRec: Distilling Large Language Models into Small for Sequential
    Recommendation", ICLR 2025: directions by cosine, lengths by the L2 norm of the difference.
    The distance is divided by the square root of the width, so that the share means the same at
    every width.

    Args:
        student: States after each group of the student's blocks, each float32 (positions, width).
        teacher: States after the teacher's group of the same number; no gradient goes there.
        norm_weight: Share of the distance.

    Raises:
        ValueError: The two have not the same number of groups.
    """
    losses = []
    for ours, theirs in zip(student, teacher, strict=True):
        wanted = theirs.detach()
        angle = 1 - functional.cosine_similarity(ours, wanted, dim=-1).mean()
        distance = torch.linalg.vector_norm(ours - wanted, dim=-1).mean() / ours.shape[-1] ** 0.5
        losses.append(angle + norm_weight * distance)
    return torch.stack(losses).mean()
