"""Training on new events without forgetting the old: replay, and KD from the student as it was.

Learning without forgetting (Li and Hoiem, ECCV 2016) for a recommender: what the old student says
over the old catalogue is kept where the new events do not speak against it.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pocketrec_distill.models.base import PADDING, History, pad
from pocketrec_distill.models.student import Student
from pocketrec_distill.progress import progress
from pocketrec_distill.training.losses import full_catalogue_kl, hard_label_loss
from pocketrec_distill.training.windows import shuffled_batches
from pocketrec_distill.update.settings import UpdateSettings

GRADIENT_NORM = 1.0


@dataclass(frozen=True, eq=False)
class Lessons:
    """What is learned from.

    Attributes:
        new: Sequences with new events.
        targets: 1 for a new event, else 0, float32, in the shape of `new`.
        replay: Old sequences, real or made up; may be empty.
        made_up: Whether they are made up: then they teach nothing but the old student's scores.
        old_items: Items that the old student knew: the first of the catalogue.
    """

    new: Sequence[History]
    targets: Sequence[NDArray[np.float32]]
    replay: Sequence[History]
    made_up: bool
    old_items: int


@dataclass(frozen=True)
class UpdateEpoch:
    """One pass: number, mean loss, and what was measured after it."""

    epoch: int
    loss: float
    new: float
    old: float


def learn(
    student: Student,
    lessons: Lessons,
    measure: Callable[[Student], tuple[float, float]],
    settings: UpdateSettings,
    seed: int,
) -> list[UpdateEpoch]:
    """Train the student in place, and leave it at the best epoch that forgets little enough.

    An epoch is taken where it keeps `settings.keep` of the old measure and has the best new one;
    where none does and is better than the start, the student is left as it was.

    Args:
        student: The recovered student, with vectors of new items.
        lessons: See `Lessons`.
        measure: New and old validation NDCG@10 of a student.
        settings: `[update]`.
        seed: Of order and dropout.

    Returns:
        Epoch 0 (before), then one entry per pass.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    old = deepcopy(student).eval()
    for parameter in old.parameters():
        parameter.requires_grad_(False)
    optimiser = torch.optim.AdamW(_groups(student, settings), betas=(0.9, 0.98))
    curve = [UpdateEpoch(0, 0.0, *measure(student))]
    best, best_state = curve[0].new, deepcopy(student.state_dict())
    for epoch in range(1, settings.epochs + 1):
        loss = _epoch(student, old, lessons, optimiser, settings, rng, epoch)
        curve.append(UpdateEpoch(epoch, loss, *measure(student)))
        if curve[-1].new > best and curve[-1].old >= settings.keep * curve[0].old:
            best, best_state = curve[-1].new, deepcopy(student.state_dict())
    student.load_state_dict(best_state)
    return curve


def _groups(student: Student, settings: UpdateSettings) -> list[dict[str, object]]:
    table = student.items.residual
    tower = [p for p in student.parameters() if p is not table]
    return [
        {"params": tower, "lr": settings.learning_rate, "weight_decay": 0.0},
        {
            "params": [table],
            "lr": settings.learning_rate * settings.item_rate,
            "weight_decay": 0.0,
        },
    ]


def _epoch(
    student: Student,
    old: Student,
    lessons: Lessons,
    optimiser: torch.optim.Optimizer,
    settings: UpdateSettings,
    rng: np.random.Generator,
    number: int,
) -> float:
    student.train()
    losses = []
    lengths = [len(sequence) for sequence in lessons.new]
    per_batch = round(settings.batch * settings.replay)
    batches = list(shuffled_batches(lengths, settings.batch, rng))
    for rows in progress(batches, label=f"update {number}/{settings.epochs}", unit="batch"):
        weights = np.concatenate([lessons.targets[row][1:] for row in rows])
        loss = new_events_loss(student, [lessons.new[row] for row in rows], weights)
        if len(lessons.replay) and per_batch:
            drawn = rng.integers(0, len(lessons.replay), per_batch)
            share = 1.0 if lessons.made_up else settings.teacher_weight
            loss = loss + settings.replay * replay_loss(
                student, old, [lessons.replay[row] for row in drawn], lessons.old_items, share
            )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(student.parameters(), GRADIENT_NORM)
        optimiser.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses))


def new_events_loss(
    student: Student, sequences: Sequence[History], weights: NDArray[np.float32]
) -> Tensor:
    """Cross-entropy of the new events alone; what came before them is context.

    Args:
        student: The student.
        sequences: Old and new events, oldest first.
        weights: 1 for a new event, 0 for an old one, of every event but each sequence's first.
    """
    logits, targets = _logits(student, sequences)
    return hard_label_loss(logits, targets, torch.from_numpy(weights))


def replay_loss(
    student: Student,
    old: Student,
    sequences: Sequence[History],
    old_items: int,
    teacher_weight: float,
) -> Tensor:
    """Cross-entropy of old events, mixed with KL to the old student over the old catalogue.

    Args:
        student: The student.
        old: The student as it was.
        sequences: Events of old items, oldest first.
        old_items: How many items the old student knew.
        teacher_weight: Share of the KL.
    """
    logits, targets = _logits(student, sequences)
    with torch.no_grad():
        wanted, _ = _logits(old, sequences)
    distance = full_catalogue_kl(logits[:, :old_items], wanted[:, :old_items])
    if teacher_weight == 1:
        return distance
    hard = hard_label_loss(logits, targets)
    return (1 - teacher_weight) * hard + teacher_weight * distance


def _logits(student: Student, sequences: Sequence[History]) -> tuple[Tensor, Tensor]:
    """Scores at every position that has a next event, and those events."""
    events = pad(sequences)
    inputs, targets = events[:, :-1], events[:, 1:]
    known = targets != PADDING
    table = student.item_vectors()
    users = student(table[inputs.clamp_min(0)])[known]
    return users @ table.T, targets[known]
