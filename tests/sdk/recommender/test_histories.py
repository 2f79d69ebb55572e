"""Histories in memory: read once, then only what is new, within bounds."""

import pytest

from pocketrec import Engine, EventKinds
from pocketrec.events import Event, EventStore
from pocketrec.recommender.histories import Histories


@pytest.fixture
def engine(tiny_bundle) -> Engine:
    return Engine.open(tiny_bundle)


@pytest.fixture
def store(tmp_path):
    """A store that notes how many events each reading gave."""
    with EventStore(tmp_path) as opened:
        opened.given = []
        events = opened.events

        def noted(user, *, after):
            found = events(user, after=after)
            opened.given.append(len(found))
            return found

        opened.events = noted
        yield opened


def fill(store: EventStore, user: str, *items: str) -> None:
    store.record_many([Event(user, item, "click", 1.0) for item in items])


def test_only_what_is_new_is_read(engine, store) -> None:
    histories = Histories(store, EventKinds())
    fill(store, "Ada", "50", "ghost", "181")
    fill(store, "Bob", "50")
    first = histories.read("Ada", engine, 0)
    assert (first.history.items, first.known) == (("50", "ghost", "181"), (0, 1))
    assert first.unknown == ("ghost",)
    assert histories.read("Ada", engine, 0) is first
    fill(store, "Ada", "漢字")
    store.record("Ada", "50", "remove")
    assert histories.read("Ada", engine, 0).history.items == ("ghost", "181", "漢字")
    assert store.given == [3, 0, 2]


def test_what_is_looked_up_is_what_one_reading_would_give(engine, store) -> None:
    """Step by step, with items that come, leave and are unknown."""
    stepwise = Histories(store, EventKinds())
    steps = [("50", "click"), ("ghost", "click"), ("181", "buy"), ("ghost", "click")]
    steps += [("181", "dislike"), ("other", "click"), ("50", "remove"), ("漢字", "click")]
    steps += [("ghost", "dislike"), ("181", "click"), ("x,y", "dislike")]
    for item, event in steps:
        store.record("Ada", item, event)
        found = stepwise.read("Ada", engine, 0)
        whole = Histories(store, EventKinds()).read("Ada", engine, 0)
        for name in ("history", "known", "unknown", "disliked", "last"):
            assert getattr(found, name) == getattr(whole, name), (item, event, name)
    assert (found.known, found.unknown, found.disliked) == ((3, 1), ("other",), {2})


def test_a_removal_or_another_catalogue_starts_anew(engine, store, shifted_bundle) -> None:
    histories = Histories(store, EventKinds())
    fill(store, "Ada", "50", "181")
    histories.read("Ada", engine, 0)
    histories.read("Ada", engine, 1)
    other = Engine.open(shifted_bundle)
    assert histories.read("Ada", other, 1).engine is other
    histories.clear()
    histories.read("Ada", other, 1)
    assert store.given == [2, 2, 0, 2]


def test_memory_is_bounded(engine, store) -> None:
    histories = Histories(store, EventKinds(), max_events=7)  # each user counts as one more
    for user in ("Ada", "Bob", "Cyd"):
        fill(store, user, "50", "181")
    store.record("Bob", "50", "impression")
    for user in ("Ada", "Bob", "Bob", "Cyd", "Cyd", "Bob", "Ada"):
        histories.read(user, engine, 0)
    assert store.given == [2, 3, 0, 2, 0, 0, 2]
