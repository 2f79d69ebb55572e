"""What an update learns from: its two losses by hand, and the epoch that it keeps."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch.nn import functional

from pocketrec_distill.models.llama import TowerShape
from pocketrec_distill.models.student import Student
from pocketrec_distill.update.continual import Lessons, learn, new_events_loss, replay_loss
from pocketrec_distill.update.settings import UpdateSettings


@pytest.fixture
def student() -> Student:
    torch.manual_seed(1)
    made = Student(6, TowerShape(8, 1, 2, 1, 12), None, dropout=0.0)
    with torch.no_grad():
        made.items.residual.mul_(20)
    return made.eval()


def logits(student: Student, history: list[int]) -> torch.Tensor:
    table = student.item_vectors()
    return student(table[history][None])[0] @ table.T


def test_old_events_before_new_ones_are_no_targets(student: Student) -> None:
    sequences = [np.array([0, 1, 4, 5], np.int32), np.array([2, 5], np.int32)]
    found = new_events_loss(student, sequences, np.array([0, 1, 1, 1], np.float32))
    first, second = logits(student, [0, 1, 4]), logits(student, [2])
    wanted = functional.cross_entropy(
        torch.stack((first[1], first[2], second[0])), torch.tensor([4, 5, 5])
    )
    assert float(found.detach()) == pytest.approx(float(wanted.detach()), rel=1e-5)


def test_replay_keeps_what_the_old_student_said_of_old_items(student: Student) -> None:
    sequences = [np.array([0, 1, 2], np.int32)]
    old = deepcopy(student)
    assert float(replay_loss(student, old, sequences, 4, 1.0).detach()) == pytest.approx(
        0, abs=1e-6
    )
    with torch.no_grad():
        student.items.residual[5] += 3.0
    # An item that the old student did not know may become anything.
    assert float(replay_loss(student, old, sequences, 4, 1.0).detach()) == pytest.approx(
        0, abs=1e-6
    )
    with torch.no_grad():
        student.items.residual[3] += 1.0
    distance = float(replay_loss(student, old, sequences, 4, 1.0).detach())
    new, before = logits(student, [0, 1])[:, :4], logits(old, [0, 1])[:, :4]
    share = before.softmax(-1)
    wanted = (share * (before.log_softmax(-1) - new.log_softmax(-1))).sum(-1).mean()
    assert distance == pytest.approx(float(wanted.detach()), rel=1e-4)
    hard = functional.cross_entropy(logits(student, [0, 1]), torch.tensor([1, 2]))
    mixed = float(replay_loss(student, old, sequences, 4, 0.25).detach())
    assert mixed == pytest.approx(0.75 * float(hard.detach()) + 0.25 * distance, rel=1e-4)


LESSONS = Lessons(
    [np.array([0, 4, 5], np.int32)] * 8, [np.array([0, 1, 1], np.float32)] * 8, [], False, 4
)


def learned(student: Student, measures: list[tuple[float, float]]) -> list[float]:
    """New measures of the curve, where the measures after each epoch are given."""
    given = iter(measures)
    settings = UpdateSettings(epochs=len(measures) - 1, keep=0.9, learning_rate=1e-2)
    return [e.new for e in learn(student, LESSONS, lambda _: next(given), settings, seed=0)]


def test_an_epoch_that_forgets_is_not_taken(student: Student) -> None:
    start = deepcopy(student.state_dict())
    curve = learned(student, [(0.1, 0.5), (0.3, 0.44), (0.4, 0.2)])
    assert curve == [0.1, 0.3, 0.4]
    assert all(torch.equal(value, start[name]) for name, value in student.state_dict().items())


def test_the_best_epoch_that_remembers_is_taken(student: Student) -> None:
    other = deepcopy(student)
    learned(student, [(0.1, 0.5), (0.3, 0.45), (0.9, 0.1), (0.2, 0.5)])
    learned(other, [(0.1, 0.5), (0.3, 0.45)])
    assert all(
        torch.equal(value, other.state_dict()[name]) for name, value in student.state_dict().items()
    )
