"""Lists that stand in a table as text."""

import pytest

from pocketrec_distill.data import DataSettings, item_table
from pocketrec_distill.data.listed_text import is_vector, spelt_list


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("['Office Products', 'Pens']", ["Office Products", "Pens"]),
        ('["A", null]', ["A", None]),
        ("['Rock & Roll', \"Mom's\", nan]", ["Rock & Roll", "Mom's", None]),
        ("[nan, 'A', None]", [None, "A", None]),
        ("['Office Products' 'Pens']", ["Office Products", "Pens"]),
        ("['Office Products'\n 'Pens' \"Mom's\"]", ["Office Products", "Pens", "Mom's"]),
        ("[{'id': 16, 'name': 'Folk'}, {'id': 35, 'name': 'Pop'}]", ["Folk", "Pop"]),
        ('[{"title": "A"}]', ["A"]),
        # What looks like the end of a part stands within one.
        ("['say \"x\" \"y\"', 'x, nan, y', nan]", ['say "x" "y"', "x, nan, y", None]),
        ("[u'A', u\"B's\"]", ["A", "B's"]),
        ("['a\\'b' 'c', ]", ["a'b", "c"]),
        ("{A,B}", ["A", "B"]),
        (r'{"A, b",C,NULL,"say \"x\""}', ["A, b", "C", None, 'say "x"']),
        ("{}", []),
        ("[]", []),
        ('["caf\\u00e9"]', ["café"]),
    ],
)  # fmt: skip
def test_lists(text: str, parts: list[str | None]) -> None:
    assert spelt_list(text) == parts


@pytest.mark.parametrize(
    "text",
    ["", "A", "[REC]", "[REC] (2007)", "[1, 2]", "['a', ['b']]", "[{'id': 1}]", "{a: 1}", "{A,{B}}",
     "{A} and {B}", "['open", "['it''s']", "['a' nan]",
     "[" * 5000 + "]" * 5000, '{"open}', "[nan", "nan]"],
)  # fmt: skip
def test_what_only_looks_like_one(text: str) -> None:
    assert spelt_list(text) is None


@pytest.mark.parametrize(
    ("text", "vector"),
    [
        ("[0.25, -1.5e-3]", True),
        ("[ 0.25 -1.  .5]", True),
        ("[0.25 -1. ... 2.]", True),
        ("[1, 2]", False),  # may be codes
        ("[1.5]", False),
        ("[0.25, a]", False),
        ("[0.25, 1] (2007)", False),
        ("[" + "1.5" * 30_000, False),
    ],
)
def test_vectors(text: str, vector: bool) -> None:
    assert is_vector(text) is vector


def test_a_vector_that_is_spelt_out_says_nothing() -> None:
    import pyarrow as pa

    table = pa.table({"item": ["a", "b"], "size": ["[0.5, 1.5]", "[A4]"]})
    assert item_table(table, DataSettings())[0].columns["size"] == (None, "[A4]")


def test_columns_of_lists() -> None:
    import pyarrow as pa

    table = pa.table({"item": ["a", "b"], "genres": ["['Rock' 'Pop']", "{Folk}"]})
    found, _ = item_table(table, DataSettings())
    assert found.columns["genres"] == (("Rock", "Pop"), ("Folk",))
