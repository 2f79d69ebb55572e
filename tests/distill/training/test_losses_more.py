"""Ranking, hidden-state and click losses, worked out by hand."""

import math

import pytest
import torch

from pocketrec_distill.training.losses import (
    RankingGains,
    hidden_alignment,
    pointwise_kd,
    ranking_kd,
    ranking_weights,
)

# Teacher's shares of three candidates: .5 .3 .2; a second position has one candidate less.
TEACHER = torch.tensor([[5.0, 3.0, 2.0], [3.0, 1.0, 0.0]]).log()
AGREED = torch.tensor([[False, True, False], [True, False, True]])


@pytest.mark.parametrize(
    ("gains", "first"),
    [
        # exp(-1), exp(-2), exp(-3) over their sum.
        (RankingGains(1.0, 0.0, 0.0), [0.66524, 0.24473, 0.09003]),
        # exp(-1/2), exp(-1), exp(-3/2).
        (RankingGains(1.0, 0.0, 0.0, decay=2.0), [0.50648, 0.30720, 0.18632]),
        (RankingGains(0.0, 1.0, 0.0), [0.5, 0.3, 0.2]),
        (RankingGains(0.0, 0.0, 1.0), [0.0, 1.0, 0.0]),
        # (.3 rank + .5 share + .1 agreed) / .9
        (
            RankingGains(),
            [
                (0.3 * 0.66524 + 0.25) / 0.9,
                (0.3 * 0.24473 + 0.15 + 0.1) / 0.9,
                (0.3 * 0.09003 + 0.1) / 0.9,
            ],
        ),
    ],
)
def test_ranking_weights_by_hand(gains: RankingGains, first: list[float]) -> None:
    found = ranking_weights(TEACHER, AGREED, gains)
    torch.testing.assert_close(found[0], torch.tensor(first), atol=2e-5, rtol=0)
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(2))
    # An absent candidate counts nothing, even where the mask says that both agree.
    assert float(found[1, 2]) == 0


def test_ranking_loss_by_hand() -> None:
    log_probabilities = torch.tensor([[0.5, 0.25], [0.125, 0.0]]).log()
    weights = torch.tensor([[0.75, 0.25], [1.0, 0.0]])
    found = ranking_kd(log_probabilities, weights)
    assert float(found) == pytest.approx((0.75 + 0.25 * 2 + 3) / 2 * math.log(2))


def test_hidden_alignment_by_hand() -> None:
    """A right angle and length sqrt(1 + 4) apart; then equal directions, 3 apart."""
    ours = [torch.tensor([[1.0, 0.0]]), torch.tensor([[4.0, 0.0]])]
    theirs = [torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 0.0]])]
    first = 1 + 0.1 * math.sqrt(5) / math.sqrt(2)
    second = 0 + 0.1 * 3 / math.sqrt(2)
    found = float(hidden_alignment(ours, theirs))
    assert found == pytest.approx((first + second) / 2, rel=1e-5)
    assert float(hidden_alignment(theirs, theirs)) == pytest.approx(0, abs=1e-6)


def test_hidden_alignment_moves_the_student_alone() -> None:
    ours = torch.tensor([[1.0, 0.5]], requires_grad=True)
    theirs = torch.tensor([[0.2, 1.0]], requires_grad=True)
    hidden_alignment([ours], [theirs]).backward()
    assert ours.grad is not None
    assert theirs.grad is None


def test_hidden_alignment_needs_a_partner_for_each_group() -> None:
    states = torch.ones(1, 2)
    with pytest.raises(ValueError, match="zip"):
        hidden_alignment([states, states], [states])


# Probabilities 3/4 and 1/5; the first was clicked. The teacher says 1/2 and 2/5.
LOGITS = torch.tensor([math.log(3), -math.log(4)])
CLICKS = torch.tensor([1.0, 0.0])
SOFT = torch.tensor([0.0, math.log(2 / 3)])


def test_clicks_alone_by_hand() -> None:
    expected = -(math.log(0.75) + math.log(0.8)) / 2
    assert float(pointwise_kd(LOGITS, CLICKS)) == pytest.approx(expected, rel=1e-5)


def test_clicks_and_teacher_by_hand() -> None:
    hard = [-math.log(0.75), -math.log(0.8)]
    soft = [
        -(0.5 * math.log(0.75) + 0.5 * math.log(0.25)),
        -(0.4 * math.log(0.2) + 0.6 * math.log(0.8)),
    ]
    expected = sum(0.75 * h + 0.25 * s for h, s in zip(hard, soft, strict=True)) / 2
    found = pointwise_kd(LOGITS, CLICKS, SOFT, teacher_weight=0.25)
    assert float(found) == pytest.approx(expected, rel=1e-5)
