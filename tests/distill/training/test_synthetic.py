"""Synthetic histories: made of real ones, within the window, the same for the same seed."""

import numpy as np
import pytest

from pocketrec_distill.training import synthetic
from pocketrec_distill.training.synthetic import Neighbours, synthetic_histories

# Two groups of three items; item 6 was never seen with another, and item 7 has no column.
WEIGHTS = np.zeros((7, 7), np.float32)
WEIGHTS[0, 1], WEIGHTS[0, 2] = 3.0, 1.0
WEIGHTS[1, 0] = WEIGHTS[2, 0] = WEIGHTS[3, 4] = WEIGHTS[4, 5] = WEIGHTS[5, 3] = 1.0
WEIGHTS[3, 0] = -2.0
DENSE = np.arange(7)
HISTORIES = [np.array([0, 1, 2, 0, 1], np.int32), np.array([3, 4], np.int32)]


@pytest.fixture
def neighbours() -> Neighbours:
    return Neighbours.from_weights(WEIGHTS, DENSE, items=8)


def test_neighbours_are_drawn_by_weight(neighbours: Neighbours) -> None:
    rng = np.random.default_rng(0)
    drawn = neighbours.draw(np.zeros(20_000, np.int32), rng)
    shares = np.bincount(drawn, minlength=8) / 20_000
    assert shares[1] == pytest.approx(0.75, abs=0.02)
    assert shares[2] == pytest.approx(0.25, abs=0.02)
    assert shares[[0, 3, 4, 5, 6, 7]].sum() == 0


def test_a_negative_weight_is_no_neighbour(neighbours: Neighbours) -> None:
    drawn = neighbours.draw(np.full(1000, 3, np.int32), np.random.default_rng(0))
    assert set(drawn.tolist()) == {4}


@pytest.mark.parametrize("lonely", [6, 7])
def test_an_item_without_neighbours_stays(neighbours: Neighbours, lonely: int) -> None:
    drawn = neighbours.draw(np.full(100, lonely, np.int32), np.random.default_rng(0))
    assert set(drawn.tolist()) == {lonely}


def test_columns_of_a_part_of_the_catalogue() -> None:
    """Rows 0 and 1 stand for items 5 and 2."""
    weights = np.array([[0, 1], [1, 0]], np.float32)
    near = Neighbours.from_weights(weights, np.array([5, 2]), items=6)
    rng = np.random.default_rng(0)
    assert near.draw(np.array([5, 2, 0], np.int32), rng).tolist() == [2, 5, 0]


def test_as_many_positions_as_asked_for_and_no_longer_than_the_window(
    neighbours: Neighbours,
) -> None:
    made = synthetic_histories(HISTORIES, neighbours, 300, 4, np.random.default_rng(1))
    positions = sum(len(history) - 1 for history in made)
    assert 300 <= positions < 300 + 4
    assert max(map(len, made)) == 5
    assert min(map(len, made)) >= 2
    assert all(history.dtype == np.int32 for history in made)


def test_most_are_new_and_some_are_real(neighbours: Neighbours) -> None:
    made = synthetic_histories(HISTORIES, neighbours, 3000, 10, np.random.default_rng(1))
    real = {tuple(history.tolist()) for history in HISTORIES}
    kept = [tuple(history[:-1].tolist()) in real for history in made]
    assert 0.05 < np.mean(kept) < 0.6
    spliced = [np.any(history < 3) and np.any(history > 2) for history in made]
    assert 0.02 < np.mean(spliced) < 0.3


def test_two_in_three_go_on_after_the_real_one(
    neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthetic, "SPLICED", 0.0)
    monkeypatch.setattr(synthetic, "SWAPPED", 0.0)
    real = [np.array([0, 3], np.int32)]
    made = synthetic_histories(real, neighbours, 9_000, 50, np.random.default_rng(1))
    events = [history[:-1].tolist() for history in made]
    shares = np.bincount([len(history) for history in events]) / len(events)
    assert shares == pytest.approx([0, 0, 1 / 3, 1 / 3, 1 / 3], abs=0.03)
    assert all(history[:2] == [0, 3] for history in events)
    # 4 is near 3, the last event; 1 and 2 are near 0, the one before.
    third = [history[2] for history in events if len(history) > 2]
    assert np.mean(np.isin(third, [4])) == pytest.approx(0.5, abs=0.05)
    assert np.isin(third, [1, 2, 4]).all()


def test_the_same_seed_makes_the_same(neighbours: Neighbours) -> None:
    first, again, other = (
        synthetic_histories(HISTORIES, neighbours, 50, 4, np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert [h.tolist() for h in first] == [h.tolist() for h in again]
    assert [h.tolist() for h in first] != [h.tolist() for h in other]
