"""After an erase no file holds the user or their items."""

import random
import sqlite3
import threading
from pathlib import Path

import pytest

from pocketrec.errors import EventStoreBusyError
from pocketrec.events import Event, EventStore, EventStoreSettings
from pocketrec_runtime import Engine, StateStore


def files_with(folder: Path, text: str) -> list[str]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert found
    return sorted(path.name for path in found if text.encode() in path.read_bytes())


def name(user: int) -> str:
    return f"user-{user}-name" + "z" * (300 * (user % 3 == 1))


def fill(store: EventStore, users: int = 12, each: int = 60) -> None:
    """Events of users in turn, short and long, some deleted: pages split and merge, rows move."""
    chance = random.Random(3)
    query = "DELETE FROM events WHERE sequence = ?"
    for number in range(each):
        order = chance.sample(range(users), users)
        made = [
            Event(name(user), f"item-of-{user}-{'x' * chance.choice([0, 10, 900])}", "click", 5.0)
            for user in order
        ]
        kept = store.record_many(made)
        if number % 2:
            gone = [(event.sequence - chance.randrange(users),) for event in kept[::2]]
            store._database.write(lambda c, gone=gone: c.executemany(query, gone).close())


def test_no_byte_of_an_erased_user_stays(tmp_path) -> None:
    with EventStore(tmp_path) as store:
        fill(store)
        assert "events.sqlite-wal" in files_with(tmp_path, "user-7-name")
        counts = store.users()
        for user in range(4, 10):
            assert store.erase(name(user)) == counts.pop(name(user)) > 30
            for text in (f"user-{user}-name", f"item-of-{user}-"):
                assert files_with(tmp_path, text) == []
            assert store.events(name(user)) == []
            assert store.users() == counts
        assert files_with(tmp_path, "user-3-name") == ["events.sqlite"]
        assert store.erase("nobody") == 0


def test_others_may_use_the_store_while_a_user_is_erased(tmp_path) -> None:
    with EventStore(tmp_path) as store, EventStore(tmp_path) as other:
        fill(store, users=4)
        other.record("user-9", "50", "click")
        count = store.users()[name(2)]
        assert store.erase(name(2)) == count > 30
        assert files_with(tmp_path, name(2)) == []
        other.record("user-9", "181", "click")
        assert [event.item for event in store.events("user-9")] == ["50", "181"]


def test_a_log_that_cannot_be_emptied_is_told_and_emptied_by_the_next_call(tmp_path) -> None:
    with EventStore(tmp_path, settings=EventStoreSettings(busy_timeout_ms=20)) as store:
        fill(store, users=3, each=5)
        reader = sqlite3.connect(tmp_path / "events.sqlite", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        with pytest.raises(EventStoreBusyError, match="call erase again"):
            store.erase(name(1))
        assert store.events(name(1)) == []
        assert files_with(tmp_path, name(1))
        reader.close()
        assert store.erase(name(1)) == 0
        assert files_with(tmp_path, name(1)) == []


def test_states_of_the_user_go_too(tmp_path, tiny_bundle) -> None:
    engine = Engine.open(tiny_bundle)
    with EventStore(tmp_path) as store:
        for user in ("Ada", "Bob"):
            store.record(user, "50", "click")
        with StateStore(store.states_folder) as states:
            for user in ("Ada", "Bob"):
                states.follow(engine, user, [0])
        assert len(list(store.states_folder.glob("*.state"))) == 2
        # What a process that is killed while it writes a state leaves behind.
        for path in list(store.states_folder.glob("*.state")):
            path.with_name(f".{path.name}.tmp-0a1b2c3d").write_bytes(path.read_bytes())
        store.erase("Ada")
        assert len(list(store.states_folder.iterdir())) == 2
        assert len(list(store.states_folder.glob("*.state"))) == 1
        left = StateStore(store.states_folder)
        left.follow(engine, "Bob", [0])
        assert left.stats.from_disk == 1


def test_erasing_and_recording_go_on_together(tmp_path) -> None:
    with EventStore(tmp_path) as store:
        fill(store, users=5, each=10)

        def record() -> None:
            for number in range(40):
                store.record_many([Event("Ada", str(number), "click", 1.0)])

        thread = threading.Thread(target=record)
        thread.start()
        erased = [store.erase(name(user)) for user in range(5)]
        thread.join()
        assert min(erased) > 1
        assert store.users() == {"Ada": 40}
