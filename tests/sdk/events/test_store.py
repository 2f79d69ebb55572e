"""What the store keeps, in which order, and what it refuses."""

import math
import shutil
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from pocketrec.errors import EventStoreBusyError, EventStoreError, EventStoreVersionError
from pocketrec.events import Event, EventStore, EventStoreSettings
from pocketrec_runtime.errors import InputError

FIXTURES = Path(__file__).resolve().parent / "fixtures"


def said(events: list[Event]) -> list[tuple[str, str, str, float]]:
    return [(e.user, e.item, e.event, e.time_s) for e in events]


def test_events_come_back_in_the_order_of_recording(tmp_path) -> None:
    with EventStore(tmp_path) as store:
        store.record("Ada", "50", "click", 2000.0)
        store.record("漢字", "x,y", "dislike", 1500.0)
        # The clock went ten years back, the order did not.
        store.record("Ada", "عنصر", "purchase", 1000.5)
        store.record("Ada", "50", "click", 2000.0)
    with EventStore(tmp_path) as store:
        assert said(store.events("Ada")) == [
            ("Ada", "50", "click", 2000.0),
            ("Ada", "عنصر", "purchase", 1000.5),
            ("Ada", "50", "click", 2000.0),
        ]
        assert [event.sequence for event in store.events()] == [1, 2, 3, 4]
        assert store.users() == {"Ada": 3, "漢字": 1}
        assert len(store) == 4
        assert store.events("Bob") == []


def test_the_clock_is_the_one_given(tmp_path) -> None:
    with EventStore(tmp_path, clock=lambda: 1234.5) as store:
        assert store.record("Ada", "50", "click") == Event("Ada", "50", "click", 1234.5, 1)
        assert store.record("Ada", "50", "click", 7).time_s == 7.0


def test_many_events_are_kept_together_or_not_at_all(tmp_path) -> None:
    with EventStore(tmp_path) as store:
        kept = store.record_many([Event("a", "1", "x", 5.0), Event("b", "2", "y", 4.0)])
        assert [event.sequence for event in kept] == [1, 2]
        with pytest.raises(InputError):
            store.record_many([Event("a", "1", "x", 5.0), Event("a", "", "x", 5.0)])
        assert store.events() == kept


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("user", "a\ud800", "half of a surrogate pair"),
        ("item", "", "takes 0 bytes"),
        ("item", "é" * 513, "takes 1026 bytes"),
        ("item", 50, "a int; give a string"),
        ("event", "a\0b", "NUL"),
        ("time_s", 10**400, "seconds"),
        ("time_s", 2**63, "seconds"),
        ("time_s", 1.7e12, "not milliseconds"),
        ("time_s", math.nan, "seconds"),
        ("time_s", -1.0, "seconds"),
        ("time_s", "now", "give seconds"),
        ("time_s", True, "give seconds"),
    ],
)
def test_what_cannot_be_stored_is_named(tmp_path, field, value, message) -> None:
    given = {"user": "Ada", "item": "50", "event": "click", "time_s": 1.0, field: value}
    with EventStore(tmp_path) as store:
        with pytest.raises(InputError, match=field) as refusal:
            store.record(**given)
        assert message in str(refusal.value)
        assert len(store) == 0


@pytest.fixture
def _hurried_threads():
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hurried_threads")
def test_threads_share_a_store(tmp_path) -> None:
    with EventStore(tmp_path) as store:
        together = threading.Barrier(6)

        def work(name: str) -> None:
            together.wait()
            for number in range(30):
                store.record_many([Event(name, str(number), "click", 1.0)])
                store.users()

        threads = [threading.Thread(target=work, args=(f"thread-{n}",)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for n in range(6):
            items = [event.item for event in store.events(f"thread-{n}")]
            assert items == [str(number) for number in range(30)]


def test_the_store_is_private(tmp_path) -> None:
    with EventStore(tmp_path / "store") as store:
        store.record("Ada", "50", "click")
        modes = {f.name: f.stat().st_mode & 0o777 for f in (tmp_path / "store").iterdir()}
    assert {"events.sqlite", "events.sqlite-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_a_closed_store_says_so(tmp_path) -> None:
    store = EventStore(tmp_path)
    store.close()
    store.close()
    with pytest.raises(EventStoreError, match="was closed"):
        store.record("Ada", "50", "click")


def test_another_process_in_the_way_is_told(tmp_path) -> None:
    settings = EventStoreSettings(busy_timeout_ms=10)
    with EventStore(tmp_path, settings=settings) as store:
        other = sqlite3.connect(tmp_path / "events.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(EventStoreBusyError, match="busy_timeout_ms"):
            store.record("Ada", "50", "click")
        other.execute("ROLLBACK")
        other.close()
        store.record("Ada", "50", "click")
        assert len(store) == 1


def test_a_power_safe_store_waits_for_the_disk(tmp_path) -> None:
    for power_safe, level in ((False, 1), (True, 2)):
        with EventStore(tmp_path, settings=EventStoreSettings(power_safe=power_safe)) as store:
            read = store._database.read(lambda c: c.execute("PRAGMA synchronous").fetchone())
            assert read == (level,)


@pytest.mark.parametrize("value", [-1, 600_001])
def test_settings_out_of_bounds_are_refused(value) -> None:
    with pytest.raises(InputError, match=str(value)):
        EventStoreSettings(busy_timeout_ms=value)


def test_schema_1_is_brought_up_to_date(tmp_path) -> None:
    shutil.copy(FIXTURES / "schema_1.sqlite", tmp_path / "events.sqlite")
    for _ in range(2):
        with EventStore(tmp_path) as store:
            assert said(store.events()) == [
                ("Ada", "50", "click", 1000.5),
                ("漢字", "x,y", "dislike", 999.0),
                ("Ada", "عنصر", "purchase", 2000.0),
            ]
    with EventStore(tmp_path) as store:
        # Places are never given twice: 4 was an event that was erased.
        assert store.record("Ada", "50", "click").sequence == 5


def test_a_newer_store_is_left_alone(tmp_path) -> None:
    with EventStore(tmp_path) as store:
        store.record("Ada", "50", "click")
    connection = sqlite3.connect(tmp_path / "events.sqlite")
    connection.execute("PRAGMA user_version = 1000")
    connection.close()
    with pytest.raises(EventStoreVersionError, match="schema 1000"):
        EventStore(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["events.sqlite", "opening.lock"]


def test_a_database_of_something_else_is_left_alone(tmp_path) -> None:
    connection = sqlite3.connect(tmp_path / "events.sqlite")
    connection.execute("CREATE TABLE events (mine TEXT)")
    connection.commit()
    connection.close()
    with pytest.raises(EventStoreError, match="of something else"):
        EventStore(tmp_path)
    connection = sqlite3.connect(tmp_path / "events.sqlite")
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
    connection.close()
