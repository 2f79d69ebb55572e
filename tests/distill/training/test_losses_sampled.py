"""Losses over a part of the catalogue, worked out by hand."""

import math

import pytest
import torch

from pocketrec_distill.training.losses import (
    MASKED,
    closure_kl,
    full_catalogue_kl,
    log_partition,
    sampled_hard_label_loss,
)

# Four items with shares 1/10, 2/10, 3/10, 4/10 under the student, 6/10, 2/10, 1/10, 1/10 under the
# teacher; both scores are shifted, since only differences mean anything.
STUDENT = torch.tensor([[1.0, 2.0, 3.0, 4.0]]).log() + 0.7
TEACHER = torch.tensor([[6.0, 2.0, 1.0, 1.0]]).log() - 3.0


def test_the_partition_by_hand() -> None:
    """Item of e^0 = 1 for itself, two draws of e^1 that stand for 2.5 items each, one left out."""
    logits = torch.tensor([[0.0, 1.0, 1.0, 9.0]])
    weights = torch.tensor([[0.0, math.log(2.5), math.log(2.5), MASKED]])
    assert float(log_partition(logits, weights)) == pytest.approx(math.log(1 + 5 * math.e))


def test_importance_weights_make_the_partition_unbiased() -> None:
    """Every draw of one item, each as often as its probability, averages to the true sum."""
    logits = torch.tensor([0.3, -1.0, 2.0, 0.5])
    probabilities = torch.tensor([0.4, 0.1, 0.2, 0.3])
    # Item 2 is there for itself; as a draw it is left out.
    total = 0.0
    for drawn, probability in enumerate(probabilities.tolist()):
        weight = MASKED if drawn == 2 else -math.log(probability)
        columns = torch.stack((logits[2], logits[drawn]))[None]
        found = log_partition(columns, torch.tensor([[0.0, weight]]))
        total += probability * float(found.exp())
    assert total == pytest.approx(float(logits.exp().sum()), rel=1e-5)


def test_sampled_cross_entropy_by_hand() -> None:
    """Targets of share 1/4 and 1/2 under their partitions; weights 3 and 1."""
    targets = torch.tensor([0.0, math.log(3.0)])
    partition = torch.tensor([math.log(4.0), math.log(6.0)])
    equal = sampled_hard_label_loss(targets, partition)
    assert float(equal) == pytest.approx((math.log(4) + math.log(2)) / 2)
    heavy = sampled_hard_label_loss(targets, partition, torch.tensor([3.0, 1.0]))
    assert float(heavy) == pytest.approx((3 * math.log(4) + math.log(2)) / 4)


def rest(logits: torch.Tensor, taken: int) -> torch.Tensor:
    return logits[:, taken:].logsumexp(dim=-1)


def test_closure_kl_by_hand() -> None:
    """Two candidates and the rest: shares .6 .2 .2 against .1 .2 .7."""
    found = closure_kl(STUDENT[:, :2], rest(STUDENT, 2), TEACHER[:, :2], rest(TEACHER, 2))
    expected = 0.6 * math.log(6) + 0.2 * math.log(2 / 7)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_closure_kl_is_below_the_full_one_and_meets_it() -> None:
    full = float(full_catalogue_kl(STUDENT, TEACHER))
    part = float(closure_kl(STUDENT[:, :1], rest(STUDENT, 1), TEACHER[:, :1], rest(TEACHER, 1)))
    all_but_one = closure_kl(STUDENT[:, :3], rest(STUDENT, 3), TEACHER[:, :3], rest(TEACHER, 3))
    assert part < full
    assert float(all_but_one) == pytest.approx(full, rel=1e-5)


def test_what_the_teacher_never_scored_gets_no_mass() -> None:
    """Teacher's shares 3/4 and 1/4 of two candidates; the student gives them .1 and .2."""
    nothing = torch.tensor([-math.inf])
    found = closure_kl(STUDENT[:, :2], rest(STUDENT, 2), TEACHER[:, :2], nothing)
    expected = 0.75 * math.log(0.75 / 0.1) + 0.25 * math.log(0.25 / 0.2)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_an_absent_candidate_costs_nothing_and_leaves_a_finite_gradient() -> None:
    logits = STUDENT.clone().requires_grad_()
    masked = torch.cat((logits[:, :2], torch.tensor([[MASKED]])), dim=-1)
    wanted = torch.cat((TEACHER[:, :2], torch.tensor([[-math.inf]])), dim=-1)
    found = closure_kl(masked, rest(logits, 2), wanted, rest(TEACHER, 2))
    plain = closure_kl(STUDENT[:, :2], rest(STUDENT, 2), TEACHER[:, :2], rest(TEACHER, 2))
    assert float(found.detach()) == pytest.approx(float(plain), rel=1e-6)
    found.backward()
    # The student's shares minus the teacher's; the rest's is split as the student splits it.
    expected = torch.tensor([[0.1 - 0.6, 0.2 - 0.2, 0.5 * 3 / 7, 0.5 * 4 / 7]])
    torch.testing.assert_close(logits.grad, expected, atol=1e-6, rtol=1e-5)
