"""Item vectors by text: encoded once, kept by model, never wrong, bounded, rebuilt."""

import dataclasses
import os
import sqlite3

import numpy as np
import pytest

import pocketrec_runtime as rt
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.errors import InputError, StateError

TEXTS = ["a fox", "dogs jump", "alpha", "a fox", ""]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "texts.sqlite"


def test_a_text_is_encoded_once(engine, path):
    cache = rt.TextVectorCache(path)
    expected = engine.encode_items(TEXTS)
    for _ in range(2):
        np.testing.assert_allclose(cache.encode(engine, TEXTS), expected, atol=1e-6)
    assert (cache.encoded, len(cache)) == (4, 4)
    np.testing.assert_allclose(cache.encode(engine, ["alpha", "new"])[0], expected[2], atol=1e-6)
    assert cache.encoded == 5
    assert cache.encode(engine, []).shape == (0, 8)


def test_vectors_outlive_the_process(engine, path):
    first = rt.TextVectorCache(path)
    expected = first.encode(engine, TEXTS)
    first.close()
    again = rt.TextVectorCache(path)
    np.testing.assert_array_equal(again.encode(engine, TEXTS), expected)
    assert again.encoded == 0
    assert again.is_durable


def test_models_are_told_apart(engine, contents, item_table, tiny, path):
    cache = rt.TextVectorCache(path)
    cache.encode(engine, TEXTS)
    changed = dataclasses.replace(contents, item_tower=tiny.item_tower(item_table * 2))
    other = rt.Engine(assemble(changed))
    expected = other.encode_items(TEXTS)
    np.testing.assert_allclose(cache.encode(other, TEXTS), expected, atol=1e-6)
    assert cache.encoded == 8
    assert not np.allclose(expected, engine.encode_items(TEXTS))


def test_what_was_not_asked_for_longest_leaves(engine):
    cache = rt.TextVectorCache(max_vectors=3)
    for text in ("a", "b", "c", "a", "d"):
        cache.encode(engine, [text])
    assert (len(cache), cache.encoded) == (3, 4)
    cache.encode(engine, ["a", "c", "d"])
    assert cache.encoded == 4
    cache.encode(engine, ["b"])
    assert cache.encoded == 5
    assert rt.TextVectorCache(max_vectors=1).encode(engine, TEXTS).shape == (5, 8)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE vectors SET vector = zeroblob(32)",
        "UPDATE vectors SET vector = x'00'",
        "UPDATE vectors SET proof = zeroblob(16)",
        "UPDATE vectors SET text = zeroblob(32) WHERE used = 1",
    ],
)
def test_an_altered_row_is_encoded_again(engine, path, change):
    cache = rt.TextVectorCache(path)
    cache.encode(engine, ["a fox"])
    cache.close()
    with sqlite3.connect(path) as database:
        database.execute(change)
    database.close()
    cache = rt.TextVectorCache(path)
    np.testing.assert_allclose(
        cache.encode(engine, ["a fox"]), engine.encode_items(["a fox"]), atol=1e-6
    )
    assert cache.encoded == 1


def test_a_damaged_file_never_gives_a_wrong_vector(engine, path):
    cache = rt.TextVectorCache(path)
    expected = cache.encode(engine, TEXTS)
    cache.close()
    data = path.read_bytes()
    rng = np.random.default_rng(1)
    damaged = [b"", data[:50], data[:5000], b"no database " * 500]
    for at in rng.integers(len(data), size=12).tolist():
        damaged.append(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
    for each in damaged:
        path.write_bytes(each)
        cache = rt.TextVectorCache(path)
        np.testing.assert_allclose(cache.encode(engine, TEXTS), expected, atol=1e-6)
        np.testing.assert_allclose(cache.encode(engine, TEXTS), expected, atol=1e-6)
        cache.close()


def test_a_file_that_cannot_be_written(engine, tmp_path):
    (tmp_path / "file").write_text("a file, no folder")
    blocked = tmp_path / "file" / "texts.sqlite"
    with pytest.raises(StateError, match="choose another file"):
        rt.TextVectorCache(blocked)
    cache = rt.TextVectorCache(blocked, unwritable="memory")
    assert not cache.is_durable
    assert cache.encode(engine, TEXTS).shape == (5, 8)
    assert cache.encoded == 4


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_no_permission_to_write(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for path in (folder, *list(folder.parents)[:3]):
        path.chmod(0o755)
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:  # to whom nothing is forbidden
        os.seteuid(65534)
    try:
        with pytest.raises(StateError, match="cannot be written"):
            rt.TextVectorCache(folder / "texts.sqlite")
    finally:
        os.seteuid(user)
        folder.chmod(0o755)


def test_bad_arguments_are_refused(engine):
    cache = rt.TextVectorCache()
    for texts in ("one string", [5], ["\ud800"]):
        with pytest.raises(InputError):
            cache.encode(engine, texts)
    with pytest.raises(InputError, match="max_vectors"):
        rt.TextVectorCache(max_vectors=0)
    with pytest.raises(InputError, match="unwritable"):
        rt.TextVectorCache(unwritable="ignore")


def test_new_items_of_a_delta_come_from_the_cache(engine):
    cache = rt.TextVectorCache()
    items = [rt.NewItem("x", text="a fox"), rt.NewItem("y", text="dogs")]
    first = rt.make_delta(engine, items, texts=cache)
    second = rt.make_delta(engine, items, texts=cache)
    assert cache.encoded == 2
    np.testing.assert_array_equal(first.vectors, second.vectors)
    expected = engine.encode_items(["a fox", "dogs"])
    np.testing.assert_allclose(first.vectors, expected, atol=1e-6)
