"""Damaged files are moved aside, named, and replaced by what can be read of them."""

import logging
from pathlib import Path

import pytest

from pocketrec.events import EventStore
from pocketrec.events.quarantine import move_aside

PAGE = 4096
ALL = [str(number) for number in range(400)]


@pytest.fixture
def damaged_at(tmp_path):
    """A store of 400 events, closed, some bytes of whose file are then overwritten."""

    def make(start: int, data: bytes) -> Path:
        with EventStore(tmp_path) as store:
            for number in ALL:
                store.record("Ada", number, "click" + "!" * 50, 5.0)
            store.put_items({"50": "a", "漢字": "b"})
        file = tmp_path / "events.sqlite"
        content = bytearray(file.read_bytes())
        assert len(content) > 12 * PAGE
        content[start : start + len(data)] = data
        file.write_bytes(content)
        return tmp_path

    return make


def quarantined(folder: Path) -> list[Path]:
    """The files that were moved aside; a log may stand beside each."""
    return sorted(folder.glob("events.sqlite.damaged-????????"))


@pytest.mark.parametrize("garbage", [b"\xa5" * PAGE, b"<html>not found</html>".ljust(100)])
def test_a_file_without_its_head_is_replaced(damaged_at, caplog, garbage) -> None:
    folder = damaged_at(0, garbage)
    with caplog.at_level(logging.WARNING, "pocketrec.events"), EventStore(folder) as store:
        (aside,) = quarantined(folder)
        assert aside.name in caplog.text
        assert len(store) == 0
        store.record("Ada", "50", "click")
        assert len(store) == 1
    assert aside.read_bytes()[: len(garbage)] == garbage


def test_what_can_be_read_around_a_damaged_page_is_kept(damaged_at, caplog) -> None:
    folder = damaged_at(7 * PAGE, b"\xa5" * PAGE)
    with EventStore(folder) as store:
        items = [event.item for event in store.events()]
        places = [event.sequence for event in store.events()]
        assert store.items() == {"50": "a", "漢字": "b"}
        assert len(quarantined(folder)) == 1
        # The first and the last are there, some in between are not, each stands at its old place.
        assert (items[0], items[-1]) == (ALL[0], ALL[-1])
        assert 200 < len(items) < 400
        assert [ALL[place - 1] for place in places] == items
        assert f"{len(items)} events that could be read" in caplog.text
        assert store.record("Ada", "new", "click").sequence == 401


def test_damage_is_found_while_the_store_is_open(tmp_path) -> None:
    with EventStore(tmp_path) as one, EventStore(tmp_path) as two:
        for number in range(300):
            one.record("Ada", str(number), "click" + "!" * 50)
        one._database.outside(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())
        one._database.outside(lambda c: c.execute("PRAGMA cache_size = 0").close())
        file = tmp_path / "events.sqlite"
        content = bytearray(file.read_bytes())
        content[2 * PAGE :] = b"\xa5" * (len(content) - 2 * PAGE)
        file.write_bytes(content)
        kept = one.record("Ada", "after", "click")
        assert len(quarantined(tmp_path)) == 1
        # The other one holds the file that was moved; what it records must not go there.
        two.record("Ada", "from the other", "click")
        items = [event.item for event in one.events("Ada")]
        assert items[-2:] == ["after", "from the other"]
        assert kept in two.events("Ada")
        assert len(quarantined(tmp_path)) == 1


def test_a_file_that_another_process_moved_is_left(tmp_path) -> None:
    with EventStore(tmp_path) as one:
        one.record("Ada", "before", "click")
        aside = move_aside(tmp_path / "events.sqlite")
        with EventStore(tmp_path) as two:
            two.record("Ada", "in the new one", "click")
            one.record("Ada", "from the first", "click")
            items = [event.item for event in two.events("Ada")]
            assert items == ["in the new one", "from the first"]
    assert b"from the first" not in aside.read_bytes()


def test_a_damaged_file_takes_its_log_along(tmp_path) -> None:
    for part in ("", "-wal", "-shm"):
        (tmp_path / f"events.sqlite{part}").write_text(f"old{part}")
    aside = move_aside(tmp_path / "events.sqlite")
    assert {
        path.name.removeprefix(aside.name): path.read_text() for path in tmp_path.iterdir()
    } == {
        "": "old",
        "-wal": "old-wal",
        "-shm": "old-shm",
    }


def test_erasing_a_user_removes_damaged_files(damaged_at) -> None:
    folder = damaged_at(0, b"\xa5" * PAGE)
    with EventStore(folder) as store:
        assert quarantined(folder)
        store.erase("Ada")
        assert quarantined(folder) == []


def test_a_log_of_garbage_is_ignored(damaged_at) -> None:
    folder = damaged_at(0, b"SQLite format 3\0")
    (folder / "events.sqlite-wal").write_bytes(b"\xa5" * 9000)
    with EventStore(folder) as store:
        assert [event.item for event in store.events("Ada")] == ALL


def test_an_empty_file_is_a_new_store(tmp_path) -> None:
    (tmp_path / "events.sqlite").write_bytes(b"")
    with EventStore(tmp_path) as store:
        store.record("Ada", "50", "click")
        assert len(store) == 1
    assert quarantined(tmp_path) == []
