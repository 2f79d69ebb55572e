"""Items that stand in the interactions alone: which column is their title, and which text."""

import pyarrow as pa
import pytest

from pocketrec_distill.data import DataSettings, DropRule, ItemTable
from pocketrec_distill.data.formats import Published
from pocketrec_distill.data.inputs import catalogue_of
from pocketrec_distill.data.interaction_items import items_from_interactions
from pocketrec_distill.errors import DataError


def titles(columns: dict[str, list[str]], **settings: str) -> tuple[object, ...]:
    """Titles of the items a, b and c."""
    table = pa.table({"user": list("uvuvuv"), "item": list("aabbcc"), **columns})
    return tuple(items_from_interactions(table, DataSettings(**settings))[0].columns["title"])


def test_the_most_frequent_title_counts() -> None:
    table = pa.table(
        {
            "user": ["u", "v"] * 4,
            "item": ["b", "a", "b", "", "b", "c\x00", "b", "b"],
            "Description": ["", " A ", "lost", "x", " heart ", "y", "heart", " heart "],
        }
    )
    found, notes = items_from_interactions(table, DataSettings(title="Description"))
    assert found == ItemTable(("b", "a"), {"title": ("heart", "A")})
    assert notes == []
    plain, _ = items_from_interactions(table.drop(["Description"]), DataSettings())
    assert plain == ItemTable(("b", "a"), {"title": (None, None)})


def test_of_equally_frequent_titles_the_first_counts() -> None:
    of_a = ["A2", "A1", "B", "B", "C", "C"]
    assert titles({"title": of_a}) == ("A2", "B", "C")


def test_what_may_be_a_title_is_one() -> None:
    assert titles({"title": ["None", "None", "nan", "nan", "NA", "NA"]}) == ("None", None, "NA")


def test_a_column_with_a_role_is_no_title() -> None:
    kinds, headlines = ["view"] * 6, list("AABBCC")
    assert titles({"name": kinds, "headline": headlines}, event="name") == ("A", "B", "C")


def test_the_name_of_a_customer_is_no_title() -> None:
    people = {"name": ["Ada", "Alan"] * 3}
    assert titles(people) == (None, None, None)
    assert titles(people | {"product_name": list("AABBCC")}) == ("A", "B", "C")
    table = pa.table({"user": list("uvuvuv"), "item": list("aabbcc"), **people})
    _, notes = items_from_interactions(table, DataSettings())
    assert notes == [
        "column 'name' differs among the rows of an item, and is not taken as its title; "
        '[data] title = "name" takes it'
    ]
    assert titles(people, title="name") == ("Ada", "Ada", "Ada")


def test_who_nearly_always_buys_it_does_not_name_it() -> None:
    rows = [("u", "a", "Ada")] * 9 + [("v", "a", "Alan")] + [("v", "b", "Alan")] * 9
    table = pa.table(dict(zip(("user", "item", "name"), zip(*rows, strict=True), strict=True)))
    assert items_from_interactions(table, DataSettings())[0].columns["title"] == (None, None)


def test_items_that_were_bought_once() -> None:
    table = pa.table(
        {"user": list("uuvv"), "item": list("abcd"), "name": ["Ada", "Ada", "Alan", "Alan"]}
    )
    assert items_from_interactions(table, DataSettings())[0].columns["title"] == (None,) * 4
    named = table.set_column(2, "name", [list("ABCD")])
    assert items_from_interactions(named, DataSettings())[0].columns["title"] == tuple("ABCD")


def test_a_number_of_an_order_is_no_title() -> None:
    orders = {"name": ["#1", "#2", "#3", "#4", "#5", "#6"]}
    assert titles(orders) == (None, None, None)


def test_now_and_then_another_spelling_is_a_title_yet() -> None:
    table = pa.table(
        {"user": list("uvwxyz"), "item": ["a"] * 6, "title": ["A", "A", "A.", "A", "A", "A"]}
    )
    found, notes = items_from_interactions(table, DataSettings())
    assert found.columns["title"] == ("A",)
    assert notes == ["titles are what column 'title' says of an item"]


@pytest.mark.parametrize("own", ["track_name", "Track Title", "track"])
def test_a_column_named_after_the_items_goes_first(own: str) -> None:
    table = pa.table(
        {
            "user": list("uvuv"),
            "track_id": ["1", "1", "2", "2"],
            "artist_name": ["Queen"] * 4,
            own: ["One", "One", "Two", "Two"],
        }
    )
    found, _ = items_from_interactions(table, DataSettings())
    assert found.columns["title"] == ("One", "Two")


def test_rows_that_a_rule_drops_have_no_say() -> None:
    table = pa.table(
        {
            "user": ["", "", "u", "v"],
            "item": ["a", "a", "a", "b"],
            "Description": ["damaged", "damaged", "heart", "mug"],
        }
    )
    settings = DataSettings(title="Description", drop=(DropRule("user", "==", ""),))
    items, _ = catalogue_of(Published("", table, None, settings))
    assert items == ItemTable(("a", "b"), {"title": ("heart", "mug")})


@pytest.mark.parametrize("given", [True, False])
def test_items_without_a_title_are_told_of(given: bool) -> None:
    log = pa.table({"user": ["u"], "item": ["a"], "lyric": ["la"]})
    items = pa.table({"item": ["a"], "lyric": ["la"]}) if given else None
    _, notes = catalogue_of(Published("", log, items, DataSettings()))
    assert notes[-1].startswith("no item has a title, so that its id is shown; is one of ")
    assert "lyric it?" in notes[-1]
    _, quiet = catalogue_of(Published("", log, items, DataSettings(title="lyric")))
    assert quiet == []


def test_an_id_may_be_the_title() -> None:
    assert titles({}, title="item") == ("a", "b", "c")


def test_a_chosen_title_must_be_there() -> None:
    with pytest.raises(DataError, match=r"\[data\] title = \"game\": no such column"):
        titles({"name": list("AABBCC")}, title="game")
