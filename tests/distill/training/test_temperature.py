"""The temperature of labels: as high as leaves half of the mass to what is shown."""

import numpy as np
import pytest

from pocketrec_distill.training.temperature import (
    LOWEST,
    Tempered,
    label_temperature,
    shown_share,
)


def flat(items: int, step: float) -> np.ndarray:
    """Scores that fall by `step` from item to item, the same at three positions."""
    return np.tile(-step * np.arange(items, dtype=np.float32), (3, 1))


def test_the_share_of_the_best_ten() -> None:
    # A geometric series: ten of sixty items hold (1 - q^10) / (1 - q^60).
    ratio = np.exp(-0.05)
    expected = (1 - ratio**10) / (1 - ratio**60)
    assert shown_share(flat(60, 0.05), 1.0) == pytest.approx(expected, rel=1e-5)
    ratio = np.exp(-0.1)
    expected = (1 - ratio**10) / (1 - ratio**60)
    assert shown_share(flat(60, 0.05), 0.5) == pytest.approx(expected, rel=1e-5)


def test_what_was_seen_holds_nothing() -> None:
    scores = flat(60, 0.05)
    wide = np.concatenate((np.full((3, 5), -np.inf, np.float32), scores), axis=1)
    assert shown_share(wide, 0.5) == pytest.approx(shown_share(scores, 0.5))


@pytest.mark.parametrize("step", [0.004, 0.01, 0.03])
def test_a_flat_teacher_is_sharpened_until_half_is_shown(step: float) -> None:
    scores = flat(2_000, step)
    temperature = label_temperature(scores)
    assert temperature < 1
    assert shown_share(scores, temperature) == pytest.approx(0.5, abs=0.005)
    # Ten of many items hold half where each is e^(-ln 2 / 10) of the one before.
    assert temperature == pytest.approx(step * 10 / np.log(2), rel=0.01)


def test_a_sharp_teacher_keeps_its_scores() -> None:
    assert label_temperature(flat(2_000, 0.5)) == 1.0


def test_a_catalogue_of_ten_and_a_teacher_that_knows_nothing_have_an_end() -> None:
    assert label_temperature(flat(7, 0.001)) == 1.0
    assert label_temperature(np.zeros((2, 5_000), np.float32)) == pytest.approx(LOWEST, rel=0.01)


def test_who_has_seen_everything_says_nothing() -> None:
    nothing = np.full((1, 2_000), -np.inf, np.float32)
    assert label_temperature(nothing) == 1.0
    scores = flat(2_000, 0.01)
    assert label_temperature(np.concatenate((scores, nothing))) == label_temperature(scores)


def test_tempered_scores_are_divided() -> None:
    class Teacher:
        def scores(self, histories: list[np.ndarray]) -> np.ndarray:
            return np.full((len(histories), 2), 3.0, np.float32)

        def position_scores(self, sequences: list[np.ndarray], newest: int) -> np.ndarray:
            rows = sum(min(newest, len(sequence)) for sequence in sequences)
            return np.array([[1.0, -np.inf]] * rows, np.float32)

    teacher = Tempered(Teacher(), 0.5)
    history = np.array([0, 1], np.int32)
    assert teacher.scores([history]).tolist() == [[6.0, 6.0]]
    assert teacher.position_scores([history], 2).tolist() == [[2.0, -np.inf]] * 2
