"""Ranking distillation that trusts the teacher only where it may be trusted (DLLM2Rec)."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class RankingGains:
    """How much each of the three signals counts in a candidate's weight.

    Attributes:
        position: Weight of the rank in the teacher's list, which falls as exp(-rank / decay).
        confidence: Weight of the teacher's own probability of the item.
        consistency: Weight of being among the student's top items as well.
        decay: Ranks over which the position's weight falls by a factor of e.
    """

    position: float = 0.3
    confidence: float = 0.5
    consistency: float = 0.1
    decay: float = 1.0


def ranking_weights(teacher_logits: Tensor, agreed: Tensor, gains: RankingGains) -> Tensor:
    """What each of the teacher's candidates counts, float32 (positions, candidates), rows sum to 1.

    Cui et al., "Distillation Matters", RecSys 2024. There the confidence is the distance of the
    text that an LLM generated to the item's; here it is the teacher's probability.

    Args:
        teacher_logits: Teacher's scores, best first, (positions, candidates); -inf for none.
        agreed: Whether the student has the candidate among its own top items, bool, same shape.
        gains: Weights of the three signals.
    """
    there = torch.isfinite(teacher_logits)
    ranks = torch.arange(1, teacher_logits.shape[1] + 1, device=teacher_logits.device)
    by_rank = torch.exp(-ranks / gains.decay) * there
    confidence = teacher_logits.softmax(dim=-1)
    weights = (
        gains.position * by_rank / by_rank.sum(dim=-1, keepdim=True)
        + gains.confidence * confidence
        + gains.consistency * (agreed & there)
    )
    return weights / weights.sum(dim=-1, keepdim=True)


def ranking_kd(candidate_log_probabilities: Tensor, weights: Tensor) -> Tensor:
    """Mean cross-entropy of the student against weighted candidates.

    DLLM2Rec raises each candidate's sigmoid against one random negative; the softmax over the
    whole catalogue is what the student is trained with otherwise, and ranks better.

    Args:
        candidate_log_probabilities: Student's, over the catalogue, (positions, candidates).
        weights: From `ranking_weights`; a candidate of weight 0 costs nothing.
    """
    zero = torch.zeros_like(weights)
    terms = torch.where(weights > 0, weights * candidate_log_probabilities, zero)
    return -terms.sum(dim=-1).mean()
