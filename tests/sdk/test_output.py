"""What is printed: documents, tables, escapes."""

import json

import pytest

from pocketrec.cli.output import emit_json, printable, table


def test_the_schema_comes_first_and_wins(capsys) -> None:
    emit_json("thing", {"b": 1, "schema": "other/9", "a": "é漢"}, version=2)
    out = capsys.readouterr().out
    assert list(json.loads(out).items()) == [
        ("schema", "pocketrec.thing/2"),
        ("b", 1),
        ("a", "é漢"),
    ]
    assert "é漢" in out


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_never_printed(capsys, value) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        emit_json("thing", {"a": value})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\tb\nc", r"a\tb\nc"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x9b31m", r"\x9b31m"),
        ("a\u2028b", r"a\u2028b"),
        ("\udcff", r"\udcff"),
        ("क्‍ष 👩‍🚀", "क्‍ष 👩‍🚀"),  # joiners carry meaning
    ],
)
def test_printable(text, shown) -> None:
    assert printable(text) == shown


def test_a_table_aligns_numbers_to_the_right_and_counts_wide_characters() -> None:
    lines = table(["id", "n", "t"], [["漢字", "5", "x"], ["e\u0301", "1,250.5", "-"]]).split("\n")
    assert lines == [
        "id          n  t",
        "漢字        5  x",
        "e\u0301     1,250.5  -",
    ]


def test_a_table_without_rows_is_its_head() -> None:
    assert table(["#", "item"], []) == "#  item"
