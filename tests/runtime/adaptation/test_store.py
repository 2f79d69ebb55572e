"""What was learned, kept by user: files, damage, forgetting."""

import numpy as np
import pytest

from pocketrec_runtime.adaptation import AdaptationSettings, Learner, TasteStore, UserOffset
from pocketrec_runtime.adaptation.file import decode_learned, encode_learned
from pocketrec_runtime.adaptation.learner import Learned
from pocketrec_runtime.errors import InputError, StateError

HISTORY = [3, 0, 1, 4]


class Counting(Learner):
    """Counts the histories that it had to learn something of."""

    taught = 0

    def residual(self, vector, item, seen):
        self.taught += 1
        return super().residual(vector, item, seen)


@pytest.fixture
def learner(engine) -> Counting:
    return Counting(engine, AdaptationSettings(bound=0.5))


@pytest.fixture
def vector(engine) -> np.ndarray:
    return engine.reader.read(HISTORY)[1]


def test_kept_in_memory_and_learned_once(learner, vector):
    store = TasteStore()
    found = store.adapted(learner, "Ann", HISTORY, vector)
    expected = learner.adapted(vector, learner.follow(None, HISTORY))
    np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(found, vector)
    learner.taught = 0
    store.adapted(learner, "Ann", HISTORY, vector)
    assert learner.taught == 0
    store.adapted(learner, "Ann", [*HISTORY, 2], vector)
    assert learner.taught == 1
    store.adapted(learner, "Bob", HISTORY, vector)
    assert learner.taught == 4
    assert len(store) == 2


def test_files_outlive_the_process(learner, vector, tmp_path):
    with TasteStore(tmp_path) as store:
        expected = store.adapted(learner, "Ann", HISTORY, vector)
    [file] = tmp_path.iterdir()
    assert file.stat().st_size < 600
    assert b"Ann" not in file.read_bytes()
    assert "Ann" not in file.name
    learner.taught = 0
    found = TasteStore(tmp_path).adapted(learner, "Ann", HISTORY, vector)
    np.testing.assert_array_equal(found, expected)
    assert learner.taught == 0


def test_a_damaged_file_is_learned_again_and_replaced(learner, vector, tmp_path):
    with TasteStore(tmp_path) as store:
        expected = store.adapted(learner, "Ann", HISTORY, vector)
    [file] = tmp_path.iterdir()
    good = file.read_bytes()
    for at in range(0, len(good), 37):
        for damaged in (good[:at], good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]):
            with pytest.raises(StateError):
                decode_learned(damaged, "Ann", len(vector))
    file.write_bytes(good[:-9] + b"x" + good[-8:])
    learner.taught = 0
    with TasteStore(tmp_path) as store:
        found = store.adapted(learner, "Ann", HISTORY, vector)
    np.testing.assert_array_equal(found, expected)
    assert learner.taught == 3
    assert file.read_bytes() == good


def test_files_of_others_are_refused(learner):
    learned = learner.follow(None, HISTORY)
    data = encode_learned("Ann", learned)
    again = decode_learned(data, "Ann", 8)
    np.testing.assert_array_equal(again.offset.total, learned.offset.total)
    assert (again.offset.weight, again.events, again.digest, again.model) == (
        learned.offset.weight,
        learned.events,
        learned.digest,
        learned.model,
    )
    for user, width in (("Bob", 8), ("Ann", 9)):
        with pytest.raises(StateError):
            decode_learned(data, user, width)
    for broken in (
        Learned(learned.offset, 0, learned.digest, learned.model),
        Learned(learned.offset, 4, b"short", learned.model),
    ):
        with pytest.raises(StateError, match="contradicts"):
            decode_learned(encode_learned("Ann", broken), "Ann", 8)
    damaged = UserOffset(learned.offset.total)
    object.__setattr__(damaged, "total", np.full(8, np.nan))
    with pytest.raises(StateError, match="finite"):
        decode_learned(encode_learned("Ann", Learned(damaged, 4, learned.digest, "x")), "Ann", 8)


def test_forget_removes_one_user_and_clear_all(learner, vector, tmp_path):
    with TasteStore(tmp_path) as store:
        for user in ("Ann", "Bob", "Cem"):
            store.adapted(learner, user, HISTORY, vector)
    store.forget("Ann")
    assert len(list(tmp_path.iterdir())) == len(store) == 2
    learner.taught = 0
    store.adapted(learner, "Ann", HISTORY, vector)
    assert learner.taught == 3
    store.clear()
    assert list(tmp_path.iterdir()) == []
    assert len(store) == 0
    store.flush()
    assert list(tmp_path.iterdir()) == [], "what was forgotten is not written"


def test_who_is_forgotten_while_learning_does_not_come_back(engine, vector, tmp_path):
    store = TasteStore(tmp_path)

    class Forgetting(Learner):
        def residual(self, vector, item, seen):
            store.forget("Ann")
            return super().residual(vector, item, seen)

    store.adapted(Forgetting(engine), "Ann", HISTORY, vector)
    store.flush()
    assert len(store) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_least_recently_used_leave_memory_for_their_files(learner, vector, tmp_path):
    store = TasteStore(tmp_path, max_users=2)
    for user in ("Ann", "Bob", "Ann", "Cem"):
        store.adapted(learner, user, HISTORY, vector)
    assert len(store) == 2
    assert len(list(tmp_path.iterdir())) == 1, "Bob's, who left"
    learner.taught = 0
    store.adapted(learner, "Bob", HISTORY, vector)
    store.adapted(learner, "Cem", HISTORY, vector)
    assert learner.taught == 0


def test_a_folder_that_is_gone_fails_a_flush_but_no_answer(learner, vector, tmp_path):
    folder = tmp_path / "states"
    store = TasteStore(folder, max_users=1)
    store.adapted(learner, "Ann", HISTORY, vector)
    folder.rmdir()
    store.adapted(learner, "Bob", HISTORY, vector)
    with pytest.raises(StateError, match="not written"):
        store.flush()
    with pytest.raises(InputError, match="limits"):
        TasteStore(max_users=0)


def test_a_reset_starts_from_now_and_holds(learner, vector, tmp_path):
    store = TasteStore(tmp_path)
    assert not np.array_equal(store.adapted(learner, "Ann", HISTORY, vector), vector)
    store.reset(learner, "Ann", HISTORY)
    again = TasteStore(tmp_path)  # another process, without a flush before
    for kept in (store, again):
        assert kept.adapted(learner, "Ann", HISTORY, vector) is vector
    learner.taught = 0
    longer = [*HISTORY, 2]
    found = again.adapted(learner, "Ann", longer, vector)
    assert learner.taught == 1
    only = UserOffset.none(8).after(learner.residual(vector, 2, frozenset(HISTORY)))
    np.testing.assert_array_equal(found, only.applied(vector, learner.settings))
    changed = again.adapted(learner, "Ann", [3, 1, 0, 4], vector)
    assert not np.array_equal(changed, vector), "another history is learned from its start"
    with pytest.raises(InputError):
        store.reset(learner, "Ann", [])
