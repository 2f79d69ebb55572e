"""Contexts, and reading proposals out of full-catalogue scores."""

import numpy as np
import pytest

from pocketrec_distill.errors import DataError
from pocketrec_distill.models.base import PADDING
from pocketrec_distill.models.floors import ItemItem
from pocketrec_distill.teachers import CatalogueTeacher, Context
from pocketrec_distill.teachers.catalogue import best_unseen


def test_a_position_counts_the_events_that_were_cut() -> None:
    history = np.array([4, 2], np.int32)
    assert Context(history).events == 2
    assert Context(history, "u", position=7).events == 7
    assert Context(history).user_id == ""


def test_a_context_that_cannot_be_is_refused() -> None:
    with pytest.raises(DataError, match="a history is empty"):
        Context(np.array([], np.int32))
    with pytest.raises(DataError, match="position 1 counts fewer events than the history's 2"):
        Context(np.array([4, 2], np.int32), position=1)


def test_best_unseen_by_hand() -> None:
    scores = np.array([[3, 9, 5, np.nan, 5], [1, 2, 3, 4, 5]], np.float32)
    histories = [np.array([1], np.int32), np.array([4, 3, 2, 1], np.int32)]
    # Equal scores stand in catalogue order; what is not known is no proposal.
    assert best_unseen(scores, histories, 3).tolist() == [[2, 4, 0], [0, PADDING, PADDING]]
    assert best_unseen(scores, histories, 7).shape == (2, 7)


def test_a_catalogue_teacher_scores_as_what_it_wraps() -> None:
    weights = np.array([[0, 2, 1], [3, 0, 5], [4, 1, 0]], np.float32)
    teacher = CatalogueTeacher(ItemItem(weights, np.arange(3), 3), 3)
    histories = [np.array([0], np.int32), np.array([1, 2], np.int32)]
    assert teacher.scores(histories).tolist() == [[0, 2, 1], [7, 1, 5]]
    contexts = [Context(history) for history in histories]
    candidates = np.array([[2, 1], [0, PADDING]], np.int32)
    logits = teacher.candidate_logits(contexts, candidates)
    np.testing.assert_array_equal(logits, [[1, 2], [7, np.nan]])
    assert teacher.proposals(contexts, 2).tolist() == [[1, 2], [0, PADDING]]
    assert teacher.position_scores(histories[1:], 2).tolist() == [[3, 0, 5], [7, 1, 5]]
