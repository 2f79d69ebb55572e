"""A closed set stands for the catalogue: exactly, where it holds all of it; else on average."""

import math

import numpy as np
import pytest
import torch

from pocketrec_distill.models.base import SequenceModel
from pocketrec_distill.training import (
    SparseTeacherLabels,
    TeacherLabels,
    TrainSettings,
    closure,
    fit,
)
from pocketrec_distill.training.closure import (
    Proposal,
    close,
    contained,
    first_of_each,
    own_top,
)
from pocketrec_distill.training.losses import full_catalogue_kl, hard_label_loss
from pocketrec_distill.training.objective import Examples, batch_loss

ITEMS, WIDTH = 30, 4
SEQUENCES = [np.array([0, 1, 2, 0], np.int32), np.array([0, 29], np.int32)]


@pytest.fixture
def scores() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    users = torch.randn(3, WIDTH, generator=generator)
    return users, torch.randn(ITEMS, WIDTH, generator=generator)


def test_the_proposal_by_hand() -> None:
    """Counts 3 1 1 1 of 30 items, to the power of 3/4; half of it even."""
    proposal = Proposal.from_sequences(SEQUENCES, ITEMS)
    total = 3**0.75 + 3
    found = proposal.log_probabilities.exp().tolist()
    assert found[0] == pytest.approx(0.5 / 30 + 0.5 * 3**0.75 / total)
    assert found[29] == pytest.approx(0.5 / 30 + 0.5 / total)
    assert found[7] == pytest.approx(0.5 / 30)
    assert sum(found) == pytest.approx(1, rel=1e-5)


def test_draws_follow_the_proposal() -> None:
    torch.manual_seed(0)
    proposal = Proposal.from_sequences(SEQUENCES, ITEMS)
    drawn, log_weights = proposal.draw(40_000)
    shares = torch.bincount(drawn, minlength=ITEMS) / 40_000
    torch.testing.assert_close(shares, proposal.log_probabilities.exp(), atol=6e-3, rtol=0)
    expected = 1 / (40_000 * proposal.log_probabilities.exp()[drawn])
    torch.testing.assert_close(log_weights.exp(), expected, rtol=1e-4, atol=0)


def test_own_top_is_the_students_ranking(scores: tuple[torch.Tensor, torch.Tensor]) -> None:
    users, table = scores
    found = own_top(users, table, 5)
    assert torch.equal(found, (users @ table.T).topk(5, dim=-1).indices)


def test_a_large_catalogue_is_mined_in_a_drawn_pool(
    scores: tuple[torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closure, "MINING_POOL", 12)
    monkeypatch.setattr(closure, "_MAX_SCORES", 12)
    users, table = scores
    torch.manual_seed(0)
    found = own_top(users, table, 12)
    pools = [set(row) for row in found.tolist()]
    assert len(pools[0]) == 12
    assert pools[0] == pools[1] == pools[2]
    # Best first, whatever was drawn.
    ranked = (users @ table.T).gather(-1, found)
    assert bool((ranked[:, :-1] >= ranked[:, 1:]).all())
    assert set(own_top(users, table, 12)[0].tolist()) != pools[0]


def test_an_item_counts_once_in_its_row() -> None:
    rows = torch.tensor([[5, 2, 5, -1, 2, 7], [-1, -1, 3, 3, 3, 0]])
    first, ordered = first_of_each(rows)
    assert first.tolist() == [
        [True, True, False, False, False, True],
        [False, False, True, False, False, True],
    ]
    values = torch.tensor([7, 3, -5, 0])
    assert contained(values, ordered).tolist() == [
        [True, False, False, False],
        [False, True, False, True],
    ]


def test_a_set_that_holds_everything_is_exact(scores: tuple[torch.Tensor, torch.Tensor]) -> None:
    users, table = scores
    logits = users @ table.T
    targets = torch.tensor([4, 29, 11])
    # The target of the first is a candidate, one candidate is missing.
    candidates = torch.tensor([[4, 8], [3, -1], [0, 1]])
    drawn = Proposal.from_sequences(SEQUENCES, ITEMS).draw(7)
    seen = torch.tensor([[7, 7], [0, 29], [8, 2]])
    found = close(users, table, targets, candidates, seen=seen, own=ITEMS, drawn=drawn)
    torch.testing.assert_close(found.partition, logits.logsumexp(dim=-1))
    torch.testing.assert_close(found.target, logits[range(3), targets])
    torch.testing.assert_close(found.candidates[0], logits[0, [4, 8]])
    others = [i for i in range(ITEMS) if i not in (4, 8)]
    torch.testing.assert_close(found.rest[0], logits[0, others].logsumexp(dim=-1))
    others.remove(7)
    torch.testing.assert_close(found.unseen[0], logits[0, others].logsumexp(dim=-1))
    others = [i for i in range(ITEMS) if i not in (0, 3, 29)]
    torch.testing.assert_close(found.unseen[1], logits[1, others].logsumexp(dim=-1))
    assert float(found.candidates[1, 1]) < -1e8
    assert float(found.bar[0]) == pytest.approx(float(logits[0].topk(2).values[1]), rel=1e-6)


def test_a_small_set_is_right_on_average(scores: tuple[torch.Tensor, torch.Tensor]) -> None:
    users, table = scores
    logits = users @ table.T
    proposal = Proposal.from_sequences(SEQUENCES, ITEMS)
    torch.manual_seed(1)
    targets, candidates = torch.tensor([4, 29, 11]), torch.tensor([[9], [3], [11]])
    seen = torch.tensor([[1, 5], [0, 0], [8, 2]])
    partitions, unseen = [], []
    for _ in range(1500):
        found = close(
            users, table, targets, candidates, seen=seen, own=2, drawn=proposal.draw(6)
        )  # fmt: skip
        partitions.append(found.partition.exp())
        unseen.append(found.unseen.exp())
    expected = logits.exp().sum(dim=-1)
    torch.testing.assert_close(torch.stack(partitions).mean(dim=0), expected, rtol=0.04, atol=0)
    others = logits.scatter(-1, torch.cat((seen, candidates), dim=1), -torch.inf)
    expected = others.exp().sum(dim=-1)
    torch.testing.assert_close(torch.stack(unseen).mean(dim=0), expected, rtol=0.05, atol=0)


class Fixed(SequenceModel):
    """User vector = item vector of the event, turned; small enough to check by hand."""

    def __init__(self, items: int, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.table = torch.nn.Parameter(torch.randn(items, WIDTH))
        self.turn = torch.nn.Parameter(torch.randn(WIDTH, WIDTH))

    def item_vectors(self) -> torch.Tensor:
        return self.table

    def forward(self, item_vectors: torch.Tensor) -> torch.Tensor:
        return item_vectors @ self.turn


def logits_of(model: Fixed) -> torch.Tensor:
    """Positions 0, 1, 2 of the first sequence, then position 0 of the second."""
    return (model.table[torch.tensor([0, 1, 2, 0])] @ model.turn) @ model.table.T


TARGETS = torch.tensor([1, 2, 0, 29])


def unseen_of(model: Fixed) -> torch.Tensor:
    """Scores of the labelled positions, as the whole catalogue is scored: no item seen before."""
    logits = logits_of(model)[1:].clone()
    for row, seen in zip(logits, ([0, 1], [0, 1, 2], [0]), strict=True):
        row[seen] = -1e9
    return logits


def sparse(teacher: np.ndarray) -> SparseTeacherLabels:
    """Two candidates for positions 1 and 2 of the first sequence and position 0 of the second."""
    best = np.argsort(-teacher, axis=1)[:, :2].astype(np.int32)
    logits = np.take_along_axis(teacher, best, axis=1)
    rest = teacher.copy()
    np.put_along_axis(rest, best, -np.inf, axis=1)
    sums = np.log(np.exp(rest).sum(axis=1)).astype(np.float32)
    return SparseTeacherLabels(best, logits.astype(np.float16), sums, np.array([0, 2, 3]))


TEACHER = np.round(np.random.default_rng(5).normal(size=(3, ITEMS)), 2).astype(np.float32)


# What the teacher says of items that were not seen before each labelled position.
UNSEEN = TEACHER.copy()
for _row, _seen in zip(UNSEEN, ([0, 1], [0, 1, 2], [0]), strict=True):
    _row[_seen] = -1e9


def coarse(student: torch.Tensor, teacher: np.ndarray) -> float:
    """KL of two candidates and the rest, the long way."""
    total = 0.0
    for ours, theirs in zip(student.softmax(dim=-1), teacher, strict=True):
        p = np.exp(theirs) / np.exp(theirs).sum()
        best = np.argsort(-theirs)[:2]
        shares = [(p[i], float(ours[i])) for i in best]
        shares.append((1 - p[best].sum(), 1 - sum(s for _, s in shares)))
        total += sum(a * math.log(a / b) for a, b in shares)
    return total / len(teacher)


@pytest.mark.parametrize("loss", ["kl", "closure"])
def test_sparse_labels_give_the_coarse_kl(loss: str) -> None:
    """With the whole catalogue in reach both ways, exact and sampled, say the same."""
    model = Fixed(ITEMS)
    proposal = Proposal.from_sequences(SEQUENCES, ITEMS) if loss == "closure" else None
    examples = Examples(SEQUENCES, None, sparse(TEACHER), proposal)
    settings = TrainSettings(teacher_weight=0.25, loss=loss, own=ITEMS, samples=3)
    with torch.no_grad():
        found = batch_loss(model, examples, np.array([0, 1]), settings)
        hard = float(hard_label_loss(logits_of(model), TARGETS))
        distance = coarse(unseen_of(model), TEACHER)
    assert float(found) == pytest.approx(0.75 * hard + 0.25 * distance, rel=2e-3)


def test_dense_labels_in_a_closed_set_give_the_same() -> None:
    model = Fixed(ITEMS)
    labels = TeacherLabels(TEACHER.astype(np.float16), np.array([0, 2, 3]))
    proposal = Proposal.from_sequences(SEQUENCES, ITEMS)
    settings = TrainSettings(loss="closure", own=ITEMS, samples=3, candidates=2, teacher_weight=1)
    with torch.no_grad():
        found = batch_loss(
            model, Examples(SEQUENCES, None, labels, proposal), np.array([0, 1]), settings
        )
        assert float(found) == pytest.approx(coarse(unseen_of(model), UNSEEN), rel=2e-3)


def test_candidates_of_the_whole_catalogue_give_the_full_kl() -> None:
    model = Fixed(ITEMS)
    labels = TeacherLabels(TEACHER.astype(np.float16), np.array([0, 2, 3]))
    settings = TrainSettings(loss="closure", own=30, samples=1, candidates=99, teacher_weight=1)
    proposal = Proposal.from_sequences(SEQUENCES, ITEMS)
    with torch.no_grad():
        examples = Examples(SEQUENCES, None, labels, proposal)
        found = batch_loss(model, examples, np.array([0, 1]), settings)
        full = full_catalogue_kl(unseen_of(model), torch.from_numpy(UNSEEN))
    assert float(found) == pytest.approx(float(full), rel=2e-3)


def test_top_k_alone_never_looks_beyond_the_candidates() -> None:
    model = Fixed(ITEMS)
    settings = TrainSettings(loss="top-k", teacher_weight=1)
    examples = Examples(SEQUENCES, None, sparse(TEACHER), None)
    with torch.no_grad():
        found = batch_loss(model, examples, np.array([0, 1]), settings)
        expected = 0.0
        for ours, theirs in zip(unseen_of(model), TEACHER, strict=True):
            best = np.argsort(-theirs)[:2].copy()
            p, q = (torch.as_tensor(x)[best].softmax(dim=-1) for x in (theirs, ours))
            expected += float((p * (p / q).log()).sum()) / 3
    assert float(found) == pytest.approx(expected, rel=2e-3)


def test_ranking_takes_the_weighted_cross_entropy() -> None:
    """Agreement is being among the student's own two best."""
    model = Fixed(ITEMS)
    settings = TrainSettings(loss="ranking", teacher_weight=1)
    examples = Examples(SEQUENCES, None, sparse(TEACHER), None)
    with torch.no_grad():
        found = batch_loss(model, examples, np.array([0, 1]), settings)
        expected, ranks = 0.0, np.exp([-1.0, -2.0])
        for ours, theirs in zip(unseen_of(model), TEACHER, strict=True):
            best = np.argsort(-theirs)[:2]
            own = set(ours.topk(2).indices.tolist())
            share = np.exp(theirs[best]) / np.exp(theirs[best]).sum()
            weights = 0.3 * ranks / ranks.sum() + 0.5 * share
            weights += 0.1 * np.array([item in own for item in best])
            log_p = ours.log_softmax(dim=-1).numpy()[best]
            expected -= float((weights / weights.sum() * log_p).sum()) / 3
    assert float(found) == pytest.approx(expected, rel=2e-3)


def test_a_closed_set_learns_what_the_whole_catalogue_would() -> None:
    """A cycle over 60 items from samples alone, 8 draws and 4 own items in each step."""
    cycle = [((start + np.arange(6)) % 60).astype(np.int32) for start in range(60)]
    model = Fixed(60, seed=1)
    with torch.no_grad():
        model.table.copy_(torch.randn(60, WIDTH))
    steps = iter(range(1, 200))
    settings = TrainSettings(
        epochs=80, patience=80, batch=20, learning_rate=3e-2, loss="closure", own=4, samples=8,
        weight_decay=0.0,
    )  # fmt: skip
    fit(model, cycle, lambda _: float(next(steps)), settings)
    with torch.no_grad():
        logits = (model.table @ model.turn) @ model.table.T
    hits = logits.argmax(dim=-1) == (torch.arange(60) + 1) % 60
    assert float(hits.float().mean()) > 0.8
