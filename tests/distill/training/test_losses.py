"""Losses worked out by hand."""

import math

import pytest
import torch

from pocketrec_distill.training.losses import full_catalogue_kl, hard_label_loss

# Student (1/4, 3/4) and (1/2, 1/2); teacher (1/2, 1/2) and (1/10, 9/10).
STUDENT = torch.tensor([[0.0, math.log(3)], [2.0, 2.0]])
TEACHER = torch.tensor([[5.0, 5.0], [1.0, 1.0 + math.log(9)]])


def test_cross_entropy_by_hand() -> None:
    loss = hard_label_loss(STUDENT, torch.tensor([0, 1]))
    assert float(loss) == pytest.approx((math.log(4) + math.log(2)) / 2)


def test_kl_by_hand() -> None:
    first = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    second = 0.1 * math.log(0.1 / 0.5) + 0.9 * math.log(0.9 / 0.5)
    found = float(full_catalogue_kl(STUDENT, TEACHER))
    assert found == pytest.approx((first + second) / 2, rel=1e-5)


def test_kl_goes_from_teacher_to_student() -> None:
    assert float(full_catalogue_kl(STUDENT, TEACHER)) != pytest.approx(
        float(full_catalogue_kl(TEACHER, STUDENT)), rel=0.01
    )


def test_kl_of_equal_distributions_is_zero() -> None:
    # A shift of all logits is the same distribution.
    assert float(full_catalogue_kl(STUDENT + 7, STUDENT)) == pytest.approx(0, abs=1e-6)


def test_only_the_student_gets_a_gradient_worth_having() -> None:
    logits = STUDENT.clone().requires_grad_()
    full_catalogue_kl(logits, TEACHER).backward()
    expected = (STUDENT.softmax(dim=-1) - TEACHER.softmax(dim=-1)) / 2
    torch.testing.assert_close(logits.grad, expected)


def test_a_heavier_event_counts_more() -> None:
    """Two positions with losses ln 2 and ln 4; weights 3 and 1 give (3 ln 2 + ln 4) / 4."""
    logits = torch.log(torch.tensor([[0.5, 0.5, 1e-30], [0.25, 0.5, 0.25]]))
    targets = torch.tensor([0, 2])
    loss = hard_label_loss(logits, targets, torch.tensor([3.0, 1.0]))
    assert float(loss) == pytest.approx((3 * math.log(2) + math.log(4)) / 4, rel=1e-5)
    equal = hard_label_loss(logits, targets, torch.ones(2))
    assert float(equal) == pytest.approx(float(hard_label_loss(logits, targets)), rel=1e-6)
