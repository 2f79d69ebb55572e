"""Cleaning drops what it says, counts it, and keeps the order of events."""

import math

import numpy as np
import pyarrow as pa
import pytest

from pocketrec_distill.data import CleaningAccount, DataSettings, DropRule, Interactions, clean
from pocketrec_distill.errors import DataError


def cleaned(
    rows: list[tuple], names: str = "user item time", **settings
) -> tuple[Interactions, CleaningAccount]:
    columns = dict(zip(names.split(), map(list, zip(*rows, strict=True)), strict=True))
    return clean(pa.table(columns), DataSettings(**settings))


def reasons(account: CleaningAccount) -> list[tuple[str, int, int]]:
    return [(entry.reason, entry.rows, entry.left) for entry in account.dropped]


def events(interactions: Interactions) -> list[tuple[str, str, float]]:
    return [
        (interactions.user_ids[u], interactions.item_ids[i], t)
        for u, i, t in zip(
            interactions.users, interactions.items, interactions.times.tolist(), strict=True
        )
    ]


def test_every_reason_in_order_with_its_number() -> None:
    rows = [
        ("u1", "a", 5.0, 1.0, 4.0),  # stays
        (None, "a", 5.0, 1.0, 4.0),  # missing user
        ("", "b", 5.0, 1.0, 4.0),  # missing user
        ("u1", None, 5.0, 1.0, 4.0),  # missing item
        (None, None, math.nan, math.nan, 0.0),  # counted once, for its first reason
        ("u\x00", "a", 5.0, 1.0, 4.0),  # unusable user
        ("u2", "a\nb", 5.0, 1.0, 4.0),  # unusable item
        ("u2", "a", math.nan, 1.0, 4.0),  # bad time
        ("u2", "a", -1.0, 1.0, 4.0),  # bad time
        ("u2", "a", math.inf, 1.0, 4.0),  # bad time
        ("u2", "a", 5.0, math.nan, 4.0),  # stays: a missing weight is 1
        ("u2", "a", 5.0, math.inf, 4.0),  # bad weight
        ("u2", "a", 5.0, -0.5, 4.0),  # bad weight
        ("u2", "a", 5.0, 1e300, 4.0),  # too large
        ("u2", "a", 5.0, 0.0, 4.0),  # weight 0
        ("u2", "a", 5.0, 1e-60, 4.0),  # weight 0 as float32
        ("u2", "a", 5.0, 1.0, 2.9),  # rating
        ("u2", "a", 5.0, 1.0, None),  # rating
        ("u2", "a", 5.0, 1.0, 3.0),  # duplicate of the one without a weight
        ("u2", "a", 5.0, 7.0, 5.0),  # duplicate of the one before
    ]
    interactions, account = cleaned(rows, "user item time weight rating", min_rating=3.0)
    assert reasons(account) == [
        ("missing user id", 3, 17),
        ("missing item id", 1, 16),
        ("unusable user id (control character or surrogate)", 1, 15),
        ("unusable item id (control character or surrogate)", 1, 14),
        ("bad time in 'time' such as \"-1\" (no number, no date, or before 1970)", 3, 11),
        ("bad weight (not a number, infinite or negative)", 2, 9),
        ("weight 0", 2, 7),
        ("bad weight (too large)", 1, 6),
        ("rating below 3, or none", 2, 4),
        ("exact duplicate", 2, 2),
    ]
    assert events(interactions) == [("u1", "a", 5.0), ("u2", "a", 5.0)]
    assert interactions.weights.tolist() == [1.0, 1.0]
    assert account.as_dict()["rows_read"] == 20
    assert account.as_dict()["rows_left"] == len(interactions) == 2
    assert (account.users, account.items) == (2, 1)


def test_the_printed_account() -> None:
    _, account = cleaned([("u1", "a"), ("u1", "b"), ("", "c")], "user item")
    assert str(account).splitlines() == [
        "rows read                                 3",
        "missing user id            -1             2",
        "1 users, 2 items",
        "user: user, item: item",
        "no time column: the order of rows is taken as the order of events",
    ]


def test_nothing_dropped_is_not_listed() -> None:
    _, account = cleaned([("u1", "a", 1), ("u2", "b", 1)])
    assert account.dropped == []
    assert account.notes == []
    assert account.left == account.as_dict()["rows_left"] == 2


def test_rows_are_sorted_by_user_time_and_place_in_the_table() -> None:
    rows = [("u2", "c", 9), ("u1", "b", 4), ("u2", "a", 9), ("u2", "d", 3), ("u1", "e", 4),
            ("u2", "b", 9)]  # fmt: skip
    interactions, _ = cleaned(rows)
    assert events(interactions) == [
        ("u2", "d", 3), ("u2", "c", 9), ("u2", "a", 9), ("u2", "b", 9), ("u1", "b", 4),
        ("u1", "e", 4),
    ]  # fmt: skip
    assert interactions.user_ids == ("u2", "u1")
    assert interactions.item_ids == ("c", "b", "a", "d", "e")
    assert [a.dtype for a in (interactions.users, interactions.items, interactions.times)] == [
        np.int32, np.int32, np.float64,
    ]  # fmt: skip
    assert (interactions.weights.dtype, interactions.events.dtype) == (np.float32, np.int16)


def test_without_a_time_the_rows_are_in_order() -> None:
    interactions, account = cleaned([("u", "b"), ("v", "a"), ("u", "b"), ("u", "a")], "user item")
    assert events(interactions) == [("u", "b", 0), ("u", "b", 2), ("u", "a", 3), ("v", "a", 1)]
    assert "no time column" in account.notes[0]


def test_duplicates_are_equal_in_user_item_time_and_event() -> None:
    rows = [
        ("u", "a", 1, "view"), ("u", "a", 1, "buy"), ("u", "a", 2, "view"), ("u", "b", 1, "view"),
        ("v", "a", 1, "view"), ("u", "a", 1, "view"), ("u", "a", 1, None), ("u", "a", 1, ""),
    ]  # fmt: skip
    interactions, account = cleaned(rows, "user item time event")
    assert reasons(account) == [("exact duplicate", 2, 6)]
    names = [interactions.event_names[code] for code in interactions.events]
    assert names == ["view", "buy", "view", "", "view", "view"]
    assert [item for _, item, _ in events(interactions)] == ["a", "a", "b", "a", "a", "a"]


def test_event_weights() -> None:
    rows = [("u", "a", 1, "view", 2), ("u", "a", 2, "buy", 2), ("u", "b", 3, "return", 2),
            ("u", "c", 4, None, 2)]  # fmt: skip
    interactions, account = cleaned(
        rows, "user item time event weight", event_weights={"view": 0.25, "return": 0, "byu": 9}
    )
    assert interactions.weights.tolist() == [0.5, 2.0, 2.0]
    assert reasons(account) == [("weight 0", 1, 3)]
    assert account.notes == ["[data.event_weights] names 'byu', which no row of 'event' holds"]
    assert interactions.item_ids == ("a", "c")
    assert interactions.event_names == ("view", "buy", "")


@pytest.mark.parametrize("missing", [None, "", "NULL"])
def test_a_missing_weight_is_one(missing: str | None) -> None:
    rows = [("u", "a", 1, "2.5"), ("u", "b", 2, missing), ("u", "c", 3, "heavy"),
            ("u", "d", 4, "3")]  # fmt: skip
    interactions, account = cleaned(rows, "user item time weight")
    assert interactions.weights.tolist() == [2.5, 1.0, 3.0]
    assert reasons(account) == [("bad weight (not a number, infinite or negative)", 1, 3)]
    assert account.notes == [
        "1 rows have no value in 'weight' and weigh 1; if it is no weight of events, set [data] "
        'weight = "none"'
    ]


def test_where_nothing_is_left_it_is_said_how_to_leave_a_column_alone() -> None:
    with pytest.raises(DataError, match=r'\[data\] time = "none"'):
        cleaned([("u", "a", "soon")], "user item time", time="time")


def test_event_weights_need_an_event_column() -> None:
    with pytest.raises(DataError, match="no event column; name it: event ="):
        cleaned([("u", "a", 1)], event_weights={"view": 1})


def test_a_thousand_behaviours_are_none() -> None:
    rows = [("u", "a", n, f"event {n}") for n in range(1001)]
    with pytest.raises(DataError, match=r"'action' has 1,001 behaviour types, over 1,000"):
        cleaned(rows, "user item time action", event="action")
    _, account = cleaned(rows, "user item time action")
    assert account.notes == ["column 'action' has 1,001 different values and is not taken as event"]
    assert account.left == 1001
    interactions, _ = cleaned(rows[:1000], "user item time action")
    assert len(interactions.event_names) == 1000


def test_min_rating_needs_a_rating_column() -> None:
    with pytest.raises(DataError, match="no rating column; name it: rating ="):
        cleaned([("u", "a", 1)], min_rating=1)
    interactions, _ = cleaned([("u", "a", 1, "?")], "user item time rating")
    assert len(interactions) == 1  # without min_rating, ratings are not looked at


def test_core_is_repeated_until_it_holds() -> None:
    # b has one user; without b, u2 has one item; without u2, c has one user; and so on to u1.
    rows = [("u1", "a"), ("u2", "b"), ("u2", "c"), ("u3", "c"), ("u3", "a"), ("u4", "a"),
            ("u4", "d"), ("u5", "a"), ("u5", "d")]  # fmt: skip
    interactions, account = cleaned(rows, "user item", user_core=2, item_core=2)
    assert reasons(account) == [("core: users below 2 or items below 2", 5, 4)]
    assert interactions.user_ids == ("u4", "u5")
    assert interactions.item_ids == ("a", "d")
    only_users, account = cleaned(rows, "user item", user_core=2)
    assert reasons(account) == [("core: users below 2 or items below 1", 1, 8)]
    assert len(only_users.item_ids) == 4


def test_a_core_that_nothing_has() -> None:
    with pytest.raises(DataError, match="no interaction is left") as caught:
        cleaned([("u1", "a"), ("u2", "b")], "user item", item_core=2)
    assert "core: users below 1 or items below 2            -2             0" in str(caught.value)


def test_known_items() -> None:
    table = pa.table({"user": ["u", "u", "v"], "item": ["a", "b", "c"]})
    known = frozenset(["a", "c"])
    kept, account = clean(table, DataSettings(known_items_only=True), known)
    assert kept.item_ids == ("a", "c")
    assert reasons(account) == [("item not in the items table", 1, 2)]
    assert clean(table, DataSettings(), known)[0].item_ids == ("a", "b", "c")


TABLE = {
    "user": ["u", "u", "v", "v", "w"],
    "item": ["a", "b", "c", "d", "e"],
    "invoice": ["C10", "11", None, "1C", ""],
    "amount": ["3", "-1", "", "2.5", "x"],
}


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        (DropRule("invoice", "startswith", "C"), "bcde"),
        (DropRule("invoice", "contains", "C"), "bce"),
        (DropRule("invoice", "==", "11"), "acde"),
        (DropRule("invoice", "==", ""), "abd"),
        (DropRule("invoice", "!=", "C10"), "a"),
        (DropRule("amount", "==", 3), "bcde"),
        (DropRule("amount", "!=", 3), "a"),
        (DropRule("amount", "<", 2.5), "acde"),
        (DropRule("amount", "<=", 2.5), "ace"),
        (DropRule("amount", ">", 2.5), "bcde"),
        (DropRule("amount", ">=", 2.5), "bce"),
    ],
    ids=str,
)
def test_drop_rules(rule: DropRule, left: str) -> None:
    interactions, account = clean(pa.table(TABLE), DataSettings(drop=(rule,)))
    assert interactions.item_ids == tuple(left)
    value = f"{rule.value:g}" if isinstance(rule.value, float) else rule.value
    reason = f"rule: {rule.column} {rule.op} {value}"
    assert reasons(account) == [(reason, 5 - len(left), len(left))]


def test_rules_run_one_after_the_other_and_before_all_else() -> None:
    rules = (DropRule("invoice", "startswith", "C"), DropRule("amount", "<=", 2.5))
    table = pa.table(TABLE | {"user": ["", "u", "", "v", "w"]})
    _, account = clean(table, DataSettings(drop=rules))
    assert [entry.rows for entry in account.dropped] == [1, 2, 1]
    assert account.dropped[2].reason == "missing user id"


def test_a_rule_reads_numbers_of_typed_columns_and_text_of_numbers() -> None:
    table = pa.table({"user": [1, 1, 2], "item": [7, 8, 9], "n": pa.array([1, None, 30])})
    assert clean(table, DataSettings(drop=(DropRule("n", ">", 1),)))[0].item_ids == ("7", "8")
    assert clean(table, DataSettings(drop=(DropRule("n", "startswith", "3"),)))[0].item_ids == (
        "7", "8",
    )  # fmt: skip


def test_a_rule_about_a_column_that_is_not_there() -> None:
    with pytest.raises(DataError, match=r"'price', which is not among user, item, invoice, amount"):
        clean(pa.table(TABLE), DataSettings(drop=(DropRule("price", "<", 1),)))


def test_an_empty_table() -> None:
    empty = pa.table({"user": pa.array([], pa.string()), "item": pa.array([], pa.int64())})
    with pytest.raises(DataError, match=r"no interaction is left.*\nrows read +0"):
        clean(empty, DataSettings())


def test_one_event() -> None:
    interactions, _ = cleaned([("用户", "элемент", "2020-01-01")])
    assert events(interactions) == [("用户", "элемент", 1_577_836_800.0)]
    offsets, items = interactions.histories()
    assert (offsets.tolist(), items.tolist()) == ([0, 1], [0])


RATED = {"user": ["u"] * 4, "item": list("abcd")}


@pytest.mark.parametrize(
    ("ratings", "said"),
    [
        ([1, 2.5, 4, 5], "2 rows (50%) are rated below 3 in 'rating' and count as any other"),
        (["0.5", "5", "4", "bad"], "1 rows (25%) are rated below 2.75 in 'rating'"),
        ([None, 1, 10, 10], "1 rows (25%) are rated below 5.5"),
    ],
)
def test_low_ratings_that_count_are_told(ratings: list, said: str) -> None:
    _, account = clean(pa.table({**RATED, "rating": ratings}), DataSettings())
    assert any(note.startswith(said) for note in account.notes)
    assert account.left == 4


@pytest.mark.parametrize("ratings", [[5, 5, 5, 5], list("abcd"), [[1], [2], [3], [4]], [None] * 4])
def test_ratings_that_are_none_or_alike_say_nothing(ratings: list) -> None:
    _, account = clean(pa.table({**RATED, "rating": ratings}), DataSettings())
    assert not any("rated" in note for note in account.notes)


def test_nothing_is_told_where_low_ratings_are_dropped() -> None:
    table = pa.table({**RATED, "rating": [1, 2, 4, 5]})
    _, account = clean(table, DataSettings(min_rating=3))
    assert not any("rated" in note for note in account.notes)
    assert account.left == 2
