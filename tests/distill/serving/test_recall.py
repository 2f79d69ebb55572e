"""What a candidate teacher said is remembered, and what it was not asked is asked."""

from collections.abc import Sequence

import numpy as np

from pocketrec_distill.models.base import PADDING
from pocketrec_distill.serving.recall import Recalling
from pocketrec_distill.teachers import Context


class Counting:
    """A logit that depends on the whole history and the candidate; counts its pairs."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[int], list[int]]] = []

    def candidate_logits(self, contexts: Sequence[Context], candidates: np.ndarray) -> np.ndarray:
        for context, row in zip(contexts, candidates, strict=True):
            self.asked.append((context.history.tolist(), row.tolist()))
        sums = np.array(
            [context.history @ np.arange(1, 1 + context.events) for context in contexts]
        )
        logits = (sums[:, None] + candidates / 8).astype(np.float32)
        return np.where(candidates == PADDING, np.float32(np.nan), logits)


def contexts(*histories: list[int]) -> list[Context]:
    return [Context(np.array(history, np.int32)) for history in histories]


def test_the_same_is_asked_once_and_answered_alike() -> None:
    teacher = Counting()
    recalling = Recalling(teacher, most=10)
    asked = contexts([1, 2], [2, 1], [1, 2])
    candidates = np.array([[5, 6], [5, PADDING], [6, 5]], np.int32)
    expected = Counting().candidate_logits(asked, candidates)
    for _ in range(2):
        np.testing.assert_array_equal(recalling.candidate_logits(asked, candidates), expected)
    # Other candidates of the same history are another question.
    assert teacher.asked == [([1, 2], [5, 6]), ([2, 1], [5, PADDING]), ([1, 2], [6, 5])]
    some = contexts([2, 1], [9])
    rows = np.array([[5, PADDING], [0, 1]], np.int32)
    found = recalling.candidate_logits(some, rows)
    np.testing.assert_array_equal(found, Counting().candidate_logits(some, rows))
    assert teacher.asked[3:] == [([9], [0, 1])]


def test_who_was_asked_about_least_recently_is_forgotten() -> None:
    teacher = Counting()
    recalling = Recalling(teacher, most=2)
    row = np.array([[3, 4]], np.int32)
    for item in (1, 2, 1, 3, 1, 2):
        recalling.candidate_logits(contexts([item]), row)
    assert [history for history, _ in teacher.asked] == [[1], [2], [3], [2]]
    # More at once than are remembered are all answered.
    many = contexts(*([item] for item in range(5)))
    rows = np.tile(row, (5, 1))
    expected = Counting().candidate_logits(many, rows)
    np.testing.assert_array_equal(recalling.candidate_logits(many, rows), expected)
