"""Items to text: templates, missing values, markup, and nothing beyond plain fields."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.llm.text import MAX_VALUE_CHARACTERS, TextTemplate, clean_value, is_address

COLUMNS = {
    "year": [1977, None, 1954.5],
    "title": ["Star  Wars\n", "七人の侍", float("nan")],
    "release_genres": [["Action", None, "Sci-Fi"], [], ()],
}
IDS = ["50", "b", "c"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        (np.float32("nan"), ""),
        ("", ""),
        ("  a \t\n b ", "a b"),
        (0, "0"),
        (3.5, "3.5"),
        (False, "False"),
        (["Action", "", None, float("nan"), "Drama"], "Action, Drama"),
        (("a", ["b", "c"]), "a, b, c"),
        ([], ""),
        # Lists that a table wrote as text.
        ("['Office Products']", "Office Products"),
        ('["Pens"]', "Pens"),
        ("['a', \"b's\"]", "a, b's"),
        ("['', 'a', '', \"cut off, and", "a, cut off, and"),
        ("<p>Fast &amp; <b class='x'>red</b></p>", "Fast & red"),
        ("one<br/>two<BR>three<!-- no\nmore -->", "one two three"),
        ("&lt;i&gt;Fast&lt;/i&gt;", "Fast"),
        ("Fast &amp;amp; &amp;quot;red&amp;quot;&nbsp;&#039;car&#x27;", "Fast & \"red\" 'car'"),
        ("AT&T ?a=1&copy=2 &unknown; &amp", "AT&T ?a=1&copy=2 &unknown; &amp"),
        # Characters that mean something, wherever they stand.
        ("'burbs, The (1989)", "'burbs, The (1989)"),
        ("[REC] (2007)", "[REC] (2007)"),
        ('"Heroes"', '"Heroes"'),
        ('the "Queen"', 'the "Queen"'),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<3 love > hate", "<3 love > hate"),
        ("<Untitled>", "<Untitled>"),
        ("a <- b", "a <- b"),
        ("nul\0l\x1b[31m", "nul l [31m"),
        ("lone \ud800 half", "lone half"),
        ("🦊 عنصر", "🦊 عنصر"),
        ("\ud800", ""),
    ],
)
def test_values_are_made_readable(value: object, text: str) -> None:
    assert clean_value(value) == text


def test_long_values_are_cut() -> None:
    assert clean_value("ab" * MAX_VALUE_CHARACTERS) == "ab" * (MAX_VALUE_CHARACTERS // 2)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(st.characters()))
def test_cleaned_text_can_be_encoded_and_has_no_control_characters(text: str) -> None:
    cleaned = clean_value(text)
    cleaned.encode()
    assert not any(ord(char) < 32 for char in cleaned)
    assert cleaned == cleaned.strip()


def test_a_template_is_filled_in() -> None:
    template = TextTemplate("{title} ({year}). Genres: {release_genres}; {{braces}} 100%")
    assert template.fields() == ("title", "year", "release_genres")
    assert template.render(IDS, COLUMNS) == [
        "Star Wars (1977). Genres: Action, Sci-Fi; {braces} 100%",
        "七人の侍 (). Genres: ; {braces} 100%",
        " (1954.5). Genres: ; {braces} 100%",
    ]


def test_without_a_template_all_columns_stand_title_first() -> None:
    assert TextTemplate().render(IDS, COLUMNS) == [
        "Star Wars. year: 1977. release genres: Action, Sci-Fi",
        "七人の侍",
        "year: 1954.5",
    ]


def test_an_item_without_a_value_is_its_id() -> None:
    columns = {"title": ["A", "", None], "year": [1, 2, 3]}
    assert TextTemplate("Film {title}").render(IDS, columns) == ["Film A", "b", "c"]
    assert TextTemplate().render(IDS, {}) == IDS


def test_braces_in_values_are_left_alone() -> None:
    columns = {"title": ["{year}", "{}", "{title.__class__}"], "year": [1, 2, 3]}
    assert TextTemplate("{title}").render(IDS, columns) == columns["title"]


def test_columns_may_have_numbers_and_spaces_for_names() -> None:
    columns = {"0": ["zero"], "release year": [1999], "title": ["T"]}
    assert TextTemplate("{title} {0} {release year}").render(["i"], columns) == ["T zero 1999"]


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"column 'genre', which is not among year, title"):
        TextTemplate("{title} {genre}").render(IDS, COLUMNS)
    with pytest.raises(ConfigError, match="not among no columns"):
        TextTemplate("{title}").render(IDS, {})


@pytest.mark.parametrize(
    "template",
    [
        "{title",
        "title}",
        "{}",
        "{title.__class__}",
        "{title[0]}",
        "{title!r}",
        "{title:>900000000}",
        "{title:{year}}",
        "no field at all",
    ],
)
def test_anything_beyond_plain_fields_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="text template"):
        TextTemplate(template).render(IDS, COLUMNS)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("https://x.org/a.jpg?b=1", True),
        (" HTTP://x.org ", True),
        ("//host/a.jpg", True),
        ("data:image/png;base64,AAAA", True),
        ("data:,x", True),
        (["http://x/a", "", None, "http://x/b"], True),
        (["http://x/a", "A"], False),
        (["", None], False),
        ([], False),
        ("", False),
        (None, False),
        (7, False),
        ("see https://x.org", False),
        ("https://x.org is a page", False),
        ("data: none", False),
        ("// a comment", False),
        ("and/or", False),
    ],
)
def test_addresses(value: object, address: bool) -> None:
    assert is_address(value) is address


def test_addresses_are_read_where_they_are_asked_for_only() -> None:
    columns = {
        "title": ["Lamp", "Desk", "http://x/t", None],
        "image": ["http://x/1", "a drawing", None, "//x/4"],
        "more": [("http://x/1", "http://x/2"), None, None, None],
    }
    ids = ["a", "b", "c", "d"]
    assert TextTemplate().render(ids, columns) == [
        "Lamp",
        "Desk. image: a drawing",
        "http://x/t",
        "d",
    ]
    assert TextTemplate("{image}").render(["a"], columns) == ["http://x/1"]
    # An item alone reads as it does among all.
    alone = {name: values[:1] for name, values in columns.items()}
    assert TextTemplate().render(["a"], alone) == ["Lamp"]
