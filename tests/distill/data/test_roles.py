"""Columns whose role their values tell."""

from datetime import date

import pyarrow as pa
import pytest

from pocketrec_distill.data import DataSettings, clean
from pocketrec_distill.data.account import CleaningAccount
from pocketrec_distill.data.roles import interaction_columns, told_by
from pocketrec_distill.data.values import encode_ids

DAYS = ["2011-06-04", "2011-06-03", "2011-06-02", "2011-06-01"]


def found(columns: dict[str, object], **settings: str) -> tuple[str | None, list[str]]:
    """The column of time, and the notes, of two users and two items."""
    table = pa.table({"user": list("uuvv"), "item": list("abab"), **columns})
    account = CleaningAccount(4)
    columns_found = interaction_columns(table, DataSettings(**settings), account)
    assert account.columns == columns_found.as_dict()
    return columns_found.time, account.notes


@pytest.mark.parametrize(
    "dates",
    [
        DAYS,
        [*DAYS[:3], None],
        pa.array([date(2011, 6, day) for day in (4, 3, 2, 1)]),
        pa.array(DAYS).dictionary_encode(),
    ],
)
def test_dates_under_a_name_of_their_own_are_the_time(dates: object) -> None:
    time, notes = found({"when": dates})
    assert time == "when"
    assert notes == ["column 'when' holds dates and is taken as time; [data] time says otherwise"]


def test_newest_first_is_turned_around() -> None:
    table = pa.table({"user": ["u"] * 4, "item": list("abcd"), "when": DAYS})
    interactions, _ = clean(table, DataSettings())
    items = [interactions.item_ids[code] for code in interactions.items.tolist()]
    assert items == ["d", "c", "b", "a"]


def test_dates_of_items_and_users_are_no_times() -> None:
    released, born = [DAYS[0], DAYS[1]] * 2, [DAYS[0], DAYS[0], DAYS[1], DAYS[1]]
    assert found({"released": released, "born": born}) == (None, [])
    assert found({"released": released, "when": DAYS})[0] == "when"


def test_of_two_the_first_is_taken_and_the_other_named() -> None:
    time, notes = found({"sent": DAYS, "paid": DAYS[::-1]})
    assert time == "sent"
    assert "taken as time; so do paid; [data] time says otherwise" in notes[0]
    assert found({"sent": DAYS, "paid": DAYS[::-1]}, time="paid") == ("paid", [])


def test_dates_go_before_mere_positions() -> None:
    positions = ["17", "3", "99", "4"]
    assert found({"order": positions}) == ("order", [])
    assert found({"order": positions, "when": DAYS})[0] == "when"
    assert found({"order": positions, "when": DAYS}, time="order") == ("order", [])
    assert found({"time": ["4", "3", "2", "1"], "when": DAYS}) == ("time", [])


@pytest.mark.parametrize(
    "values",
    [
        ["1", "2", "3", "4"],
        ["20110604", "20110603", "20110602", "20110601"],  # may be numbers of anything
        ["soon", "later", "never", DAYS[0]],
        [None] * 4,
        ["", "", "", ""],
        [1.5, 2.5, 3.5, 4.5],
        [["a"], ["b"], ["c"], ["d"]],
    ],
)
def test_other_values_are_no_times(values: object) -> None:
    assert found({"when": values}) == (None, [])


def test_how_much_a_key_tells() -> None:
    table = pa.table(
        {
            "key": ["a", "a", "a", "b", "b", "c", None],
            "value": ["x", "x", "y", "z", "z", "q", "x"],
        }
    )
    assert told_by(encode_ids(table, "key"), encode_ids(table, "value")) == 0.8
    for keys in (["a", "b"], ["a", None], [None, None]):
        once = encode_ids(pa.table({"key": pa.array(keys, pa.string())}), "key")
        assert told_by(once, once) is None
