"""Times of wrong clocks are told from the honest ones of a log with long tails."""

import numpy as np
import pyarrow as pa
import pytest

from pocketrec_distill.data import DataSettings, clean
from pocketrec_distill.data.strays import are_unix_times, stray_times

DAY = 86_400.0
YEAR = 365.25 * DAY


def year(number: float) -> float:
    """Seconds from 1970 to about the first of January of a year."""
    return (number - 1970) * YEAR


def log(first: float, last: float, rows: int = 1000) -> np.ndarray:
    """Times of a log with as many rows each day."""
    return np.linspace(year(first), year(last), rows)


def dropped(times: np.ndarray, *more: float) -> list[float]:
    """Which of some more times are strays among a log's; none of the log's own is."""
    mask = stray_times(np.concatenate([times, more]))
    assert not mask[: len(times)].any()
    return [time for time, stray in zip(more, mask[len(times) :].tolist(), strict=True) if stray]


def test_nine_days_and_three_rows_of_2037() -> None:
    late = [2_122_867_355.0, 2_122_867_356.0, 2_122_867_357.0]
    assert dropped(log(2017.9, 2017.925), *late) == late


@pytest.mark.parametrize("time", [0.0, 1.0, 3600.0, DAY + 1])
def test_the_first_days_of_1970_among_others(time: float) -> None:
    assert dropped(log(1996, 2018), time) == [time]
    mask = stray_times(np.array([time, time, year(2010), year(2011), year(2012)]))
    assert mask.tolist() == [True, True, False, False, False]  # however many


@pytest.mark.parametrize("time", [year(2000), year(1980), year(9999), year(2037)])
def test_years_from_a_log_of_one(time: float) -> None:
    assert dropped(log(2019, 2020), time, year(2020)) == [time]


def test_both_ends_at_once() -> None:
    assert dropped(log(2019, 2020), year(2000), year(2001), year(2037), year(2099)) == [
        year(2000), year(2001), year(2037), year(2099),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "times",
    [
        1996 + 22 * np.sqrt(np.linspace(0, 1, 1000)),  # ever more reviews
        1996 + 22 * np.linspace(0, 1, 1000) ** 0.05,  # most of them in the last year
        np.append(np.linspace(2008, 2018, 1000), 1996),  # one user long before all others
        np.append(np.linspace(2016.5, 2018, 1000), [2004, 2004.1]),
        np.append(np.linspace(2000, 2002, 1000), [2004, 2007]),  # and long after
        np.linspace(2017, 2017 + 1 / 365, 500),  # one day
        np.append(np.linspace(2017, 2017 + 1 / 365, 500), 2017 - 7 / 365),
        np.full(200, 2017.0),  # one moment
        np.linspace(2050, 2051, 500),  # wholly in the future
        np.array([1995.0, 2018.0, 2019.0, 2037.0]),  # too few to tell
    ],
    ids=range(10),
)
def test_honest_tails_lose_nothing(times: np.ndarray) -> None:
    assert not stray_times(year(times)).any()


@pytest.mark.parametrize(
    "times",
    [
        np.append(np.arange(500.0), 1e9),
        np.append(np.arange(500.0) * DAY, [0, 1e10]),  # days since something else
        np.random.default_rng(0).integers(0, 2**32, 5000).astype(float),
        np.append(np.zeros(600), log(2010, 2011, 400)),
        np.array([np.nan, np.nan]),
        np.array([]),
    ],
    ids=range(6),
)
def test_positions_keys_and_nothing_have_no_strays(times: np.ndarray) -> None:
    assert not are_unix_times(times)
    assert not stray_times(times).any()


def test_missing_times_are_none() -> None:
    times = np.array([np.nan, 0.0, year(2010), year(2011), year(2012)])
    assert stray_times(times).tolist() == [False, True, False, False, False]


def test_the_order_of_rows_does_not_matter() -> None:
    times = np.concatenate([log(2019, 2020), [year(2037), year(2000), 0.0]])
    order = np.random.default_rng(0).permutation(len(times))
    np.testing.assert_array_equal(stray_times(times[order]), stray_times(times)[order])


def test_they_are_dropped_and_counted_with_an_example() -> None:
    dates = [f"2017-11-{day:02d} 10:00" for day in range(1, 31)] * 10
    table = pa.table(
        {
            "user": ["u", "v"] * 151,
            "item": [f"i{n}" for n in range(302)],
            "time": [*dates, "1970-01-01", "2037-04-09 03:22:35"],
        }
    )
    interactions, account = clean(table, DataSettings())
    reason = "stray time in 'time' such as \"1970-01-01\" (far from all others)"
    assert [(entry.reason, entry.rows, entry.left) for entry in account.dropped] == [
        (reason, 2, 300)
    ]
    assert np.ptp(interactions.times) == 29 * DAY
