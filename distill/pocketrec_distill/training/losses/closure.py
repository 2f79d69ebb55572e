"""Losses over a part of the catalogue that stand for the whole of it.

Cross-entropy KD on the teacher's top items alone bounds NDCG only if that set is closed under the
student's ranking, which it is not: the two sets of top items hardly meet, and such a student loses
to every baseline (RCE-KD, Zhu and Zhang, ICLR 2026). Here the set is closed twice over. The
student's own top items are in it by construction, so that what it wrongly ranks high is pushed
down. And the rest of the catalogue is one more outcome, whose probability under the student comes
from importance-weighted samples (sampled softmax, Bengio and Senecal, 2008), under the teacher from
the sum that was kept with its labels. The loss is then a KL between two whole distributions.
"""

import torch
from torch import Tensor
from torch.nn import functional

from pocketrec_distill.training.losses.full import LEAST_WEIGHT

MASKED = -1e9
"""Log weight of what is left out; finite, so that no gradient becomes NaN."""


def log_partition(logits: Tensor, log_weights: Tensor) -> Tensor:
    """Log of the sum of exp(logit) over the catalogue, from some of its items.

    Args:
        logits: Scores of the items looked at, float32 (positions, columns).
        log_weights: For how many items each stands, as a logarithm, (positions, columns): 0 for an
            item that is there for itself, -log(samples * probability) for a drawn one (logQ
            correction), MASKED for one that is left out.

    Returns:
        float32 (positions,). Its exponential is unbiased where draws that are also there for
        themselves are left out.
    """
    return torch.logsumexp(logits + log_weights, dim=-1)


def sampled_hard_label_loss(
    target_logits: Tensor, partition: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Weighted mean cross-entropy of the item that came next, against an estimated partition.

    Args:
        target_logits: Student's score of the item that came next, float32 (positions,).
        partition: From `log_partition`, the target included, float32 (positions,).
        weights: Weight of each target's event, float32 (positions,); 0 leaves an event
            out, None is all equal.
    """
    losses = partition - target_logits
    if weights is None:
        return losses.mean()
    return (losses * weights).sum() / weights.sum().clamp_min(LEAST_WEIGHT)


def closure_kl(
    candidate_logits: Tensor, rest: Tensor, teacher_logits: Tensor, teacher_rest: Tensor
) -> Tensor:
    """Mean KL(teacher || student) over the teacher's candidates and one outcome "any other item".

    It is never above the KL over the whole catalogue, and equal to it where teacher and student
    agree on how the rest is split.

    Args:
        candidate_logits: Student's scores of the candidates, float32 (positions, candidates);
            MASKED where there is no candidate.
        rest: Student's log sum of exp over all other items, float32 (positions,).
        teacher_logits: Teacher's scores of the candidates, the same shape; -inf for none.
        teacher_rest: Teacher's log sum over all other items, float32 (positions,); -inf where the
            teacher knows nothing beyond the candidates, which all then get its whole mass.
    """
    student = functional.log_softmax(torch.cat((candidate_logits, rest[:, None]), dim=-1), dim=-1)
    teacher = torch.cat((teacher_logits, teacher_rest[:, None]), dim=-1).log_softmax(dim=-1)
    shares = teacher.exp()
    # What has no mass under the teacher costs nothing; 0 * -inf would be NaN.
    terms = torch.where(shares > 0, shares * (teacher - student), torch.zeros_like(student))
    return terms.sum(dim=-1).mean()
