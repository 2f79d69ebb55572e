"""The two splits: hand-made examples, and properties that always hold."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketrec_distill.data import (
    DataSettings,
    Interactions,
    Queries,
    Split,
    clean,
    global_temporal,
    leave_one_out,
    split_by,
)
from pocketrec_distill.data.split import all_of, shared_times
from pocketrec_distill.errors import DataError


def interactions_of(rows: list[tuple[str, str, float]]) -> Interactions:
    users, items, times = (list(column) for column in zip(*rows, strict=True))
    table = pa.table({"user": users, "item": items, "time": pa.array(times, pa.float64())})
    return clean(table, DataSettings())[0]


def told(data: Interactions, queries: Queries) -> dict[str, tuple[str, str]]:
    """User -> (history, target), spelt in item ids of one letter."""
    return {
        data.user_ids[user]: ("".join(data.item_ids[i] for i in history), data.item_ids[target])
        for user, history, target in zip(
            queries.users, queries.histories, queries.targets, strict=True
        )
    }


def following(data: Interactions, queries: Queries) -> dict[str, str]:
    """User -> all new items of the time asked about."""
    return {
        data.user_ids[user]: "".join(data.item_ids[item] for item in items)
        for user, items in zip(queries.users, queries.following, strict=True)
    }


def train_of(data: Interactions, split: Split) -> list[str]:
    return ["".join(data.item_ids[code] for code in history) for history in split.train]


def sequence(user: str, items: str, start: float = 1) -> list[tuple[str, str, float]]:
    return [(user, item, start + n) for n, item in enumerate(items)]


def test_leave_one_out_by_hand() -> None:
    # x has too few events; y's last event repeats its first item; z's second last does.
    data = interactions_of(sequence("x", "abc") + sequence("y", "abcda") + sequence("z", "bcbd"))
    split = leave_one_out(data)
    assert train_of(data, split) == ["abc", "abc", "bc"]
    assert [data.user_ids[user] for user in split.train_users] == ["x", "y", "z"]
    assert told(data, split.validation) == {"y": ("abc", "d")}
    assert told(data, split.test) == {"z": ("bcb", "d")}
    assert (split.validation.repeats, split.test.repeats) == (1, 1)
    assert (len(split.validation), len(split.test)) == (1, 1)


def test_leave_one_out_takes_time_not_the_table() -> None:
    rows = [("x", "d", 9.0), ("x", "a", 1.0), ("y", "b", 4.0), ("x", "c", 3.0), ("x", "b", 2.0)]
    data = interactions_of(rows)
    split = leave_one_out(data)
    assert told(data, split.validation) == {"x": ("ab", "c")}
    assert told(data, split.test) == {"x": ("abc", "d")}
    assert train_of(data, split) == ["ab", "b"]


def baskets(user: str, *items: str) -> list[tuple[str, str, float]]:
    """One basket of items a day."""
    return [(user, item, float(day)) for day, basket in enumerate(items, 1) for item in basket]


def test_leave_one_out_of_baskets_by_hand() -> None:
    # z's last basket holds a known item first; y has events enough, but three baskets only.
    rows = baskets("x", "ab", "c", "de", "fg") + baskets("y", "abc", "de", "fg")
    data = interactions_of(rows + baskets("z", "a", "b", "cd", "ag"))
    split = leave_one_out(data, baskets=True)
    assert train_of(data, split) == ["abc", "abcdefg", "ab"]
    assert told(data, split.validation) == {"x": ("abc", "d"), "z": ("ab", "c")}
    assert told(data, split.test) == {"x": ("abcde", "f"), "z": ("abcd", "g")}
    assert following(data, split.validation) == {"x": "de", "z": "cd"}
    assert following(data, split.test) == {"x": "fg", "z": "g"}, "z knows a"
    assert (split.validation.repeats, split.test.repeats) == (0, 0)


def test_a_basket_of_known_items_is_a_repeat() -> None:
    data = interactions_of(baskets("x", "ab", "c", "d", "ba"))
    split = leave_one_out(data, baskets=True)
    assert (len(split.validation), len(split.test), split.test.repeats) == (1, 0, 1)


def test_baskets_of_one_are_events() -> None:
    data = interactions_of(sequence("x", "abc") + sequence("y", "abcde") + sequence("z", "bcad"))
    one, other = leave_one_out(data), leave_one_out(data, baskets=True)
    for part in ("validation", "test"):
        assert told(data, getattr(one, part)) == told(data, getattr(other, part))
    assert train_of(data, one) == train_of(data, other)


@given(
    st.lists(
        st.tuples(st.sampled_from("uvw"), st.sampled_from("abcdefgh"), st.integers(1, 6)),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from(["leave-one-out", "temporal"]),
)
@settings(max_examples=200, deadline=None)
def test_no_basket_is_ever_parted(rows: list[tuple[str, str, int]], name: str) -> None:
    """No event at or after the time of a query's own basket stands in its history."""
    data = interactions_of([(user, item, float(time)) for user, item, time in rows])
    try:
        split = split_by(name, data, baskets=True)
    except DataError:
        return
    offsets, _ = data.histories()
    for queries in (split.validation, split.test):
        for user, history, target in zip(
            queries.users, queries.histories, queries.targets, strict=True
        ):
            mine = slice(offsets[user], offsets[user + 1])
            times, items = data.times[mine], data.items[mine]
            assert items[: len(history)].tolist() == history.tolist()
            assert times[len(history) - 1] < times[len(history)]
            assert target in items[len(history) :]


def test_an_unknown_split() -> None:
    with pytest.raises(DataError, match=r"no split is called 'random'"):
        split_by("random", interactions_of(sequence("x", "abcd")))


def test_share_of_events_at_one_time() -> None:
    data = interactions_of(baskets("x", "abc", "d") + baskets("y", "a", "bc", "d", "ef"))
    assert shared_times(data) == 7 / 10
    assert shared_times(interactions_of(sequence("x", "ab") + sequence("y", "ab"))) == 0


def test_fewer_events_may_be_asked_for() -> None:
    data = interactions_of(sequence("x", "abc") + sequence("y", "ab"))
    split = leave_one_out(data, min_events=3)
    assert told(data, split.validation) == {"x": ("a", "b")}
    assert told(data, split.test) == {"x": ("ab", "c")}
    assert train_of(data, split) == ["a", "ab"]
    with pytest.raises(DataError, match="min_events is 2; leave-one-out needs at least 3"):
        leave_one_out(data, min_events=2)


def test_equal_times_stay_in_the_order_of_the_table() -> None:
    data = interactions_of([("x", item, 5.0) for item in "dbca"])
    assert told(data, leave_one_out(data).test) == {"x": ("dbc", "a")}


def test_dtypes() -> None:
    data = interactions_of(sequence("x", "abcd"))
    queries = leave_one_out(data).test
    assert (queries.users.dtype, queries.targets.dtype) == (np.int64, np.int64)
    assert queries.histories[0].dtype == np.int32
    none = leave_one_out(interactions_of(sequence("x", "abc"))).test
    assert (none.users.dtype, none.targets.dtype, len(none)) == (np.int64, np.int64, 0)


def test_global_temporal_by_hand() -> None:
    # Ten events at times 1 to 10: the cuts are the 0.6 and 0.8 quantiles, 6.4 and 8.2.
    rows = [
        ("x", "a", 1), ("x", "b", 3), ("x", "a", 7), ("x", "c", 8), ("x", "d", 9),
        ("y", "b", 2), ("y", "c", 6), ("y", "b", 10),
        ("z", "a", 4), ("w", "a", 5),
    ]  # fmt: skip
    data = interactions_of(rows)
    split = global_temporal(data, validation=0.2, test=0.2)
    assert sorted(train_of(data, split)) == ["a", "a", "ab", "bc"]
    # In validation x repeats a, then meets c: the first new item is the query.
    assert told(data, split.validation) == {"x": ("ab", "c")}
    assert split.validation.repeats == 0
    assert told(data, split.test) == {"x": ("abac", "d")}
    assert split.test.repeats == 1  # y met b again and nothing new


def test_what_follows_is_all_that_is_new_once_and_in_order() -> None:
    # Ten events at times 1 to 10: the cuts are 4.6 and 8.2.
    data = interactions_of(sequence("x", "ab") + sequence("x", "badcdcef", start=3))
    split = global_temporal(data, validation=0.4, test=0.2)
    assert told(data, split.validation) == {"x": ("abba", "d")}
    assert following(data, split.validation) == {"x": "dc"}
    assert following(data, split.test) == {"x": "ef"}


def test_users_who_come_after_the_cut_have_no_history_to_ask_with() -> None:
    # Ten events: the cuts are 6.4 and 8.2.
    data = interactions_of(sequence("x", "abcdefgh") + sequence("new", "ab", start=9))
    split = global_temporal(data, 0.2, 0.2)
    assert told(data, split.validation) == {"x": ("abcdef", "g")}
    assert len(split.test) == split.test.repeats == 0


def test_a_basket_of_one_time_never_leaks() -> None:
    # Each basket has one time. The cuts are 2 and 3: whole baskets stand at them, none is parted.
    rows = [("x", item, 1.0) for item in "ab"] + [("y", item, 2.0) for item in "abc"]
    rows += [("x", item, 3.0) for item in "cde"] + [("y", item, 4.0) for item in "def"]
    data = interactions_of(rows)
    split = global_temporal(data, 0.3, 0.3)
    assert train_of(data, split) == ["ab"]
    assert len(split.validation) == 0  # y's first basket: nothing before it
    assert told(data, split.test) == {"x": ("ab", "c"), "y": ("abc", "d")}


def test_times_that_are_all_equal_leave_nothing_to_train_on() -> None:
    data = interactions_of([("x", item, 5.0) for item in "abcd"])
    with pytest.raises(
        DataError, match=r"no event lies before the first cut at 5 .* leave-one-out"
    ):
        global_temporal(data)


@pytest.mark.parametrize("shares", [(0, 0.1), (0.1, 0), (0.5, 0.5), (-0.1, 0.2), (math.nan, 0.1)])
def test_shares_out_of_bounds(shares: tuple[float, float]) -> None:
    with pytest.raises(DataError, match="must be above 0 and sum below 1"):
        global_temporal(interactions_of(sequence("x", "abcd")), *shares)


events = st.lists(
    st.tuples(st.sampled_from("xyz"), st.sampled_from("abcdef"), st.integers(0, 12)),
    min_size=1,
    max_size=40,
)


def check(data: Interactions, queries: Queries) -> None:
    offsets, items = data.histories()
    for user, history, target in zip(
        queries.users, queries.histories, queries.targets, strict=True
    ):
        own = items[offsets[user] : offsets[user + 1]]
        assert 0 < len(history) < len(own)
        np.testing.assert_array_equal(history, own[: len(history)])
        assert target not in history
        assert target in own[len(history) :]
    for history, target, items in zip(
        queries.histories, queries.targets, queries.following, strict=True
    ):
        assert items[0] == target
        assert len(set(items.tolist()) | set(history.tolist())) == len(items) + len(set(history))
    assert len(set(queries.users.tolist())) == len(queries)


@settings(max_examples=150, deadline=None)
@given(events)
def test_leave_one_out_always(rows: list[tuple[str, str, int]]) -> None:
    data = interactions_of(rows)
    split = leave_one_out(data)
    check(data, split.validation)
    check(data, split.test)
    counts = np.bincount(data.users)
    asked = int((counts >= 4).sum())
    for queries in (split.validation, split.test):
        assert len(queries) + queries.repeats == asked
    assert sum(map(len, split.train)) == len(data) - 2 * asked
    assert {len(items) for items in split.validation.following} <= {1}
    for user, history, target in zip(
        split.test.users, split.test.histories, split.test.targets, strict=True
    ):
        assert len(history) == counts[user] - 1
        assert data.items[data.users == user][-1] == target


@settings(max_examples=150, deadline=None)
@given(events, st.sampled_from([(0.1, 0.1), (0.3, 0.2), (0.05, 0.6)]))
def test_global_temporal_always(
    rows: list[tuple[str, str, int]], shares: tuple[float, float]
) -> None:
    data = interactions_of(rows)
    first, second = np.quantile(data.times, [1 - sum(shares), 1 - shares[1]])
    before = int((data.times < first).sum())
    if not before:
        with pytest.raises(DataError, match="no event lies before"):
            global_temporal(data, *shares)
        return
    split = global_temporal(data, *shares)
    # Training holds every event before the first cut, and nothing else.
    assert sum(map(len, split.train)) == before
    for queries, opens, closes in ((split.validation, first, second), (split.test, second, np.inf)):
        check(data, queries)
        for user, history, target in zip(
            queries.users, queries.histories, queries.targets, strict=True
        ):
            mine = data.times[data.users == user]
            assert len(history) == (mine < opens).sum()
            during = data.items[
                (data.users == user) & (data.times >= opens) & (data.times < closes)
            ]
            assert target in during
        for user, history, items in zip(
            queries.users, queries.histories, queries.following, strict=True
        ):
            times = data.times[data.users == user]
            mine = data.items[data.users == user][(times >= opens) & (times < closes)]
            assert set(items.tolist()) == set(mine.tolist()) - set(history.tolist())


def test_nothing_is_held_out() -> None:
    data = interactions_of(sequence("x", "abcde", 3) + sequence("y", "b", 7))
    split = all_of(data)
    words = ["".join(data.item_ids[code] for code in history) for history in split.train]
    assert words == ["abcde", "b"]
    assert [times.tolist() for times in split.train_times] == [[3, 4, 5, 6, 7], [7]]
    assert [data.user_ids[user] for user in split.train_users] == ["x", "y"]
    assert len(split.validation) == len(split.test) == split.gap == 0


def test_training_events_keep_their_times() -> None:
    data = interactions_of(sequence("x", "abcde", 3) + sequence("y", "bcdae", 7))
    split = leave_one_out(data)
    assert [times.tolist() for times in split.train_times] == [[3, 4, 5], [7, 8, 9]]
    temporal = global_temporal(data, 0.3, 0.3)
    assert [len(times) for times in temporal.train_times] == [len(h) for h in temporal.train]
    cuts = np.quantile(data.times, [0.4, 0.7])
    assert (split.gap, temporal.gap) == (0, pytest.approx(cuts[1] - cuts[0]))


def test_training_events_keep_their_weights() -> None:
    rows = [("u", item, time) for time, item in enumerate("abcde")]
    users, items, times = (list(column) for column in zip(*rows, strict=True))
    table = pa.table({"user": users, "item": items, "time": times, "event": list("vvpvp")})
    data, _ = clean(table, DataSettings(event_weights={"v": 1.0, "p": 3.0}))
    (history,), (weights,) = (split := leave_one_out(data)).train, split.train_weights
    assert "".join(data.item_ids[code] for code in history) == "abc"
    assert weights.tolist() == [1.0, 1.0, 3.0]
    temporal = global_temporal(data, 0.3, 0.3)
    assert [len(w) for w in temporal.train_weights] == [len(h) for h in temporal.train]
