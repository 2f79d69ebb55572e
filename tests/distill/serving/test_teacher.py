"""A served teacher scores as the pipeline's blend does, whatever it was asked before."""

import numpy as np
import pytest
import torch

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models.trend import Biased
from pocketrec_distill.serving import ServedTeacher, ServingSettings, TeacherContents
from pocketrec_distill.serving.contents import GoldenScores
from pocketrec_distill.serving.slots import HistorySlots
from pocketrec_distill.serving.teacher import MAX_BATCH
from pocketrec_runtime.errors import SelfTestError

from .conftest import ITEMS, WINDOW

FP32 = ServingSettings(precision="fp32")


def served(contents: TeacherContents, settings: ServingSettings = FP32) -> ServedTeacher:
    return ServedTeacher(contents, "f" * 64, settings)


def arrays(histories: list[list[int]]) -> list[np.ndarray]:
    return [np.array(history, np.int32) for history in histories]


def assert_equal_scores(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-4, rtol=2e-4)
    assert (np.argsort(-found, axis=1) == np.argsort(-expected, axis=1)).all()


HISTORIES = [[2], [3, 1, 0], [3, 1, 0, 4, 2, 2, 1], [0, 0], [4, 2, 1, 3], [1, 4]]


def test_a_mixed_batch_scores_as_the_blend(contents: TeacherContents, blend: Biased) -> None:
    assert_equal_scores(served(contents).scores(HISTORIES), blend.scores(arrays(HISTORIES)))


def test_each_alone_scores_as_in_a_batch(contents: TeacherContents) -> None:
    teacher = served(contents)
    together = teacher.scores(HISTORIES)
    for history, expected in zip(HISTORIES, together, strict=True):
        np.testing.assert_allclose(
            served(contents).scores([history])[0], expected, atol=1e-4, rtol=1e-4
        )


def test_sessions_grow_from_what_was_read_before(contents: TeacherContents, blend: Biased) -> None:
    """Two users interleaved, one event at a time, up to the window and beyond it."""
    teacher = served(contents)
    rng = np.random.default_rng(3)
    events = rng.integers(0, ITEMS, (2, 9)).tolist()
    for length in range(1, 10):
        histories = [user[:length] for user in events]
        assert_equal_scores(teacher.scores(histories), blend.scores(arrays(histories)))
    # 2 users: 1 event each computed up to the window; beyond it, the whole window again.
    assert teacher.computed_positions == 2 * (WINDOW + (9 - WINDOW) * WINDOW)
    assert teacher.reused_positions == 2 * (0 + 1 + 2 + 3)


def test_a_branch_and_a_repeat_are_right(contents: TeacherContents, blend: Biased) -> None:
    teacher = served(contents)
    for histories in (
        [[1, 2]],
        [[1, 2, 3], [1, 2, 4]],
        [[1, 2, 3], [1, 2]],
        [[1, 2, 3], [1, 2, 3]],
    ):
        assert_equal_scores(teacher.scores(histories), blend.scores(arrays(histories)))
    before = teacher.computed_positions
    teacher.scores([[1, 2, 3]])
    assert teacher.computed_positions == before


def test_without_reuse_everything_is_computed(contents: TeacherContents) -> None:
    teacher = served(contents, ServingSettings(precision="fp32", reuse=False))
    for _ in range(2):
        teacher.scores([[1, 2, 3], [0]])
    assert (teacher.computed_positions, teacher.reused_positions) == (8, 0)


def test_more_histories_than_a_run_takes(contents: TeacherContents, blend: Biased) -> None:
    rng = np.random.default_rng(4)
    histories = [
        rng.integers(0, ITEMS, int(rng.integers(1, 8))).tolist() for _ in range(2 * MAX_BATCH + 5)
    ]
    assert_equal_scores(served(contents).scores(histories), blend.scores(arrays(histories)))


def test_anchored_windows_cost_one_position_an_event(contents: TeacherContents) -> None:
    """And what they read is always the newest events: between half a window and a window."""
    settings = ServingSettings(precision="fp32", window="anchored")
    teacher, events = served(contents, settings), [0, 3, 1, 4, 2, 0, 1, 3, 2, 4, 1]
    for length in range(1, len(events) + 1):
        teacher.scores([events[:length]])
    # Beyond 4 events a new window of 3 is read at events 5, 7, 9 and 11; the others append.
    assert teacher.computed_positions == 4 + 3 + 1 + 3 + 1 + 3 + 1 + 3
    fresh = served(contents, settings).scores([events])
    np.testing.assert_allclose(teacher.scores([events]), fresh, atol=1e-4)


def test_a_failed_run_leaves_nothing_behind(
    contents: TeacherContents, blend: Biased, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = served(contents)
    teacher.scores([[1, 2]])
    broken = teacher._towers["control"]
    with monkeypatch.context() as patch:
        patch.setattr(broken, "items", broken.items[:, :3])
        with pytest.raises(RuntimeError):
            teacher.scores([[1, 2, 3]])
    histories = [[1, 2, 3], [1, 2]]
    assert_equal_scores(teacher.scores(histories), blend.scores(arrays(histories)))


def test_bfloat16_ranks_nearly_alike(contents: TeacherContents, blend: Biased) -> None:
    teacher = served(contents, ServingSettings(precision="bf16"))
    assert teacher.dtype == torch.bfloat16
    expected = blend.scores(arrays(HISTORIES))
    worst = np.abs(teacher.scores(HISTORIES) - expected).max()
    assert 0 < worst < 0.05 * np.abs(expected).max()


def test_the_self_test_finds_another_answer(contents: TeacherContents) -> None:
    served(contents).self_test()
    (golden,) = contents.golden
    shifted = GoldenScores(golden.history, golden.items, golden.scores + np.float32(0.1))
    from dataclasses import replace

    with pytest.raises(SelfTestError, match=r"0\.1 away from what was recorded"):
        served(replace(contents, golden=(shifted,))).self_test()


def test_settings_are_checked() -> None:
    for wrong in ({"precision": "int8"}, {"window": "oldest"}, {"histories": 63}, {"threads": -1}):
        with pytest.raises(ConfigError):
            ServingSettings(**wrong)


def test_slots_forget_the_oldest_and_never_share() -> None:
    slots = HistorySlots(2, window=4)
    first, second = slots.claim((1,)), slots.claim((2,))
    assert first.slot != second.slot
    with pytest.raises(ConfigError, match="every slot is claimed"):
        slots.claim((3,))
    slots.keep(first)
    slots.keep(second)
    assert (slots.claim((2, 5)).cached, len(slots)) == (1, 1)
    assert slots.claim((9,)).slot == first.slot
    assert len(slots) == 0
