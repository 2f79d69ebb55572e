"""Scored a few positions at a time, a step has the loss and the gradients of the whole."""

import pytest
import torch
from torch import Tensor

from pocketrec_distill.training import TrainSettings, whole_catalogue
from pocketrec_distill.training.losses import full_catalogue_kl, hard_label_loss
from pocketrec_distill.training.positions import Positions
from pocketrec_distill.training.sparse_labels import NO_CANDIDATE, SparseBatch
from pocketrec_distill.training.whole_catalogue import whole_catalogue_loss

POSITIONS, ITEMS, WIDTH = 11, 9, 4
LABELLED = torch.tensor([True, True, False, False, False, True, True, True, True, False, True])
TEACHER_WEIGHT = 0.3


@pytest.fixture(params=[1, 3, 11], ids=["by one", "by three", "at once"])
def parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_catalogue, "PART_SCORES", request.param * ITEMS)
    monkeypatch.setattr(whole_catalogue, "PART_POSITIONS", 1)


def factors() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    users = torch.randn(POSITIONS, WIDTH, generator=generator)
    table = torch.randn(ITEMS, WIDTH, generator=generator)
    return users.requires_grad_(), table.requires_grad_()


def positions(found: Tensor | SparseBatch | None) -> Positions:
    generator = torch.Generator().manual_seed(5)
    targets = torch.randint(ITEMS, (POSITIONS,), generator=generator)
    # The third part of three has no target that counts.
    weights = torch.tensor([1.0, 2.0, 0.0, 0.5, 1.0, 0.0, 0.0, 0.0, 0.0, 3.0, 1.0])
    seen = torch.stack([torch.arange(3) * (1 + row % 3) for row in range(POSITIONS)])
    labelled = LABELLED if found is not None else torch.zeros_like(LABELLED)
    return Positions(targets, weights, seen, labelled, found)


def dense() -> Tensor:
    return torch.randn(int(LABELLED.sum()), ITEMS, generator=torch.Generator().manual_seed(6))


def sparse(at_seen: Tensor) -> SparseBatch:
    """Three candidates each, one of which was seen, and one that is absent in the second row."""
    teacher = dense()
    candidates = teacher.topk(3, dim=-1).indices
    candidates[0, 1] = at_seen[LABELLED][0, 1]
    logits = teacher.gather(-1, candidates)
    candidates[1, 2], logits[1, 2] = NO_CANDIDATE, -torch.inf
    rest = torch.linspace(-1, 2, len(teacher))
    return SparseBatch(candidates, logits, rest)


def coarse_kl(logits: Tensor, found: SparseBatch, seen: Tensor) -> Tensor:
    """KL over the candidates that were not seen and one outcome for the rest, row by row."""
    total = torch.zeros(())
    for row, (scores, old) in enumerate(zip(logits, seen, strict=True)):
        items, said = found.candidates[row].tolist(), found.logits[row]
        kept = [place for place, item in enumerate(items) if item >= 0 and item not in old]
        chosen = [items[place] for place in kept]
        others = [item for item in range(ITEMS) if item not in chosen and item not in old]
        student = torch.cat((scores[chosen], scores[others].logsumexp(dim=0)[None]))
        teacher = torch.cat((said[kept], found.rest[row][None])).softmax(dim=0)
        total = total + (teacher * (teacher.log() - student.log_softmax(dim=0))).sum()
    return total / len(logits)


def gradients(loss: Tensor, *factors: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, factors)


def check(found: Tensor | SparseBatch | None, distance_of: object, kind: str) -> None:
    users, table = factors()
    at = positions(found)
    settings = TrainSettings(teacher_weight=TEACHER_WEIGHT, loss=kind, candidates=3)
    loss = whole_catalogue_loss(users, table, at, settings)
    logits = users @ table.T
    expected = hard_label_loss(logits, at.targets, at.weights)
    if callable(distance_of):
        real = float((at.weights > 0).float().mean())
        distance = distance_of(logits[LABELLED], at.seen[LABELLED])
        expected = (1 - TEACHER_WEIGHT) * real * expected + TEACHER_WEIGHT * distance
    torch.testing.assert_close(loss, expected)
    ours, theirs = gradients(3 * loss, users, table), gradients(3 * expected, users, table)
    for mine, wanted in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, wanted)


@pytest.mark.usefixtures("parts")
def test_hard_labels_alone() -> None:
    check(None, None, "kl")


@pytest.mark.usefixtures("parts")
def test_a_teacher_of_every_item() -> None:
    found = dense()

    def distance(logits: Tensor, seen: Tensor) -> Tensor:
        return full_catalogue_kl(logits.scatter(-1, seen, -1e9), found.scatter(-1, seen, -1e9))

    check(found, distance, "kl")


@pytest.mark.usefixtures("parts")
def test_a_teacher_of_some_candidates() -> None:
    found = sparse(positions(dense()).seen)
    check(found, lambda logits, seen: coarse_kl(logits, found, seen.tolist()), "auto")


def test_who_has_seen_everything_teaches_nothing() -> None:
    """No candidate is left and no rest: neither a loss, nor a gradient that is no number."""
    users, table = (factor[:2] if len(factor) == POSITIONS else factor for factor in factors())
    seen = torch.stack((torch.arange(ITEMS), torch.zeros(ITEMS, dtype=torch.int64)))
    candidates = torch.tensor([[3, 5, NO_CANDIDATE], [3, 5, 1]])
    found = SparseBatch(candidates, torch.zeros(2, 3), torch.zeros(2))
    labelled = torch.ones(2, dtype=torch.bool)
    at = Positions(torch.tensor([1, 2]), torch.zeros(2), seen, labelled, found)
    loss = whole_catalogue_loss(users, table, at, TrainSettings(candidates=3))
    of_users, of_table = gradients(loss, users, table)
    assert loss > 0
    assert not of_users[0].any()
    assert of_users[1].any()
    assert of_table.isfinite().all()


def test_half_precision_stays_close() -> None:
    found = sparse(positions(dense()).seen)
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        users, table = factors()
        settings = TrainSettings(teacher_weight=TEACHER_WEIGHT, dtype=dtype)
        loss = whole_catalogue_loss(users, table, positions(found), settings)
        results.append((loss, *gradients(loss, users, table)))
    exact, rough = results
    assert not torch.equal(exact[1], rough[1])
    for wanted, close in zip(exact, rough, strict=True):
        assert close.dtype == torch.float32
        torch.testing.assert_close(close, wanted, atol=0.02, rtol=0.02)


def test_nothing_is_kept_for_a_gradient_that_nobody_wants() -> None:
    users, table = factors()
    with torch.no_grad():
        loss = whole_catalogue_loss(users, table, positions(None), TrainSettings())
    assert not loss.requires_grad
    assert float(loss) > 0
