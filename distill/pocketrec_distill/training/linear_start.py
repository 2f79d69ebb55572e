"""A student that starts as the linear model among its teachers.

Its item vectors are the leading factors of that model (`models.low_rank`), its first block is an
average (`Student.become_average`): together a linear item-item model of the student's width. What
is then learned from the labels is what low rank and blindness for order leave out. From a random
start a student of few users and many items has overfitted before it comes as near.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pocketrec_distill.models.base import Floats, History, Scorer, SequenceScorer
from pocketrec_distill.models.blend import fit_weights
from pocketrec_distill.models.student import Student

# What the mean of the history may weigh against its last item, vectors being of unit length.
GAINS = (2.0, 8.0, 32.0, 128.0)
# Scores so large are certainty. A few queries that all come true would ask for more without end.
MAX_SCORE = 100.0


@dataclass(frozen=True)
class LinearVectors:
    """Item vectors that a linear model scores with.

    Attributes:
        vectors: float32 (items, width).
        known: Items that the model knows, bool (items,).
    """

    vectors: Floats
    known: NDArray[np.bool_]


@dataclass(frozen=True)
class Choices:
    """What the few numbers of the start are chosen by.

    Attributes:
        histories: Of the users asked about.
        targets: The item that each chose next, int64 (histories,).
        ndcg: NDCG@10 of a scorer.
        window: Newest events that a student reads.
    """

    histories: Sequence[History]
    targets: NDArray[np.int64]
    ndcg: Callable[[Scorer], float]
    window: int


def start_as_linear(
    student: Student, linear: LinearVectors, choices: Choices, temperature: float
) -> None:
    """Make a new student the linear model.

    The weight of the history's mean is the one that ranks best. The length of vectors is the one of
    highest likelihood, so that the softmax is calibrated, over the temperature of the labels.

    Args:
        student: As it was initialised; its weights are changed.
        linear: Vectors of the student's width.
        choices: See there.
        temperature: Of the labels that the student will learn from.
    """
    squares = (linear.vectors[linear.known] ** 2).sum(axis=1)
    if not squares.any():
        return  # no two items were ever chosen together: chance is as good a start
    heard = student.shape.kv_heads * student.shape.head_dim
    unit = _spread(linear.vectors / np.sqrt(squares.mean()), heard)
    untouched = {name: value.clone() for name, value in student.state_dict().items()}
    scorer = SequenceScorer(student, choices.window)

    def become(gain: float, length: float) -> None:
        student.load_state_dict(untouched)
        # The last item comes with its length, the mean of the history is normed.
        student.become_average(gain * length)
        student.items.become(unit * np.float32(length), linear.known)

    found = []
    for gain in GAINS:
        become(gain, 1.0)
        found.append((choices.ndcg(scorer), gain))
    gain = max(found)[1]
    become(gain, 1.0)
    scores = scorer.scores(choices.histories)
    # Scores grow in proportion to the length of vectors.
    (length,) = fit_weights([scores], choices.histories, choices.targets)
    most = MAX_SCORE / max(float(np.abs(scores).max()), 1e-6)
    become(gain, min(length or 1.0, most) / temperature)


def _spread(vectors: Floats, heard: int) -> Floats:
    """The same vectors, turned so that no dimension is stronger than another.

    Inner products stay as they are, and rounding a row to eight or four bits, all of whose entries
    share one scale, loses less: by 37% of the error at four bits on HetRec Last.fm (as QuaRot does
    in LLMs: Ashkboos et al., NeurIPS 2024).

    Args:
        vectors: float32 (rows, width), the strongest directions first.
        heard: Leading dimensions that attention hears; they are turned among themselves.
    """
    parts = []
    for part in (vectors[:, :heard], vectors[:, heard:]):
        turn = nn.init.orthogonal_(torch.empty(part.shape[1], part.shape[1])).numpy()
        parts.append(part @ turn)
    return np.concatenate(parts, axis=1)
