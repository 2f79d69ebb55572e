"""Popularity, co-occurrence and EASE against hand counts and the textbook formula."""

import math
from dataclasses import replace

import numpy as np
import pytest

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models import floors
from pocketrec_distill.models.floors import (
    ItemItem,
    Popularity,
    co_occurrence,
    ease,
    gram_matrix,
    interaction_counts,
)

# Four users, five items; user 1 took item 0 twice; nobody took item 4.
HISTORIES = [np.array(h, np.int32) for h in ([0, 1, 2], [0, 3, 0], [2, 1], [1])]
ITEMS = 5
GRAM = np.array(
    [
        [2, 1, 1, 1, 0],
        [1, 3, 2, 0, 0],
        [1, 2, 2, 0, 0],
        [1, 0, 0, 1, 0],
        [0, 0, 0, 0, 0],
    ],
    dtype=float,
)


def random_histories(users: int, items: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, items, rng.integers(1, 9)).astype(np.int32) for _ in range(users)]


def textbook_ease(histories: list[np.ndarray], items: int, regularization: float) -> np.ndarray:
    """Steck (2019), section 3.1: B = I - P diag(1 / diag P), P = (X'X + lambda I)^-1."""
    x = np.zeros((len(histories), items))
    for user, history in enumerate(histories):
        x[user, history] = 1
    p = np.linalg.inv(x.T @ x + regularization * np.eye(items))
    b = np.eye(items) - p @ np.diag(1 / np.diag(p))
    np.fill_diagonal(b, 0)
    return x @ b


def test_counts_count_repeats() -> None:
    assert interaction_counts(HISTORIES, ITEMS).tolist() == [3, 3, 2, 1, 0]


def test_popularity_is_the_same_for_everybody() -> None:
    scores = Popularity(np.array([3, 0, 7])).scores(HISTORIES[:2])
    assert scores.dtype == np.float32
    assert scores.tolist() == [[3, 0, 7], [3, 0, 7]]


def test_gram_counts_users_not_events() -> None:
    gram, dense = gram_matrix(HISTORIES, ITEMS)
    np.testing.assert_array_equal(gram, GRAM)
    np.testing.assert_array_equal(dense, np.arange(ITEMS))


def test_co_occurrence_by_hand() -> None:
    weights = co_occurrence(HISTORIES, ITEMS).weights
    expected = np.zeros((ITEMS, ITEMS))
    for (a, b), value in {
        (0, 1): 1 / math.sqrt(6),
        (0, 2): 1 / 2,
        (0, 3): 1 / math.sqrt(2),
        (1, 2): 2 / math.sqrt(6),
    }.items():
        expected[a, b] = expected[b, a] = value
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_scores_sum_the_rows_of_the_history() -> None:
    weights = np.arange(9, dtype=np.float32).reshape(3, 3)
    model = ItemItem(weights, np.arange(3), 3)
    # A repeat counts once.
    scores = model.scores([np.array([2, 0, 2]), np.array([1])])
    assert scores.tolist() == [[6, 8, 10], [3, 4, 5]]


def test_decay_weighs_the_newest_one() -> None:
    model = ItemItem(np.eye(3, dtype=np.float32), np.arange(3), 3, decay=0.5)
    # Of a repeated item the latest event decides: item 0 is two events old, then one, then new.
    scores = model.scores([np.array([0, 1, 2]), np.array([0, 0, 1]), np.array([1, 0])])
    assert scores.tolist() == [[0.25, 0.5, 1], [0.5, 1, 0], [1, 0.5, 0]]


@pytest.mark.parametrize("regularization", [0.7, 30.0])
def test_ease_is_the_textbook_formula(regularization: float) -> None:
    histories = random_histories(40, 11, seed=5)
    model = ease(*gram_matrix(histories, 11), 11, regularization)
    expected = textbook_ease(histories, 11, regularization)
    assert not np.diag(model.weights).any()
    np.testing.assert_allclose(model.scores(histories), expected, atol=2e-6)


def test_items_that_nobody_chose_change_nothing() -> None:
    histories = random_histories(40, 11, seed=5)
    known = np.array([0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12])  # of 14
    alone = ease(*gram_matrix(histories, 11), 11, 3.0)
    among = ease(*gram_matrix([known[history] for history in histories], 14), 14, 3.0)
    np.testing.assert_array_equal(among.weights[np.ix_(known, known)], alone.weights)
    assert np.count_nonzero(among.weights) == np.count_nonzero(alone.weights)


def test_ease_leaves_the_gram_matrix_as_it_was() -> None:
    gram, dense = gram_matrix(HISTORIES, ITEMS)
    first = ease(gram, dense, ITEMS, 1.0)
    np.testing.assert_array_equal(gram, GRAM)
    np.testing.assert_array_equal(ease(gram, dense, ITEMS, 1.0).weights, first.weights)


@pytest.mark.parametrize("regularization", [0.0, -1.0, math.nan])
def test_ease_needs_regularization(regularization: float) -> None:
    with pytest.raises(ConfigError, match="EASE regularization"):
        ease(GRAM, np.arange(ITEMS), ITEMS, regularization)


@pytest.mark.parametrize("decay", [1.0, 0.8, 0.0])
@pytest.mark.parametrize("newest", [1, 3, 50])
def test_position_scores_are_the_scores_of_each_prefix(decay: float, newest: int) -> None:
    sequences = [*random_histories(6, 4, seed=2), np.array([1, 1, 1, 0, 1], np.int32)]
    model = replace(ease(*gram_matrix(sequences, 4), 4, 0.5), decay=decay)
    prefixes = [
        sequence[: end + 1]
        for sequence in sequences
        for end in range(max(0, len(sequence) - newest), len(sequence))
    ]
    scores = model.position_scores(sequences, newest)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, model.scores(prefixes), atol=1e-6)


def test_only_the_most_popular_items_are_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floors, "MAX_DENSE_ITEMS", 3)
    gram, dense = gram_matrix(HISTORIES, ITEMS)
    # Items 0 and 1 have three events, item 2 has two.
    assert dense.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(gram, GRAM[:3, :3])
    histories = [np.array([3, 0]), np.array([4, 3])]
    model = co_occurrence(HISTORIES, ITEMS)
    half = pytest.approx(0.5)
    assert model.scores(histories)[0].tolist() == [0, pytest.approx(1 / math.sqrt(6)), half, 0, 0]
    assert not model.scores(histories)[1].any()
    by_position = model.position_scores(histories, 2)
    assert by_position.shape == (4, ITEMS)
    np.testing.assert_allclose(by_position[1], model.scores(histories)[0])
    assert not by_position[[0, 2, 3]].any()


def test_dense_columns_stand_for_catalogue_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floors, "MAX_DENSE_ITEMS", 2)
    histories = [np.array(h, np.int32) for h in ([4, 2], [2, 4], [2, 0])]
    model = ease(*gram_matrix(histories, ITEMS), ITEMS, 0.5)
    assert model.dense.tolist() == [2, 4]
    # Two items: B[j, k] = g / (g_kk's partner + lambda): 2 / 3.5 from 2 to 4, 2 / 2.5 from 4 to 2.
    scores = model.scores([np.array([2]), np.array([4]), np.array([0])])
    np.testing.assert_allclose(scores[0], [0, 0, 0, 0, 2 / 3.5], rtol=1e-6)
    np.testing.assert_allclose(scores[1], [0, 0, 2 / 2.5, 0, 0], rtol=1e-6)
    assert not scores[2].any()


def test_of_an_item_that_repeats_the_latest_event_counts() -> None:
    histories = [np.array([2, 0, 2], np.int32), np.array([0, 1], np.int32)]
    weights = [np.array([0.25, 0.5, 0.75], np.float32), np.array([1.0, 0.5], np.float32)]
    counted, dense = gram_matrix(histories, 3)
    np.testing.assert_array_equal(counted, [[2, 1, 1], [1, 1, 0], [1, 0, 1]])
    weighed, same = gram_matrix(histories, 3, weights)
    np.testing.assert_array_equal(dense, same)
    expected = [[1.25, 0.5, 0.375], [0.5, 0.25, 0], [0.375, 0, 0.5625]]
    np.testing.assert_allclose(weighed, expected)
