"""What leaves a store by itself, and what a wrong clock does not make it lose."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from pocketrec.errors import EventStoreFullError
from pocketrec.events import EventStore, EventStoreSettings
from pocketrec.events.clock import DAY_S, StoreClock
from pocketrec_runtime.errors import InputError

FIXTURES = Path(__file__).resolve().parent / "fixtures"
START_S = 1_700_000_000.0
TEN_YEARS_S = 3650 * DAY_S


class Wall:
    """A wall clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = START_S

    def __call__(self) -> float:
        return self.now_s

    def use(self, store: EventStore, days: float) -> None:
        """Half-day steps, an event of another user at each."""
        for _ in range(int(days * 2)):
            self.now_s += DAY_S / 2
            store.record("other", "x", "click")


def after(*walls_s: float) -> StoreClock:
    clock = StoreClock()
    for wall_s in walls_s:
        clock = clock.at(wall_s)
    return clock


def test_the_clock_counts_steps_as_they_come() -> None:
    assert after(START_S).age_s == 0
    assert after(START_S, START_S + 60, START_S + 3 * DAY_S).age_s == 3 * DAY_S


def test_a_jump_there_and_back_counts_nothing() -> None:
    there = after(START_S, START_S + TEN_YEARS_S, START_S + TEN_YEARS_S + 60)
    assert (there.age_s, there.pending_s) == (60, TEN_YEARS_S)
    back = there.at(START_S + 120)
    assert back.age_s == 60
    assert back.pending_s == 60  # what the two looks at the wrong clock leave, to the second
    assert after(START_S, START_S - TEN_YEARS_S, START_S).age_s == 0


def test_a_long_absence_counts_when_the_clock_went_on_for_a_day() -> None:
    clock = after(START_S, START_S + 20 * DAY_S)
    assert clock.age_s == 0
    clock = clock.at(START_S + 20.5 * DAY_S)
    assert clock.age_s == 0.5 * DAY_S
    assert clock.at(START_S + 21 * DAY_S).age_s == 21 * DAY_S


def test_a_clock_that_stays_wrong_counts_as_thirty_days() -> None:
    ahead_s = START_S + TEN_YEARS_S
    clock = after(START_S, ahead_s, ahead_s + DAY_S)
    assert (clock.age_s, clock.pending_s) == (31 * DAY_S, 0)


@pytest.fixture(params=[None, "a key"], ids=["plain", "encrypted"])
def key(request) -> str | None:
    return request.param


def test_events_live_as_long_as_they_may(tmp_path, key) -> None:
    wall = Wall()
    settings = EventStoreSettings(ttl_days=3)
    with EventStore(tmp_path, settings=settings, clock=wall, key=key) as store:
        store.record("Ada", "1", "click")
        wall.now_s += DAY_S
        # What the app says of the time does not matter: history that is imported is not old.
        store.record("Ada", "2", "click", time_s=5.0)
        wall.use(store, 2)
        assert [event.item for event in store.events("Ada")] == ["1", "2"]
        before = store.revision().removals
        wall.use(store, 0.5)
        assert [event.item for event in store.events("Ada")] == ["2"]
        assert store.revision().removals == before + 1
        wall.use(store, 1)
        assert store.events("Ada") == []
        assert "other" in store.users()


def test_what_is_too_old_is_gone_when_a_store_is_opened(tmp_path) -> None:
    wall = Wall()
    with EventStore(tmp_path, clock=wall) as store:
        store.record("Ada", "1", "click")
    wall.now_s += 5 * DAY_S
    with EventStore(tmp_path, settings=EventStoreSettings(ttl_days=4), clock=wall) as store:
        assert len(store) == 0


def test_a_program_that_only_reads_forgets_too(tmp_path, caplog) -> None:
    wall = Wall()
    settings = EventStoreSettings(ttl_days=1, busy_timeout_ms=1)
    with EventStore(tmp_path, settings=settings, clock=wall) as store:
        store.record("Ada", "1", "click")
        wall.now_s += 2 * DAY_S
        other = sqlite3.connect(tmp_path / "events.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        # What is in the way of forgetting is not in the way of an answer.
        before = store.revision().removals
        assert "expired events were not removed" in caplog.text
        other.close()
        assert store.revision().removals == before
        wall.now_s += 3600
        assert store.revision().removals == before + 1
        assert store.events("Ada") == []


@pytest.mark.parametrize("wrong_s", [TEN_YEARS_S, -TEN_YEARS_S])
def test_a_clock_ten_years_off_loses_nothing(tmp_path, wrong_s) -> None:
    wall = Wall()
    with EventStore(tmp_path, settings=EventStoreSettings(ttl_days=30), clock=wall) as store:
        store.record("Ada", "before", "click")
        wall.now_s += wrong_s
        store.record("Ada", "wrong", "click")
        wall.now_s += 7200
        store.record("Ada", "still wrong", "click")
    with EventStore(tmp_path, settings=EventStoreSettings(ttl_days=30), clock=wall) as store:
        wall.now_s -= wrong_s
        store.record("Ada", "right", "click")
        items = [event.item for event in store.events("Ada")]
    assert items == ["before", "wrong", "still wrong", "right"]


def test_the_oldest_events_go_when_the_file_is_too_large(tmp_path, key) -> None:
    settings = EventStoreSettings(max_bytes=256 * 1024)
    with EventStore(tmp_path, settings=settings, key=key) as store:
        for number in range(3000):
            store.record("Ada", f"{number:06}" + "x" * 100, "click")
        items = [int(event.item[:6]) for event in store.events("Ada")]
        assert items == list(range(3000 - len(items), 3000))
        assert 1000 < len(items) < 2000
        assert store.revision().removals > 0
    file = tmp_path / ("events.sqlite" if key is None else "events.sqlcipher")
    assert file.stat().st_size <= 256 * 1024 + 8 * 4096


def test_items_are_kept_and_counted(tmp_path) -> None:
    with EventStore(tmp_path) as store, EventStore(tmp_path) as other:
        store.put_items({"a": "1", "漢字": "2"})
        other.put_items({"a": "3"})
        assert store.items() == {"a": "3", "漢字": "2"}
        assert store.revision().items == 2
        with pytest.raises(InputError, match="takes 0 bytes"):
            store.put_items({"b": "1", "": "1"})
        assert store.revision().items == 2


def test_items_may_not_push_events_out(tmp_path) -> None:
    with EventStore(tmp_path, settings=EventStoreSettings(max_bytes=256 * 1024)) as store:
        with pytest.raises(EventStoreFullError, match="more than half of max_bytes 262144"):
            store.put_items({"a": "x" * 200_000})
        assert store.items() == {}


@pytest.mark.parametrize(
    ("name", "value"), [("ttl_days", 0), ("ttl_days", float("nan")), ("max_bytes", 1000)]
)
def test_settings_out_of_bounds_are_refused(name, value) -> None:
    with pytest.raises(InputError, match=name):
        EventStoreSettings(**{name: value})


def test_events_of_schema_1_age_from_the_migration_on(tmp_path) -> None:
    shutil.copy(FIXTURES / "schema_1.sqlite", tmp_path / "events.sqlite")
    wall = Wall()
    with EventStore(tmp_path, settings=EventStoreSettings(ttl_days=2), clock=wall) as store:
        assert len(store) == 3
        wall.use(store, 2.5)
        assert list(store.users()) == ["other"]
    connection = sqlite3.connect(tmp_path / "events.sqlite")
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()


def test_a_store_of_schema_2_goes_on(tmp_path) -> None:
    """Its clock had lived five days when the second event came; one of Bob was erased."""
    shutil.copy(FIXTURES / "schema_2.sqlite", tmp_path / "events.sqlite")
    wall = Wall()
    wall.now_s = START_S + 5 * DAY_S
    with EventStore(tmp_path, settings=EventStoreSettings(ttl_days=6), clock=wall) as store:
        assert [(e.sequence, e.user, e.item) for e in store.events()] == [
            (1, "Ada", "50"),
            (2, "漢字", "x,y"),
        ]
        assert store.items() == {"new": '{"model": "m"}'}
        assert (store.revision().removals, store.revision().items) == (1, 1)
        wall.now_s += 2 * DAY_S
        assert store.record("Ada", "181", "click").sequence == 4
        assert [event.sequence for event in store.events()] == [2, 4]
