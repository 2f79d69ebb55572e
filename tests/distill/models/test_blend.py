"""The blend finds the part that knows something, and mixes as its weights say."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy import optimize

from pocketrec_distill.models.blend import Blend, fit_weights

QUERIES, ITEMS = 400, 12


@dataclass(frozen=True)
class Constant:
    """Scores that tell the part, the position and the item apart."""

    base: float

    def scores(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        return np.array([[self.base + item for item in range(3)] for _ in histories], np.float32)

    def position_scores(self, sequences: Sequence[np.ndarray], newest: int) -> np.ndarray:
        rows = sum(min(len(sequence), newest) for sequence in sequences)
        return np.array([[self.base + 10 * row for _ in range(3)] for row in range(rows)])


def test_a_blend_is_the_weighted_sum() -> None:
    blend = Blend((Constant(1), Constant(2)), (3.0, 0.5))
    assert blend.scores([np.zeros(1, np.int32)]).tolist() == [[4, 7.5, 11]]
    sequences = [np.zeros(2, np.int32), np.zeros(1, np.int32)]
    assert blend.position_scores(sequences, 9)[:, 0].tolist() == [4, 39, 74]


@dataclass(frozen=True)
class Silent(Constant):
    """A part that must not be asked."""

    def scores(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        raise AssertionError(f"asked of {len(histories)}")

    def position_scores(self, sequences: Sequence[np.ndarray], newest: int) -> np.ndarray:
        raise AssertionError(f"asked of {newest} of {len(sequences)}")


def test_a_part_of_weight_0_is_not_asked() -> None:
    history = [np.zeros(1, np.int32)]
    blend = Blend((Silent(1), Constant(2), Silent(3)), (0.0, 0.5, 0.0))
    assert blend.scores(history).tolist() == [[1, 1.5, 2]]
    assert blend.position_scores(history, 1)[:, 0].tolist() == [1]


def test_where_no_part_has_a_weight_all_items_are_alike() -> None:
    blend = Blend((Constant(1), Silent(2)), (0.0, 0.0))
    assert blend.scores([np.zeros(1, np.int32)]).tolist() == [[0, 0, 0]]


def test_a_weight_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        Blend((Constant(1), Constant(2)), (3.0,)).scores([np.zeros(1, np.int32)])


def sampled() -> tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]:
    """Logits, noise, histories, and targets drawn from 2 * logits among unseen items."""
    rng = np.random.default_rng(6)
    logits = rng.normal(size=(QUERIES, ITEMS)).astype(np.float32)
    noise = rng.normal(size=(QUERIES, ITEMS)).astype(np.float32)
    histories, targets = [], []
    for row in range(QUERIES):
        seen = rng.choice(ITEMS, 1 + row % 4, replace=False)
        chances = np.exp(2 * logits[row])
        chances[seen] = 0
        histories.append(seen.astype(np.int32))
        targets.append(rng.choice(ITEMS, p=chances / chances.sum()))
    # What was seen scores highest of all, as an item-item model would have it.
    for row, seen in enumerate(histories):
        noise[row, seen] += 50
    return logits, noise, histories, np.array(targets)


def test_weights_recover_the_part_that_knows() -> None:
    logits, noise, histories, targets = sampled()
    good, bad = fit_weights([logits, noise], histories, targets)
    print(f"informative {good:.3f} (true 2), noise {bad:.4f} (true 0)")  # noqa: T201  (says how close)
    assert good == pytest.approx(2.0, abs=0.3)
    assert 0 < bad < 0.1


def test_weights_do_not_depend_on_the_scale_of_a_part() -> None:
    logits, noise, histories, targets = sampled()
    small = fit_weights([logits / 500], histories, targets)[0]
    assert small == pytest.approx(500 * fit_weights([logits], histories, targets)[0], rel=0.01)
    assert noise.std() > 1


def test_weights_are_at_the_maximum_of_the_likelihood() -> None:
    logits, noise, histories, targets = sampled()
    mixed = (0.7 * logits + 0.3 * noise.clip(-3, 3)).astype(np.float32)

    def loss(weights: np.ndarray) -> float:
        total = weights[0] * logits.astype(float) + weights[1] * mixed
        for row, seen in enumerate(histories):
            total[row, seen] = -np.inf
        log_sum = np.log(np.exp(total).sum(axis=1))
        return float((log_sum - total[np.arange(QUERIES), targets]).mean())

    found = np.array(fit_weights([logits, mixed], histories, targets))
    best = optimize.minimize(loss, [1, 1], bounds=[(1e-9, None)] * 2).fun
    assert loss(found) == pytest.approx(best, abs=1e-4)


def test_a_part_without_opinion_does_no_harm() -> None:
    logits, _, histories, targets = sampled()
    alone = fit_weights([logits], histories, targets)[0]
    for silent in (np.zeros_like(logits), np.full_like(logits, 7.0)):
        weight, other = fit_weights([logits, silent], histories, targets)
        assert weight == pytest.approx(alone, rel=0.02)
        # Where it has an opinion after all, on other data, it must not drown the rest.
        assert other == 0
    assert fit_weights([silent], histories, targets) == (0.0,)


def test_without_data_all_weights_are_one() -> None:
    nothing = np.zeros((0, 3), np.float32)
    assert fit_weights([nothing, nothing], [], np.array([], np.int64)) == (1.0, 1.0)
    assert fit_weights([], [], np.array([1])) == ()


def test_fitting_does_not_touch_the_scores() -> None:
    logits, _, histories, targets = sampled()
    before = logits.copy()
    fit_weights([logits], histories, targets)
    np.testing.assert_array_equal(logits, before)
    assert torch.is_grad_enabled()
