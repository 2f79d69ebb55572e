"""Which column is which."""

import pyarrow as pa
import pytest

from pocketrec_distill.data import DataSettings, clean, find_columns
from pocketrec_distill.data.columns import find_column, known_names
from pocketrec_distill.errors import DataError

ROLES = ("user", "item", "time", "event", "weight", "rating", "title")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("userId movieId rating timestamp", "userId movieId timestamp - - rating"),
        ("user_id item_id position", "user_id item_id position - - -"),
        ("userID artistID weight", "userID artistID - - weight -"),
        ("user_id artist_id track_id product", "user_id track_id - - - -"),
        ("user product_id movie_id", "user movie_id - - - -"),
        ("InvoiceNo StockCode Description Quantity InvoiceDate CustomerID",
         "CustomerID StockCode InvoiceDate - - -"),
        ("reviewerID asin overall unixReviewTime", "reviewerID asin unixReviewTime - - overall"),
        ("timestamp visitorid event itemid transactionid", "visitorid itemid timestamp event - -"),
        ("session_id item_id order timestamp", "session_id item_id timestamp - - -"),
        ("session user item", "user item - - - -"),
        ("Date,Event-Type,USER,SKU", "USER SKU Date Event-Type - -"),
    ],
)  # fmt: skip
def test_well_known_tables(names: str, found: str) -> None:
    columns = find_columns(names.replace(",", " ").split(), DataSettings())
    roles = (columns.user, columns.item, columns.time, columns.event, columns.weight,
             columns.rating)  # fmt: skip
    assert " ".join(name or "-" for name in roles) == found


def test_the_first_of_equal_names_is_taken() -> None:
    assert find_columns(["User ID", "user_id", "item"], DataSettings()).user == "User ID"


def test_no_name_stands_for_two_roles() -> None:
    names = [name for role in ROLES for name in known_names(role)]
    assert len(names) == len(set(names)) > 60


def test_settings_go_first_and_their_columns_have_no_other_role() -> None:
    names = ["user", "item", "timestamp", "date", "score"]
    assert find_columns(names, DataSettings(time="date")).time == "date"
    columns = find_columns(names, DataSettings(weight="timestamp", user="score"))
    assert (columns.weight, columns.time) == ("timestamp", "date")
    assert (columns.user, columns.rating) == ("score", None)
    assert columns.used() == {"timestamp", "date", "score", "item"}


def test_one_column_for_two_roles_is_refused() -> None:
    with pytest.raises(DataError, match=r'\[data\] user and rating both name column "x"'):
        find_columns(["x", "item"], DataSettings(user="x", rating="x"))


def test_what_is_missing_is_said_with_what_was_looked_for() -> None:
    with pytest.raises(DataError) as caught:
        find_columns(["who", "item"], DataSettings())
    message = str(caught.value)
    for part in ("no user column among who, item;", "userid", "customerid", '[data] user = "..."'):
        assert part in message
    with pytest.raises(DataError, match="no item column among user, what;"):
        find_columns(["user", "what"], DataSettings())
    with pytest.raises(DataError, match=r'\[data\] time = "when": no such column among user, item'):
        find_columns(["user", "item"], DataSettings(time="when"))
    with pytest.raises(DataError, match=r"no item id column .* \[data\] item_id ="):
        find_column("item_id", "", ["title"], required=True)


@pytest.mark.parametrize(
    "names",
    [
        ["1", "2268318", "2520377", "pv", "1511544070"],
        ["u1", "B01", "2019-03-01 10:00"],
        ["u1", "B01", "4.5"],
        ["u1", "B01", ""],
        ["N1", "sports", "soccer", "[]", "[]"],
        ["u1", "11/13/2019 9:05:58 AM"],
    ],
)
def test_names_that_are_values_are_no_header(names: list[str]) -> None:
    with pytest.raises(DataError, match="no user column among") as caught:
        find_columns(names, DataSettings())
    assert "the file seems to have no header; if it is text, add a first" in str(caught.value)
    assert f"with its {len(names)} names, such as user_id,item_id" in str(caught.value)
    assert "[data]" not in str(caught.value)


@pytest.mark.parametrize(
    "names",
    [
        ["who", "what", "2019", "item", "2020"],  # one of them is a name
        ["", "who", "what"],  # row labels of a data frame
        ["0", "1", "2"],  # no names in a data frame
        ["who", "what", "f1", "x2", "3d-model"],
    ],
)
def test_names_are_a_header(names: list[str]) -> None:
    with pytest.raises(DataError, match=r"no user column among .* \[data\] user = ") as caught:
        find_columns(names, DataSettings())
    assert "no header" not in str(caught.value)


def test_none_is_no_user() -> None:
    with pytest.raises(DataError, match=r'\[data\] user = "none": no such column among user, item'):
        find_columns(["user", "item"], DataSettings(user="none"))
    assert find_column("title", "none", ["id", "title"], required=False) is None


def test_many_names_are_cut() -> None:
    with pytest.raises(DataError, match=r"f11 and 9,988 more;") as caught:
        find_columns([f"f{n}" for n in range(10_000)], DataSettings())
    assert len(str(caught.value)) < 400
    with pytest.raises(DataError) as caught:
        find_columns(["1|2|3" * 1000], DataSettings())
    assert len(str(caught.value)) < 400
    assert "first line" in str(caught.value)


def test_an_order_number_is_no_time() -> None:
    table = pa.table({"user": ["u"] * 3, "item": ["a", "b", "c"], "order": ["Z-9", "A-1", "7"]})
    interactions, account = clean(table, DataSettings())
    assert interactions.item_ids == ("a", "b", "c")
    assert interactions.times.tolist() == [0, 1, 2]
    assert account.notes == [
        "column 'order' holds no numbers and is not taken as time",
        "no time column: the order of rows is taken as the order of events",
    ]


def test_a_position_is_a_time_if_it_holds_numbers() -> None:
    table = pa.table({"user": ["u"] * 3, "item": ["a", "b", "c"], "position": ["2", "1", "x"]})
    interactions, account = clean(table, DataSettings())
    assert interactions.item_ids == ("a", "b")  # codes count by first appearance
    assert interactions.items.tolist() == [1, 0]
    assert account.dropped[0].reason.startswith("bad time")


def test_a_chosen_time_is_taken_at_its_word() -> None:
    table = pa.table({"user": ["u"], "item": ["a"], "order": ["Z-9"]})
    with pytest.raises(DataError, match="bad time"):
        clean(table, DataSettings(time="order"))


def test_day_month_and_year_are_no_time() -> None:
    table = pa.table({"user": ["u"], "item": ["a"], "day": [1], "month": [4], "year": [2009]})
    _, account = clean(table, DataSettings())
    assert (
        account.notes[0] == "day, month and year are no single time column; join them to use them"
    )
