"""What events come to: one by one or at once, and by the last word on each item."""

from hypothesis import given
from hypothesis import strategies as st

from pocketrec.events import Event
from pocketrec.recommender.history import EventKinds, UserHistory, history_of

KINDS = EventKinds()
WORDS = ["click", "buy", "dislike", "remove", "impression", "skip"]
EVENTS = st.lists(
    st.builds(Event, st.just("Ada"), st.sampled_from("abc"), st.sampled_from(WORDS), st.just(1.0)),
    max_size=25,
)


@given(EVENTS, st.integers(0, 25))
def test_a_history_goes_on_from_any_place(events, place) -> None:
    before = history_of(events[:place], KINDS)
    assert history_of(events[place:], KINDS, before) == history_of(events, KINDS)


@given(EVENTS)
def test_the_last_word_on_an_item_counts(events) -> None:
    found = history_of(events, KINDS)
    last = {e.item: e.event for e in events if e.event not in ("impression", "skip")}
    assert set(found.items) == {item for item, word in last.items() if word in ("click", "buy")}
    assert found.disliked == {item for item, word in last.items() if word == "dislike"}
    for item in "abc":
        taken = [e for e in events if e.item == item and e.event not in ("impression", "skip")]
        since = 0  # times that it was taken since it was last put away
        for event in taken:
            since = since + 1 if event.event in ("click", "buy") else 0
        assert found.items.count(item) == since
        shown = [e for e in events if e.item == item and e.event in ("impression", "skip")]
        assert len(found.shown.get(item, ())) == len(shown)


def test_order_is_that_of_recording() -> None:
    made = [("b", "click"), ("a", "buy"), ("b", "click"), ("c", "skip"), ("a", "click")]
    events = [Event("Ada", item, word, 9.0 - at) for at, (item, word) in enumerate(made)]
    assert history_of(events, KINDS) == UserHistory(("b", "a", "b", "a"), shown={"c": (6.0,)})
