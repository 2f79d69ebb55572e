"""Windows: every event but the first is a target once; batches are a permutation."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketrec_distill.training.windows import (
    POOL_BATCHES,
    pass_sequences,
    shuffled_batches,
    training_windows,
)


def test_windows_by_hand() -> None:
    histories = [np.arange(8), np.arange(10, 13), np.array([20])]
    found = [window.tolist() for window in training_windows(histories, 3)]
    assert found == [[4, 5, 6, 7], [1, 2, 3, 4], [0, 1], [10, 11, 12]]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(lengths=st.lists(st.integers(0, 23), max_size=5), window=st.integers(1, 9))
def test_every_event_but_the_first_is_a_target_once(lengths: list[int], window: int) -> None:
    starts = np.cumsum([0, *lengths])
    histories = [np.arange(a, b) for a, b in pairwise(starts)]
    windows = training_windows(histories, window)
    targets = [event for events in windows for event in events[1:].tolist()]
    assert sorted(targets) == [event for history in histories for event in history[1:].tolist()]
    assert all(2 <= len(events) <= window + 1 for events in windows)
    assert all((np.diff(events) == 1).all() for events in windows)


@pytest.mark.parametrize(("count", "batch"), [(1, 4), (7, 3), (8, 4), (200, 3)])
def test_batches_are_a_permutation(count: int, batch: int) -> None:
    lengths = np.random.default_rng(count).integers(1, 50, count)
    batches = list(shuffled_batches(lengths, batch, np.random.default_rng(0)))
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    assert all(1 <= len(rows) <= batch for rows in batches)
    # One short batch for each pool at most.
    assert len(batches) == -(-count // batch)


def test_at_most_so_many_sequences_are_drawn() -> None:
    rng = np.random.default_rng(0)
    draws = [np.concatenate(list(shuffled_batches([5] * 30, 4, rng, most=9))) for _ in range(2)]
    assert [len(set(draw.tolist())) for draw in draws] == [9, 9]
    assert set(draws[0].tolist()) != set(draws[1].tolist())
    assert len(np.concatenate(list(shuffled_batches([5] * 30, 4, rng, most=99)))) == 30


@pytest.mark.parametrize(
    ("positions", "expected"),
    # Lengths 2 to 6: three positions each on average.
    [(0, 5), (1, 1), (6, 2), (7, 2), (8, 3), (14, 5), (10**9, 5)],
)
def test_a_pass_holds_so_many_positions_on_average(positions: int, expected: int) -> None:
    assert pass_sequences([2, 3, 4, 5, 6], positions) == expected


def test_a_pass_over_nothing_is_empty() -> None:
    assert pass_sequences([], 100) == 0


def test_batches_hold_similar_lengths_in_a_new_order_each_epoch() -> None:
    lengths = np.arange(6 * POOL_BATCHES)
    rng = np.random.default_rng(0)
    first, second = (list(shuffled_batches(lengths, 6, rng)) for _ in range(2))
    # All lengths fit one pool, so that each batch is a run of neighbours.
    assert all(np.ptp(lengths[rows]) == 5 for rows in first)
    assert [rows[0] for rows in first] != sorted(rows[0] for rows in first)
    assert [rows[0] for rows in first] != [rows[0] for rows in second]
