"""What is kept of users: bounded, written before it leaves memory, and gone once forgotten."""

import threading
import time
from pathlib import Path

import pytest

from pocketrec_runtime.errors import StateError
from pocketrec_runtime.store.cache import UserCache
from pocketrec_runtime.store.folder import BoundedFolder


def cache_in(folder: Path | None, limit: int = 10) -> UserCache[str]:
    files = None if folder is None else BoundedFolder(folder, ".kept", 1_000)
    return UserCache(files, lambda _, value: value.encode(), len, limit, "words")


def test_the_least_recently_used_is_written_and_leaves(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    for user, value in (("a", "1111"), ("b", "2222")):
        cache.put(user, value, cache.epoch)
    assert cache.get("a") == "1111"
    cache.put("c", "3333", cache.epoch)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == ("1111", None, "3333")
    assert (cache.read("b"), cache.read("a")) == (b"2222", None)
    assert (cache.held, cache.evicted, len(cache)) == (8, 1, 2)


def test_what_was_being_made_while_its_user_was_forgotten_does_not_come_back(
    tmp_path: Path,
) -> None:
    cache = cache_in(tmp_path)
    cache.put("a", "old", cache.epoch)
    cache.flush()
    before = cache.epoch
    cache.forget("a")
    cache.put("a", "new", before)
    cache.flush()
    assert cache.get("a") is None
    assert cache.read("a") is None
    assert cache.held == 0


def test_a_renewed_value_is_not_replaced_by_what_was_being_made(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    before = cache.epoch
    cache.renew("a", "fresh")
    cache.put("a", "stale", before)
    assert cache.get("a") == "fresh"
    assert cache.read("a") == b"fresh"


def test_a_value_that_came_while_an_older_one_was_written_stays(tmp_path: Path) -> None:
    """The older one was chosen to leave; its user has been active since."""
    other = threading.Thread(target=lambda: cache.put("a", "new.", cache.epoch))

    def encode(_: str, value: str) -> bytes:
        if value == "old.":
            other.start()
            while cache.get("a") != "new.":
                time.sleep(0.001)
        return value.encode()

    files = BoundedFolder(tmp_path, ".kept", 1_000)
    cache: UserCache[str] = UserCache(files, encode, len, 6, "words")
    cache.put("a", "old.", cache.epoch)
    cache.put("b", "bbb", cache.epoch)  # one of the two has to leave
    other.join()
    assert cache.get("a") == "new."
    assert (cache.read("b"), cache.held) == (b"bbb", 4)


def test_a_value_that_was_put_again_unchanged_is_still_to_be_written(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    value = "same"
    cache.put("a", value, cache.epoch)
    cache.put("a", value, cache.epoch, dirty=False)
    cache.flush()
    assert cache.read("a") == b"same"


def test_messages_say_what_was_not_removed(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    cache.put("a", "word", cache.epoch)
    cache.flush()
    (file,) = tmp_path.glob("*.kept")
    file.unlink()
    file.mkdir()
    with pytest.raises(StateError, match="words were not removed"):
        cache.forget("a")
    assert cache.get("a") is None, "memory forgets all the same"
