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


# 1 to 4 June 2011, newest first, at another hour each.
MOMENTS = [1_307_181_600 - 90_000 * day for day in range(4)]


@pytest.mark.parametrize(
    "name", ["click_timestamp", "server_timestamp_epoch_ms", "my_last_updated", "openedAt", "e_ts"]
)
@pytest.mark.parametrize("scale", [1, 10**3, 10**6])
@pytest.mark.parametrize("kind", [int, float, str])
def test_unix_times_under_a_name_that_speaks_of_time(name: str, scale: int, kind: type) -> None:
    time, notes = found({name: [kind(moment * scale) for moment in MOMENTS]})
    assert time == name
    assert notes == [f"column {name!r} holds Unix times and is taken as time; [data] time says "
                     "otherwise"]  # fmt: skip


@pytest.mark.parametrize(
    "columns",
    [
        {"order_number": MOMENTS},  # as large, but may count anything
        {"dwell_time": [12, 40, 7, 9]},
        {"play_time_ms": [1.2e6, 3e5, 4e4, 1e3]},
        {"release_timestamp": [MOMENTS[0], MOMENTS[1]] * 2},  # the item's
        {"joined_at": [MOMENTS[0], MOMENTS[0], MOMENTS[1], MOMENTS[1]]},  # the user's
        {"is_dated": [True, False, True, True]},
        {"update_list": [[moment] for moment in MOMENTS]},
    ],
)
def test_other_numbers_are_no_times(columns: dict) -> None:
    assert found(columns) == (None, [])


@pytest.mark.parametrize(
    "days",
    [
        DAYS,
        [day.replace("-", "") for day in DAYS],
        [1_307_145_600 - 86_400 * day for day in range(4)],
        pa.array([date(2011, 6, day) for day in (4, 3, 2, 1)]),
    ],
)
@pytest.mark.parametrize(
    "moments",
    [
        [str(moment * 1000) for moment in MOMENTS],
        MOMENTS,
        ["2011-06-04 10:00", "2011-06-03 09:00", "2011-06-02 08:00", "2011-06-01 07:00"],
        [moment - 8 * 3600 for moment in MOMENTS],  # UTC beside the days of Shanghai
        [moment + 24 * 3600 for moment in MOMENTS],
    ],
)
def test_a_day_gives_way_to_the_time_on_it(days: object, moments: list) -> None:
    time, notes = found({"date": days, "ms": moments})
    assert time == "ms"
    assert notes[0].startswith("column 'ms' tells the time on the days of 'date' and is taken as")
    assert found({"date": days, "ms": moments}, time="date") == ("date", [])


@pytest.mark.parametrize(
    "others",
    [
        [moment - 3 * 86_400 for moment in MOMENTS],
        MOMENTS[::-1],
        [4, 3, 2, 1],
        DAYS,
        [None, None, None, MOMENTS[3]],
        [[moment] for moment in MOMENTS],
    ],
)
def test_a_day_stays_where_no_column_tells_the_time_on_it(others: list) -> None:
    assert found({"date": DAYS, "ms": others}) == ("date", [])
    assert found({"timestamp": MOMENTS, "ms": others}) == ("timestamp", [])


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


def roles(columns: dict[str, object], **settings: str) -> tuple[dict[str, str], list[str]]:
    """Columns of the roles beside user and item, and the notes."""
    table = pa.table({"user": list("uuvv"), "item": list("abab"), **columns})
    account = CleaningAccount(4)
    interaction_columns(table, DataSettings(**settings), account)
    return {k: v for k, v in account.columns.items() if k not in ("user", "item")}, account.notes


PROSE = ["so fine", "too small", "", None]


@pytest.mark.parametrize(
    ("role", "values", "why"),
    [
        ("weight", ["137lbs", "140lbs", "", "99"], "holds no weights"),
        ("weight", [-1.0, -2.5, -3.0, 4.0], "holds no weights"),
        ("weight", [[1], [2], [3], [4]], "holds several values per row"),
        ("weight", ["0.5", "2", "0.5", "2"], "is the same for each event of a user or an item"),
        ("weight", [60, 60, 85, 85], "is the same for each event of a user or an item"),
        ("weight", [b"a", b"b", None, b"c"], "of type binary cannot be read"),
        ("event", [[1], [2], [3], [4]], "holds several values per row"),
        ("action", [b"\xff", b"\xfe", None, None], "of type binary cannot be read"),
        ("date", PROSE, "holds no times"),
        ("date", ["", None, "NULL", "NaN"], "holds no times"),
        ("timestamp", [["1"], ["2"], ["3"], ["4"]], "holds several values per row"),
    ],
)
def test_a_name_that_the_values_do_not_bear_out(role: str, values: list, why: str) -> None:
    setting = {"date": "time", "timestamp": "time", "action": "event"}.get(role, role)
    expected = f"column {role!r} {why} and is not taken as {setting}"
    assert roles({role: values}) == ({}, [expected])
    # What the settings name is taken at its word.
    assert roles({role: values}, **{setting: role}) == ({setting: role}, [])


@pytest.mark.parametrize(
    ("role", "values"),
    [
        ("weight", ["1", "x", "2", "3"]),
        ("weight", [1, 1, 1, 1]),
        ("weight", [None, None, None, None]),
        ("weight", ["3", "", None, "NULL"]),
        ("weight", pa.array(["3", None, "4", "3"]).dictionary_encode()),
        ("event", PROSE),
        ("event", [1, 2, 1, 2]),
        ("time", ["5", "soon", "6", "7"]),
        ("time", ["2011-06-04", "", None, None]),
        ("time", pa.array(["5", "soon", "6", "7"]).cast(pa.string_view())),
    ],
)
def test_a_name_that_most_values_bear_out(role: str, values: object) -> None:
    assert roles({role: values}) == ({role: role}, [])


def test_the_next_name_is_looked_at_then() -> None:
    found = roles({"date": PROSE, "review_date": DAYS, "weight": ["a", "b", "c", "d"]})
    assert found[0] == {"time": "review_date"}
    assert roles({"date": PROSE, "when": DAYS})[0] == {"time": "when"}
    assert roles({"weight": ["a", "b", "c", "d"], "plays": [3, 1, 2, 4]})[0] == {"weight": "plays"}


def test_none_leaves_a_column_alone() -> None:
    columns = {"weight": [1, 2, 3, 4], "event": list("xyxy"), "rating": [1, 2, 3, 4], "time": DAYS}
    assert set(roles(columns)[0]) == {"weight", "event", "rating", "time"}
    for name in columns:
        assert set(roles(columns, **{name: "none"})[0]) == {*columns} - {name}
    everything = dict.fromkeys(columns, "none")
    assert roles(columns, **everything) == ({}, [])
    assert roles({"when": DAYS}, time="none") == ({}, [])
    assert roles({"none": [1, 2, 3, 4]}, weight="none") == ({"weight": "none"}, [])
