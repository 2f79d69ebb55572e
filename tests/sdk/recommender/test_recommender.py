"""What an app gets for what its users did.

Items are 50 (1,0,0,0), 181 (1,1,0,0), "x,y" (0,1,0,0) + .25, 漢字 (0,0,1,0), عنصر (0,0,1,1) + .5;
the user vector is the vector of the last item.
"""

import threading

import pytest

from pocketrec import Cap, Deny, EventKinds, ExposureLimit, InputError, Rules
from pocketrec.recommender import UserHistory


def ids(answer) -> list[str]:
    return [item.item_id for item in answer.items]


def test_the_next_answer_knows_each_event(recommender) -> None:
    user = recommender.user("Ada")
    nothing = user.recommend(2)
    assert (ids(nothing), nothing.source) == (["50", "181"], "popularity")
    assert nothing.reason == "the history is empty"
    user.record("漢字")
    user.record("50")
    answer = user.recommend(3)
    assert ids(answer) == ["181", "عنصر", "x,y"]
    assert [item.score for item in answer.items] == [1.0, 0.5, 0.25]
    assert (answer.source, answer.reason) == ("device", "ranked by the user tower on this device")
    assert answer.items[0].title == "Return of the Jedi"
    user.record("181", "purchase")
    assert ids(user.recommend(1)) == ["x,y"]
    assert recommender.user("Bob").recommend(1).source == "popularity"


def test_history_outlives_the_process_and_the_state_is_taken_up(opened) -> None:
    first = opened()
    first.user("Ada").record("漢字")
    first.user("Ada").record("50")
    before = first.user("Ada").recommend(3)
    first.close()
    again = opened()
    computed, reused = again.engine.computed_positions, again.engine.reused_positions
    assert again.user("Ada").recommend(3) == before
    assert again.engine.computed_positions == computed  # the state came from the disk
    again.user("Ada").record("181")
    again.user("Ada").recommend(3)
    assert again.engine.computed_positions == computed + 1
    assert again.engine.reused_positions == reused + 2


def test_an_item_that_is_disliked_is_not_wanted_until_it_is_taken_again(recommender) -> None:
    user = recommender.user("Ada")
    for item, event in (("50", "click"), ("181", "click"), ("181", "dislike")):
        user.record(item, event)
    assert user.history == UserHistory(("50",), frozenset({"181"}))
    # 181 would be the best after 50.
    assert ids(user.recommend(5)) == ["عنصر", "x,y", "漢字"]
    assert ids(user.recommend(5, include_seen=True)) == ["50", "عنصر", "x,y", "漢字"]
    user.record("181", "purchase")
    assert user.history == UserHistory(("50", "181"))


def test_an_item_that_is_removed_may_come_again(recommender) -> None:
    user = recommender.user("Ada")
    for item, event in (("50", "click"), ("漢字", "click"), ("50", "click"), ("漢字", "remove")):
        user.record(item, event)
    assert user.history == UserHistory(("50", "50"))
    assert ids(user.recommend(5)) == ["181", "عنصر", "x,y", "漢字"]
    user.record("50", "remove")
    assert user.recommend(1).source == "popularity"


def test_what_was_only_shown_is_no_history_but_counts_as_shown(recommender) -> None:
    user = recommender.user("Ada")
    user.record("50")
    now_s = user.record("181", "impression").time_s
    user.record("181", "skip", time_s=now_s + 1)
    assert user.history == UserHistory(("50",), shown={"181": (now_s, now_s + 1)})
    limit = Rules(exposure=ExposureLimit(times=2, period_s=3600))
    assert ids(user.recommend(2)) == ["181", "عنصر"]
    assert ids(user.recommend(2, rules=limit)) == ["عنصر", "x,y"]
    once_more = Rules(exposure=ExposureLimit(times=3, period_s=3600))
    assert ids(user.recommend(2, rules=once_more)) == ["181", "عنصر"]


def test_the_words_of_events_are_the_app_s(opened) -> None:
    kinds = EventKinds(dislikes=frozenset({"hide"}), removals=frozenset({"unlike"}))
    user = opened(kinds=kinds).user("Ada")
    user.record("50", "dislike")  # no word of this app: the user took the item
    user.record("181", "hide")
    assert user.history == UserHistory(("50",), frozenset({"181"}))


@pytest.mark.parametrize(
    "words", [{"dislikes": frozenset({"skip"})}, {"removals": frozenset({"a\0"})}]
)
def test_words_with_two_meanings_are_refused(words) -> None:
    with pytest.raises(InputError, match="event"):
        EventKinds(**words)


def test_filters_and_rules(recommender) -> None:
    user = recommender.user("Ada")
    user.record("50")
    assert ids(user.recommend(5, filters={"genre": ["Comedy", "Drama"]})) == ["x,y", "漢字"]
    assert ids(user.recommend(5, rules=Rules(deny=Deny(ids=["181"])))) == ["عنصر", "x,y", "漢字"]
    capped = user.recommend(5, rules=Rules(caps=[Cap("genre", most=1)]), include_seen=True)
    assert ids(capped)[:2] == ["50", "عنصر"]
    assert "181" not in ids(capped)


def test_scores_are_on_the_scale_of_recommend_for_long_histories_too(recommender) -> None:
    user = recommender.user("Ada")
    assert [item.score for item in user.score(["x,y"]).items] == pytest.approx([0.1])
    assert user.score(["x,y"]).source == "popularity"
    for item in ("漢字", "50", "50", "181", "ghost", "漢字", "50", "漢字", "50"):
        user.record(item)
    answer = user.recommend(5, include_seen=True)
    scored = user.score(["x,y", "ghost", "181", "50"])
    assert [(i.item_id, i.score) for i in scored.items] == [
        ("x,y", 0.25),
        ("181", 1.0),
        ("50", 1.0),
    ]
    assert {i.item_id: i for i in scored.items}.items() <= {
        i.item_id: i for i in answer.items
    }.items()
    assert (scored.unknown_candidates, scored.unknown) == (("ghost",), ("ghost",))
    assert (scored.source, scored.model) == ("device", answer.model)


def test_an_explanation_names_the_items_that_drove_it(recommender) -> None:
    user = recommender.user("Ada")
    for item, event in (("漢字", "click"), ("x,y", "dislike"), ("50", "click")):
        user.record(item, event)
    told = user.explain("181", top=1)
    # 1.0 with 50 as last item; without it the last one is 漢字, and 181 scores 0.
    assert [(e.position, e.item_id, e.score_drop) for e in told.because] == [(1, "50", 1.0)]
    assert (told.score, told.rank, told.source) == (1.0, 1, "device")
    with pytest.raises(InputError, match="ghost"):
        user.explain("ghost")


def test_unknown_items_are_kept_and_named(recommender) -> None:
    user = recommender.user("Ada")
    user.record("ghost")
    answer = user.recommend(1)
    assert (answer.source, answer.unknown) == ("popularity", ("ghost",))
    assert user.history.items == ("ghost",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k"),
        ({"deadline_ms": float("nan")}, "deadline_ms is nan"),
        ({"deadline_ms": -1}, "deadline_ms is -1"),
        ({"filters": {"colour": ["red"]}}, "no column 'colour'"),
    ],
)
def test_bad_arguments_are_named(recommender, arguments, message) -> None:
    with pytest.raises(InputError, match=message):
        recommender.user("Ada").recommend(**arguments)


def test_a_user_s_name_is_checked_at_once(recommender) -> None:
    with pytest.raises(InputError, match="surrogate"):
        recommender.user("a\ud800")


def test_threads_share_a_recommender(recommender) -> None:
    answers: dict[int, list[str]] = {}

    def work(number: int) -> None:
        user = recommender.user(f"user-{number}")
        for _ in range(10):
            user.record("漢字")
            user.record("50")
            answers[number] = ids(user.recommend(2))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: ["181", "عنصر"] for number in range(6)}
    assert recommender.store.users() == {f"user-{number}": 20 for number in range(6)}
