"""A date and a time of day in two columns."""

from datetime import UTC, date, datetime, time

import pyarrow as pa
import pytest

from pocketrec_distill.data import DataSettings, clean
from pocketrec_distill.errors import DataError

MORNING = datetime(2016, 10, 30, 9, 58, 11, tzinfo=UTC).timestamp()
EVENING = datetime(2016, 10, 29, 21, 5, 34, tzinfo=UTC).timestamp()


def read(columns: dict[str, object], **settings: str) -> tuple[list[float], list[str]]:
    """Times of two events of one user, the later one first in the table, and the notes."""
    table = pa.table({**columns, "user": ["u", "u"], "item": ["a", "b"]})
    interactions, account = clean(table, DataSettings(**settings))
    return interactions.times.tolist(), account.notes


@pytest.mark.parametrize(
    ("dates", "clocks"),
    [
        (["2016-10-30", "2016-10-29"], ["09:58:11", "21:05:34"]),
        (["30/10/2016", "29/10/2016"], ["9:58:11", "21:05:34"]),
        (["10/30/2016", "10/29/2016"], ["9:58:11 AM", "9:05:34 PM"]),
        (["20161030", "20161029"], ["09:58:11", "21:05:34"]),
        (["30-Oct-2016", "29-Oct-2016"], ["09:58:11", "21:05:34"]),
        ([date(2016, 10, 30), date(2016, 10, 29)], [time(9, 58, 11), time(21, 5, 34)]),
        ([datetime(2016, 10, 30), datetime(2016, 10, 29)], ["9:58:11", "21:05:34"]),
        (["2016-10-30T00:00:00", "2016-10-29 00:00"], ["9:58:11", "21:05:34"]),
        ([20161030, 20161029], ["9:58:11", "21:05:34"]),
    ],
)
@pytest.mark.parametrize("names", [("Date", "Time"), ("order_date", "timestamp")])
def test_they_are_one_time(dates: list, clocks: list, names: tuple[str, str]) -> None:
    times, notes = read(dict(zip(names, (dates, clocks), strict=True)))
    assert times == [EVENING, MORNING]
    said = f"{names[0]!r} and {names[1]!r} are joined to one time; [data] time says otherwise"
    assert said in notes


@pytest.mark.parametrize("clocks", [[958, 5], ["958", "5"], ["0958", "0005"], [958.0, 5.0]])
@pytest.mark.parametrize("dates", [["2016-10-30", "2016-10-29"], [20161030, 20161029]])
def test_hours_and_minutes_as_a_whole_number(dates: list, clocks: list) -> None:
    times, notes = read({"date": dates, "time": clocks})
    night = datetime(2016, 10, 29, 0, 5, tzinfo=UTC).timestamp()
    assert times == [night, MORNING - 11]
    assert "'date' and 'time' are joined to one time; [data] time says otherwise" in notes


@pytest.mark.parametrize("numbers", [[1, 2], [1630, 905], [0, 2359]])
def test_such_numbers_alone_are_positions(numbers: list[int]) -> None:
    assert read({"time": numbers})[0] == sorted(numbers)
    assert read({"time": numbers, "date": ["?", "?"]})[0] == sorted(numbers)


@pytest.mark.parametrize("numbers", [[1630, 2400], [1660, 5], [-5, 5], [16.5, 17]])
def test_numbers_that_are_no_hours_and_minutes(numbers: list[float]) -> None:
    columns = {"date": ["2016-10-30", "2016-10-29"], "time": numbers}
    table = pa.table({**columns, "user": ["u", "u"], "item": ["a", "b"]})
    _, account = clean(table, DataSettings())
    assert not any("joined" in note for note in account.notes)


def test_unix_times_of_days_are_not_joined() -> None:
    columns = {"timestamp": [1477785600, 1477699200], "time": ["09:58", "21:05"]}
    times, notes = read(columns)
    assert times == [1477699200, 1477785600]
    assert notes == ["column 'time' holds times of day and is not taken as time"]


def test_a_missing_half_is_a_missing_time() -> None:
    table = pa.table(
        {
            "date": ["2016-10-30", "2016-10-29", None],
            "time": ["09:58:11", None, "21:05:34"],
            "user": ["u"] * 3,
            "item": list("abc"),
        }
    )
    interactions, account = clean(table, DataSettings())
    assert interactions.item_ids == ("a",)
    assert account.dropped[0].rows == 2


def test_the_settings_name_the_time() -> None:
    columns = {"date": ["2016-10-30", "2016-10-29"], "time": ["09:58", "21:05"]}
    assert read(columns, time="date")[0] == [EVENING // 86400 * 86400, MORNING // 86400 * 86400]
    with pytest.raises(DataError, match="bad time in 'time' such as \"09:58\""):
        read(columns, time="time")


def test_a_time_of_day_beside_a_whole_time_is_left_out() -> None:
    columns = {"date": ["2016-10-30 09:58:11", "2016-10-29 21:05:34"], "time": ["08:00", "08:00"]}
    times, notes = read(columns)
    assert times == [EVENING, MORNING]
    assert notes[0] == "column 'time' holds times of day and is not taken as time"


def test_a_time_of_day_alone_is_refused() -> None:
    with pytest.raises(DataError, match="bad time in 'time' such as \"09:58\""):
        read({"time": ["09:58", "21:05"]})


def test_a_column_with_another_role_is_not_looked_at() -> None:
    table = pa.table({"date": ["a", "b"], "time": ["2016-10-30", "2016-10-29"], "user": ["u", "u"]})
    interactions, account = clean(table, DataSettings(item="date"))
    assert interactions.item_ids == ("a", "b")
    assert account.columns["time"] == "time"


def test_ids_that_look_like_dates_are_not_joined() -> None:
    table = pa.table(
        {"date": ["2016-10-30", "2016-10-29"], "time": ["09:58"] * 2, "user": ["u"] * 2}
    )
    with pytest.raises(DataError, match="bad time in 'time'"):
        clean(table, DataSettings(item="date"))
