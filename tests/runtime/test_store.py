"""The store of users' states: reuse, bounds, files, damage, and what it never does."""

import dataclasses
import os
import threading

import numpy as np
import pytest

import pocketrec_runtime as rt
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.errors import InputError, StateError
from pocketrec_runtime.history import context_events
from pocketrec_runtime.store.record import KeptUser, decode_user, encode_user, user_digest

HISTORY = [3, 0, 0, 4, 1, 2, 4, 4, 1, 0, 3, 2, 1, 1, 0]


@pytest.fixture
def engine(contents):
    return rt.Engine(assemble(contents))


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("window", [1, 2, 3, 6])
def test_reading_at_once_is_appending_one_by_one(contents, window):
    shape = dataclasses.replace(contents.model, window=window)
    engine = rt.Engine(assemble(dataclasses.replace(contents, model=shape)))
    state, _ = engine.prefill(HISTORY[:1])
    states = {1: state}
    for length in range(2, len(HISTORY) + 1):
        state, vector = engine.append(state, HISTORY[length - 1])
        states[length] = state
        again, expected = engine.reader.read(HISTORY[:length])
        close(vector, expected)
        assert (state.items, state.seen) == (again.items, again.seen)
        assert len(state.items) == context_events(length, window)
        for start in range(1, length):
            extended, vector = engine.reader.extend(states[start], HISTORY[start:length])
            close(vector, expected)
            assert (extended.items, extended.seen) == (again.items, again.seen)


def test_what_is_kept_is_used(engine):
    store = rt.StateStore()
    store.follow(engine, "u", HISTORY[:2])
    assert engine.reused_positions == 0
    for length in (3, 4, 6):
        state, vector = store.follow(engine, "u", HISTORY[:length])
        close(vector, engine.prefill(HISTORY[:length])[1])
    assert engine.reused_positions == 2 + 3 + 4
    computed = engine.computed_positions
    same = store.follow(engine, "u", HISTORY[:6])
    assert engine.computed_positions == computed  # nothing new: no run at all
    np.testing.assert_array_equal(same[1], vector)
    assert same[0].items == state.items
    assert dataclasses.astuple(store.stats)[2:] == (4, 0, 1, 0, 0, 0)


def test_a_changed_history_is_read_again(engine):
    store = rt.StateStore()
    store.follow(engine, "u", HISTORY[:9])
    for changed in (HISTORY[:4], [*HISTORY[:8], 3], [1, *HISTORY[1:9]], [*HISTORY[1:9], 2]):
        state, vector = store.follow(engine, "u", changed)
        expected = rt.StateStore().follow(engine, "u", changed)
        close(vector, expected[1])
        assert (state.items, state.seen) == (expected[0].items, expected[0].seen)
        store.follow(engine, "u", HISTORY[:9])
    assert store.stats.reused == 1  # of the first, which is where the history starts
    assert store.stats.unusable == 7


def test_users_are_told_apart(engine):
    store = rt.StateStore()
    for user, history in (("u", [0, 1]), ("v", [2]), ("\ud800", [3]), ("", [4])):
        store.follow(engine, user, history)
    close(store.follow(engine, "u", [0, 1])[1], engine.prefill([0, 1])[1])
    close(store.follow(engine, "\ud800", [3, 1])[1], engine.prefill([3, 1])[1])
    assert store.stats.users == 4


def test_memory_is_bounded_and_the_least_recently_used_leaves(engine):
    one = rt.StateStore()
    one.follow(engine, "u", [0, 1, 2])
    size = one.stats.memory_bytes
    # 2 blocks of a key and a value, 3 positions of 4 floats; 3 + 3 indices; a vector of 8.
    assert size > 2 * 2 * 3 * 4 * 4 + 6 * 4 + 8 * 4
    store = rt.StateStore(memory_bytes=3 * size)
    for user in ("a", "b", "c"):
        store.follow(engine, user, [0, 1, 2])
    store.follow(engine, "a", [0, 1, 2])
    store.follow(engine, "d", [0, 1, 2])
    assert store.stats.memory_bytes == 3 * size
    assert (store.stats.users, store.stats.evicted) == (3, 1)
    before = store.stats.built
    for user in ("a", "c", "d"):
        store.follow(engine, user, [0, 1, 2])
    assert store.stats.built == before
    store.follow(engine, "b", [0, 1, 2])
    assert store.stats.built == before + 1


def test_a_user_larger_than_the_memory_is_answered(engine):
    store = rt.StateStore(memory_bytes=1)
    close(store.follow(engine, "u", [0, 1])[1], engine.prefill([0, 1])[1])
    assert (store.stats.users, store.stats.memory_bytes) == (0, 0)


def test_counted_bytes_are_held_bytes(engine):
    store = rt.StateStore()
    store.follow(engine, "u", [0, 1])
    for length in range(3, 7):
        store.follow(engine, "u", HISTORY[:length])
    sizes = store.stats.memory_bytes
    again = rt.StateStore()
    again.follow(engine, "u", HISTORY[:6])
    assert abs(sizes - again.stats.memory_bytes) < 200  # a view more or less, no old cache kept
    store.forget("u")
    assert store.stats.memory_bytes == 0


def test_states_outlive_the_process(engine, tmp_path):
    with rt.StateStore(tmp_path / "states") as store:
        store.follow(engine, "u", HISTORY[:4])
        store.follow(engine, "v", HISTORY[:9])
    files = sorted(path.name for path in (tmp_path / "states").iterdir())
    assert files == sorted(f"{user_digest(user)}.state" for user in ("u", "v"))
    again = rt.StateStore(tmp_path / "states")
    reused = engine.reused_positions
    close(again.follow(engine, "u", HISTORY[:5])[1], engine.prefill(HISTORY[:5])[1])
    assert engine.reused_positions == reused + 4
    state, vector = again.follow(engine, "v", HISTORY[:9])
    expected, fresh = engine.reader.read(HISTORY[:9])
    close(vector, fresh)
    assert (state.items, state.seen) == (expected.items, expected.seen)
    assert (again.stats.reused, again.stats.from_disk, again.stats.built) == (2, 2, 0)


def test_who_leaves_memory_comes_back_from_disk(engine, tmp_path):
    store = rt.StateStore(tmp_path, memory_bytes=1)
    store.follow(engine, "u", HISTORY[:3])
    close(store.follow(engine, "u", HISTORY[:4])[1], engine.prefill(HISTORY[:4])[1])
    assert (store.stats.from_disk, store.stats.built) == (1, 1)


def test_an_unchanged_state_is_written_once(engine, tmp_path):
    store = rt.StateStore(tmp_path)
    store.follow(engine, "u", [0])
    store.flush()
    (path,) = tmp_path.iterdir()
    path.unlink()
    store.flush()
    assert list(tmp_path.iterdir()) == []


def test_disk_is_bounded_and_the_oldest_leaves(engine, tmp_path):
    store = rt.StateStore(tmp_path)
    for number, user in enumerate(("a", "b", "c")):
        store.follow(engine, user, [0, 1])
        store.flush()
        os.utime(tmp_path / f"{user_digest(user)}.state", ns=(number, number))
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    (tmp_path / "notes.txt").write_text("not ours")
    rt.StateStore(tmp_path, disk_bytes=size - 1).flush()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"{user_digest(user)}.state" for user in ("b", "c")} | {"notes.txt"}


def test_forgetting_leaves_nothing(engine, tmp_path):
    store = rt.StateStore(tmp_path)
    store.follow(engine, "u", [0, 1])
    store.follow(engine, "v", [0])
    store.flush()
    store.forget("u")
    store.forget("never seen")
    assert [path.name for path in tmp_path.iterdir()] == [f"{user_digest('v')}.state"]
    assert store.stats.users == 1
    store.flush()
    assert len(list(tmp_path.iterdir())) == 1


def test_clearing_leaves_nothing_of_anyone(engine, tmp_path):
    store = rt.StateStore(tmp_path)
    store.follow(engine, "u", [0, 1])
    store.flush()
    store.follow(engine, "v", [0])
    store.clear()
    store.flush()
    assert list(tmp_path.iterdir()) == []
    assert (store.stats.users, store.stats.memory_bytes) == (0, 0)


def test_the_name_of_a_user_stands_in_no_file(engine, tmp_path):
    with rt.StateStore(tmp_path) as store:
        store.follow(engine, "alice@example.org", [0])
    (path,) = tmp_path.iterdir()
    assert b"alice" not in path.read_bytes()
    assert "alice" not in path.name


def test_a_state_of_another_model_is_built_again(engine, contents, tmp_path):
    store = rt.StateStore(tmp_path)
    store.follow(engine, "u", [0, 1])
    store.flush()
    catalogue = dataclasses.replace(contents.catalogue, bias=contents.catalogue.bias * 2)
    other = rt.Engine(assemble(dataclasses.replace(contents, catalogue=catalogue)))
    for kept in (store, rt.StateStore(tmp_path)):
        state, vector = kept.follow(other, "u", [0, 1, 2])
        assert state.fingerprint == other.fingerprint
        close(vector, other.prefill([0, 1, 2])[1])
        assert (kept.stats.reused, kept.stats.unusable) == (0, 1)


def test_states_live_on_across_a_delta_that_only_adds(engine):
    store = rt.StateStore()
    store.follow(engine, "u", [0, 1])
    vector = np.ones(8, np.float32)
    grown = engine.with_delta(rt.make_delta(engine, [rt.NewItem("x", vector=vector)]))
    close(store.follow(grown, "u", [0, 1, 5])[1], grown.prefill([0, 1, 5])[1])
    assert store.stats.reused == 1
    moved = grown.with_delta(rt.make_delta(grown, [rt.NewItem("x", vector=-vector)]))
    close(store.follow(moved, "u", [0, 1, 5])[1], moved.prefill([0, 1, 5])[1])
    assert store.stats.unusable == 1


@pytest.fixture
def saved(engine):
    state, vector = engine.prefill([3, 1, 0])
    return encode_user("u", KeptUser(state, 3, vector), engine.reader)


def test_a_file_is_the_state(engine, saved):
    kept = decode_user(saved, "u", engine.reader)
    assert (kept.state.items, kept.state.seen, kept.events) == ((3, 1, 0), {0, 1, 3}, 3)
    np.testing.assert_array_equal(
        engine.append(kept.state, 2)[1], engine.append(engine.prefill([3, 1, 0])[0], 2)[1]
    )


def test_a_file_cut_at_any_byte_is_found(engine, saved):
    for length in range(len(saved)):
        with pytest.raises(StateError):
            decode_user(saved[:length], "u", engine.reader)


def test_any_flipped_byte_is_found(engine, saved):
    for at in range(len(saved)):
        for flip in (1 << at % 8, 0xFF):
            broken = bytearray(saved)
            broken[at] ^= flip
            with pytest.raises(StateError):
                decode_user(bytes(broken), "u", engine.reader)


def test_a_damaged_file_is_built_again_and_replaced(engine, tmp_path, saved):
    path = tmp_path / f"{user_digest('u')}.state"
    expected = engine.prefill([3, 1, 0, 2])[1]
    for damaged in (b"", saved[:-1], saved + b"x", saved[:100] + b"\0" + saved[101:]):
        path.write_bytes(damaged)
        with rt.StateStore(tmp_path) as store:
            close(store.follow(engine, "u", [3, 1, 0, 2])[1], expected)
        assert (store.stats.unusable, store.stats.built) == (1, 1)
        assert decode_user(path.read_bytes(), "u", engine.reader).events == 4
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    close(rt.StateStore(tmp_path).follow(engine, "u", [3, 1, 0, 2])[1], expected)


@pytest.mark.parametrize(
    ("header", "sections"),
    [
        ({"format_version": "2.0"}, {}),
        ({"user": "0" * 64}, {}),
        ({"cache": "llama user_tower.gguf float16"}, {}),
        ({"fingerprint": "0" * 64}, {}),
        ({"events": 2}, {}),
        ({"events": "3"}, {}),
        ({}, {"items.i32": np.array([3, 1, 5], np.int32)}),
        ({}, {"items.i32": np.array([3, 1, -1], np.int32)}),
        ({}, {"items.i32": np.array([3, 1, 2], np.int32)}),  # 2 was not seen
        ({}, {"items.i32": np.array([3, 1], np.int32)}),
        ({}, {"items.i32": np.array([], np.int32)}),
        ({}, {"items.i32": np.array([3, 1, 0] * 3, np.int32)}),
        ({}, {"items.i32": np.array([1], np.int8)}),
        ({}, {"seen.i32": np.array([0, 1, 3, 5], np.int32)}),
        ({}, {"vector.f32": np.zeros(7, np.float32)}),
        ({}, {"vector.f32": np.full(8, np.nan, np.float32)}),
        ({}, {"cache": np.full(48, np.inf, np.float32)}),
        ({}, {"cache": np.zeros(47, np.float32)}),
        ({}, {"cache": None}),
    ],
)
def test_a_sealed_file_that_lies_is_refused(engine, saved, header, sections):
    from pocketrec_runtime.storage import seal, unseal
    from pocketrec_runtime.store.record import MAGIC

    fields, parts = unseal(saved, MAGIC, "state file")
    values = {key: fields.text(key) for key in ("format_version", "user", "fingerprint", "cache")}
    values |= {"events": 3} | header
    for name, array in sections.items():
        parts[name] = array if array is None else array.tobytes()
    parts = {name: data for name, data in parts.items() if data is not None}
    with pytest.raises(StateError):
        decode_user(seal(MAGIC, values, parts), "u", engine.reader)


def test_a_folder_that_cannot_be_written(engine, tmp_path):
    blocked = tmp_path / "file" / "states"
    (tmp_path / "file").write_text("a file, no folder")
    with pytest.raises(StateError, match="choose another folder"):
        rt.StateStore(blocked)
    store = rt.StateStore(blocked, unwritable="memory")
    assert not store.is_durable
    close(store.follow(engine, "u", [0, 1])[1], engine.prefill([0, 1])[1])
    store.flush()


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_no_permission_to_write(engine, tmp_path):
    folder = tmp_path / "states"
    folder.mkdir(mode=0o755)
    for path in (folder, *list(folder.parents)[:3]):
        path.chmod(0o755)
    store = rt.StateStore(folder, memory_bytes=1)
    user = os.geteuid()
    folder.chmod(0o555)
    if user == 0:  # to whom nothing is forbidden
        os.seteuid(65534)
    try:
        with pytest.raises(StateError, match="cannot be written"):
            rt.StateStore(folder)
        close(store.follow(engine, "u", [0, 1])[1], engine.prefill([0, 1])[1])
        assert store.stats.failed_writes == 1
        large = rt.StateStore(folder, unwritable="memory")
        assert not large.is_durable
    finally:
        os.seteuid(user)
        folder.chmod(0o755)


def test_a_write_that_fails_says_so_and_loses_nothing(engine, tmp_path):
    store = rt.StateStore(tmp_path / "states")
    store.follow(engine, "u", [0, 1])
    (tmp_path / "states").rmdir()
    with pytest.raises(StateError, match="were not written"):
        store.flush()
    (tmp_path / "states").mkdir()
    store.flush()
    assert len(list((tmp_path / "states").iterdir())) == 1


def test_bad_settings_are_refused():
    with pytest.raises(InputError, match="at least 1"):
        rt.StateStore(memory_bytes=0)
    with pytest.raises(InputError, match="at least 1"):
        rt.StateStore(disk_bytes=0)
    with pytest.raises(InputError, match="unwritable"):
        rt.StateStore(unwritable="ignore")


def test_an_empty_history_has_no_state(engine):
    with pytest.raises(InputError, match="empty history"):
        rt.StateStore().follow(engine, "u", [])


def test_threads_that_share_a_store(engine, tmp_path):
    one = rt.StateStore()
    one.follow(engine, "u", HISTORY[:6])
    store = rt.StateStore(tmp_path, memory_bytes=3 * one.stats.memory_bytes)
    expected = {n: engine.reader.read(HISTORY[:n])[1] for n in range(1, len(HISTORY) + 1)}
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for user, length in zip(
            rng.integers(6, size=20), rng.integers(1, 16, size=20), strict=True
        ):
            vector = store.follow(engine, f"user {user}", HISTORY[:length])[1]
            if not np.allclose(vector, expected[int(length)], atol=1e-5):
                wrong.append((user, length))
            if length == 7:
                store.forget(f"user {user}")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert store.stats.memory_bytes <= 3 * one.stats.memory_bytes
    assert store.stats.evicted > 0
    assert store.stats.failed_writes == 0
