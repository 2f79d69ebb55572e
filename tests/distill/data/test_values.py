"""Numbers and times of every kind of column; what cannot be read is named."""

import math
import time
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from pocketrec_distill.data.values import encode_ids, numbers, times
from pocketrec_distill.errors import DataError

# 1 December 2010, 08:26:00 UTC.
MOMENT = 1_291_191_960.0
NAN = math.nan


def read_times(values: object) -> list[float]:
    table = pa.table({"t": values})
    return times(table, "t")[0].tolist()


def note_of(values: list[str]) -> str:
    return times(pa.table({"t": values}), "t")[1]


def test_the_moment() -> None:
    assert datetime(2010, 12, 1, 8, 26, tzinfo=UTC).timestamp() == MOMENT


@pytest.mark.parametrize("scale", [1, 10**3, 10**6, 10**9])
@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.string()], ids=str)
def test_units_are_told_by_magnitude(scale: int, kind: pa.DataType) -> None:
    values = pa.array([int(MOMENT) * scale, int(MOMENT + 60) * scale, 0]).cast(kind, safe=False)
    assert read_times(values) == [MOMENT, MOMENT + 60, 0.0]


def test_each_number_has_its_own_unit_where_all_are_moments() -> None:
    seconds = int(MOMENT)
    scales = [1, 10**3, 10**6, 10**9, 1, 10**3]
    assert read_times([seconds * scale for scale in scales]) == [MOMENT] * 6
    assert read_times(["0", "2010-12-02", *(str(seconds * scale) for scale in scales)]) == [
        0, 1_291_248_000.0, *[MOMENT] * 6,
    ]  # fmt: skip
    # Keys that were drawn are none, however many have the size of one.
    assert read_times([10**11 + 1, 10**10, 10**9]) == [10**11 + 1, 10**10, 10**9]


def test_positions_stay_what_they_are() -> None:
    assert read_times(["0", "1", "12", "2.5"]) == [0, 1, 12, 2.5]
    assert read_times(pa.array([3, 2, 1], pa.uint8())) == [3, 2, 1]


def test_what_is_no_time() -> None:
    text = ["", "soon", "NaN", "inf", "-1", "1e999", " 7 ", "+8", "9.", ".5", "1e3", "0x10", "1,5"]
    expected = [NAN, NAN, NAN, NAN, NAN, NAN, 7, 8, 9, 0.5, 1000, NAN, NAN]
    np.testing.assert_array_equal(read_times(text), expected)
    floats = pa.array([1.5, NAN, math.inf, -math.inf, -1.0, None])
    np.testing.assert_array_equal(read_times(floats), [1.5, NAN, NAN, NAN, NAN, NAN])


@pytest.mark.parametrize(
    "text",
    [
        "2010-12-01 08:26:00",
        "2010-12-01T08:26",
        "2010-12-01 08:26:00.000",
        "2010-12-01T08:26:00Z",
        "2010-12-01 08:26:00 UTC",
        "2010-12-01T08:26:00+00:00",
        "2010-12-01T09:26:00+01:00",
        "2010-12-01T03:26:00.000000-05:00",
        "2010/12/01 08:26:00",
        "2010/12/1 8:26",
        "2010/12/01 08:26:00.000",
        "01.12.2010 08:26:00.0",
        "2010.12.01 08:26",
        "01.12.2010 08:26",
        "1.12.2010 8:26:00",
        " 2010-12-01 08:26:00 ",
        "Wed, 01 Dec 2010 08:26:00 +0000",
        "Wed Dec 01 09:26:00 +0100 2010",
        "Wed Dec  1 08:26:00 2010",
        "1 Dec 2010 08:26",
        "Dec 01, 2010 08:26:00",
        "December 1, 2010 08:26",
        "01-Dec-2010 08:26:00",
        "1-dec-10 08:26",
    ],
)
def test_dates_in_text(text: str) -> None:
    # A second, plain date beside it: forms may be mixed in one column.
    assert read_times([text, "", "2010-12-02"]) [0] == MOMENT  # fmt: skip
    assert read_times([text, "2010-12-02"])[1] == 1_291_248_000.0


@pytest.mark.parametrize(
    "text", ["2010-12-01 08:26:00,000", "2010-W48-3T08:26", "2010-12-01 08:26"]
)
def test_dates_without_a_zone_are_utc_wherever_one_is(text: str, monkeypatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert read_times([text]) == [MOMENT]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_column_decides_between_day_and_month_first() -> None:
    us = ["12/1/2010 8:26", "12/13/2010 8:26"]
    assert read_times(us) == [MOMENT, MOMENT + 12 * 86_400]
    assert note_of(us) == 'times such as "12/1/2010 8:26" are read as month/day/year'
    uk = ["1/12/2010 8:26", "13/12/2010 8:26", "31/12/2010"]
    assert read_times(uk) == [MOMENT, MOMENT + 12 * 86_400, 1_293_753_600.0]
    assert note_of(uk) == 'times such as "1/12/2010 8:26" are read as day/month/year'
    # One row that only the other order could read is a bad time, not another calendar.
    mixed = [*uk, "12/14/2010"]
    np.testing.assert_array_equal(read_times(mixed), [*read_times(uk), NAN])


def test_an_undecided_column_says_so() -> None:
    assert read_times(["1/12/2010 8:26"]) == [MOMENT]
    assert note_of(["1/12/2010 8:26"]).endswith("day/month/year; both ways read as many")


def test_am_and_pm_speak_for_month_first() -> None:
    text = ["12/1/2010 8:26:00 AM", "12/1/2010 8:26:00 PM", "12/1/2010 12:26 am"]
    assert read_times(text) == [MOMENT, MOMENT + 12 * 3600, MOMENT - 8 * 3600]
    assert read_times(["12/1/2010 12:26 PM"]) == [MOMENT + 4 * 3600]


@pytest.mark.parametrize(
    "text",
    ["2010-13-01", "2010-02-30", "30.2.2010", "31/31/2010", "2010-12-01 25:00", "1/1/110",
     "Feb 30, 2010", "1 Dec 2010 8:26 PM", "Dec 2010", "12 decoys 2010", "Dec 01, 2010 25:00",
     "12/1/2010 13:00 PM", "0/1/2010", "2010-12", "漢字", "1969-12-31", "9" * 400],
)  # fmt: skip
def test_dates_that_do_not_exist(text: str) -> None:
    np.testing.assert_array_equal(read_times([text, "2010-12-02"]), [NAN, 1_291_248_000.0])


def test_leap_days() -> None:
    assert read_times(["29.02.2012", "29.02.2000"]) == [1_330_473_600.0, 951_782_400.0]
    assert math.isnan(read_times(["29.02.2100"])[0])


def test_two_digits_of_a_year() -> None:
    assert read_times(["12/1/10 8:26", "12/13/10 8:26"]) == [MOMENT, MOMENT + 12 * 86_400]
    assert read_times(["1.1.70", "31.12.68"])[0] == 0.0
    assert read_times(["1.1.70", "31.12.68"])[1] == 3_124_137_600.0


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.string()])
def test_numbers_that_spell_dates(kind: pa.DataType) -> None:
    days = pa.array([20101201, 20101202, None], pa.int64()).cast(kind)
    np.testing.assert_array_equal(read_times(days), [1_291_161_600.0, 1_291_248_000.0, NAN])
    moments = pa.array([20101201082600, 20101202000000], pa.int64()).cast(kind)
    assert read_times(moments) == [MOMENT, 1_291_248_000.0]
    assert times(pa.table({"t": moments}), "t")[1].startswith("whole numbers such as")
    minutes = pa.array([201012010826, 201012020000], pa.int64()).cast(kind)
    assert read_times(minutes) == [MOMENT, 1_291_248_000.0]
    # Milliseconds of a day in December 2010 are longer.
    assert read_times(pa.array([1_291_191_960_000, 1_291_191_960_000])) == [MOMENT, MOMENT]


def test_parts_of_a_second() -> None:
    assert read_times(["2010/12/01 08:26:00.250", "12/13/2010 8:26:01.5 PM"])[0] == MOMENT + 0.25


def test_numbers_that_spell_no_date_are_numbers() -> None:
    for counts in (
        [20101201, 20101301],
        [19691201, 19691202],
        [20101201, 7],
        [20101201.5, 20101202.0],
    ):
        assert read_times(pa.array(counts)) == counts


def test_milliseconds_beside_dates() -> None:
    text = [str(int(MOMENT) * 1000), str(int(MOMENT) * 1000), "2010-12-02"]
    assert read_times(text) == [MOMENT, MOMENT, 1_291_248_000.0]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_arrow_times(unit: str, zone: str | None) -> None:
    stamps = pa.array([datetime.fromtimestamp(MOMENT, UTC), None], pa.timestamp(unit, zone))
    np.testing.assert_array_equal(read_times(stamps), [MOMENT, NAN])


def test_nanoseconds_that_no_microsecond_holds() -> None:
    stamps = pa.array([1_500_000_001], pa.int64()).cast(pa.timestamp("ns"))
    assert read_times(stamps) == [1.500000001]


def test_arrow_dates() -> None:
    for kind in (pa.date32(), pa.date64()):
        values = pa.array([date(2010, 12, 2), None, date(1960, 1, 1)], kind)
        np.testing.assert_array_equal(read_times(values), [1_291_248_000.0, NAN, NAN])


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
def test_text_of_every_arrow_type(kind: pa.DataType) -> None:
    values = pa.array(["5", None, "2010-12-02"], pa.string()).cast(kind)
    np.testing.assert_array_equal(read_times(values), [5, NAN, 1_291_248_000.0])
    table = pa.table({"a": values})
    assert encode_ids(table, "a").ids == ["5", "2010-12-02"]


def test_dictionaries() -> None:
    values = pa.array(["5", None, "2010-12-02", "5"]).dictionary_encode()
    np.testing.assert_array_equal(read_times(values), [5, NAN, 1_291_248_000.0, 5])
    table = pa.table({"a": pa.array([2, None, 4]).dictionary_encode()})
    np.testing.assert_array_equal(numbers(table, "a"), [2, NAN, 4])


def test_numbers() -> None:
    def read(values: object) -> list[float]:
        return numbers(pa.table({"a": values}), "a").tolist()

    np.testing.assert_array_equal(read(["3", "x", " -1.5", "", None]), [3, NAN, -1.5, NAN, NAN])
    np.testing.assert_array_equal(read([True, False, None]), [1, 0, NAN])
    assert read(pa.array([2**60 + 1], pa.int64())) == [2.0**60]
    assert read(pa.array([150, 25]).cast(pa.decimal128(21, 2))) == [150, 25]
    assert read(pa.array([1.5], pa.float16())) == [1.5]
    np.testing.assert_array_equal(read(pa.nulls(2)), [NAN, NAN])


NESTED = pa.array([[1, 2], None])
STRUCTURE = pa.array([{"a": 1}, None])


@pytest.mark.parametrize("column", [NESTED, STRUCTURE], ids=["list", "structure"])
@pytest.mark.parametrize("read", [encode_ids, numbers, times])
def test_a_column_of_the_wrong_type_is_named(read, column: pa.Array) -> None:
    said = (
        r"column 'who' of type (list|struct)<.* cannot be read as .*: it holds several values per"
    )
    with pytest.raises(DataError, match=said):
        read(pa.table({"who": column}), "who")


def test_bytes_that_are_no_text_are_named() -> None:
    table = pa.table({"who": pa.array([b"\xff\xfe"])})
    with pytest.raises(DataError, match="column 'who' of type binary cannot be read as text"):
        encode_ids(table, "who")


def test_times_of_day_are_no_times() -> None:
    table = pa.table({"when": pa.array([1, 2]).cast(pa.time64("us"))})
    with pytest.raises(DataError, match="column 'when' of type time64"):
        times(table, "when")


def test_ids() -> None:
    def read(values: object) -> tuple[list[int], list[str]]:
        codes = encode_ids(pa.table({"a": values}), "a")
        return codes.values.tolist(), codes.ids

    assert read(["b", "", None, "a", "b"]) == ([0, -1, -1, 1, 0], ["b", "a"])
    assert read(["007", "7", "7.0", " 7"]) == ([0, 1, 2, 3], ["007", "7", "7.0", " 7"])
    assert read([3.0, NAN, math.inf, None, 3.0]) == ([0, -1, -1, -1, 0], ["3"])
    assert read([3.0, 3.5]) == ([0, 1], ["3", "3.5"])
    assert read([1e20, 3.0])[1] == ["1e+20", "3"]
    assert read(pa.array([3, 4], pa.float16())) == ([0, 1], ["3", "4"])
    assert read(pa.array([True, None, False])) == ([0, -1, 1], ["true", "false"])
    assert read(pa.nulls(2)) == ([-1, -1], [])
    assert read(pa.array([], pa.string())) == ([], [])
    assert read(pa.array([2**63 + 5], pa.uint64())) == ([0], ["9223372036854775813"])


@pytest.mark.parametrize("word", ["NULL", "null", "\\N", "NaN", "nan", "NA", "N/A", "<NA>", "None"])
def test_words_for_a_missing_value_are_no_ids(word: str) -> None:
    codes = encode_ids(pa.table({"id": ["a", word, "b"]}), "id")
    assert (codes.values.tolist(), codes.ids) == ([0, -1, 1], ["a", "b"])


def test_whole_numbers_written_as_floats() -> None:
    def read(values: list[str | None]) -> list[str]:
        return encode_ids(pa.table({"id": values}), "id").ids

    assert read(["17850.0", None, "", "3.0", "17850.0"]) == ["17850", "3"]
    for mixed in (["17850.0", "3"], ["1.0", "1.5"], ["1.0", "a"], ["1.0", "--2.0"], [".0", "1.0"]):
        assert read(mixed) == mixed
    assert read(["-17850.0", "3.0"]) == ["-17850", "3"]


def test_ids_over_many_chunks_share_their_codes() -> None:
    column = pa.chunked_array([["b", "a"], [], ["a", None, "c"]], pa.string())
    codes = encode_ids(pa.table({"a": column}), "a")
    assert (codes.values.tolist(), codes.ids) == ([0, 1, 1, -1, 2], ["b", "a", "c"])


@pytest.mark.parametrize("bad", ["a\x00b", "\n", "a\x1b[31m", "\x7f"])
def test_control_characters_make_an_id_unusable(bad: str) -> None:
    codes = encode_ids(pa.table({"a": ["x", bad, "", "漢字", "é\u200f"]}), "a")
    assert codes.usable().tolist() == [True, False, True, True, True]


def test_dense_codes_count_by_first_appearance() -> None:
    codes = encode_ids(pa.table({"a": ["x", "y", "z", "y", "w"]}), "a")
    codes.values = codes.values[[2, 4, 3, 2]]  # z, w, y, z
    values, ids = codes.dense()
    assert (values.tolist(), ids) == ([0, 1, 2, 0], ("z", "w", "y"))
