"""The items table: ids, titles, lists."""

from pathlib import Path

import pyarrow as pa
import pytest

from pocketrec_distill.data import DataSettings, ItemTable, item_table, read_table
from pocketrec_distill.data.items import MAX_LIST_CHARACTERS, MAX_TAGS
from pocketrec_distill.errors import DataError


def items(columns: dict, **settings) -> ItemTable:
    return item_table(pa.table(columns), DataSettings(**settings))[0]


def test_the_first_row_of_an_id_counts() -> None:
    table = pa.table(
        {
            "item": ["b", "a", "", "b", None, "a\x00", "c"],
            "title": ["B", "A", "x", "y", "z", "w", ""],
        }
    )
    found, left_out = item_table(table, DataSettings())
    assert found.item_ids == ("b", "a", "c")
    assert found.columns == {"title": ("B", "A", None)}
    assert left_out == 4


def test_ids_match_those_of_interactions() -> None:
    assert items({"movieId": pa.array([3.0, 1.0])}).item_ids == ("3", "1")
    assert items({"id": ["007", "7"]}).item_ids == ("007", "7")
    assert items({"id": ["x"], "item_id": ["y"]}).item_ids == ("y",)


def test_no_usable_row() -> None:
    with pytest.raises(DataError, match="no usable id in column 'item'"):
        items({"item": ["", None], "title": ["a", "b"]})
    with pytest.raises(DataError, match=r"\[data\] item_id"):
        items({"title": ["a"]})
    with pytest.raises(DataError, match=r'\[data\] title = "name": no such column'):
        items({"item": ["a"]}, title="name")


@pytest.mark.parametrize(
    ("names", "title"),
    [
        ("item title name", "title"),
        ("item_id movie_title release_year class", "movie_title"),
        ("id name", "name"),
        ("StockCode Description", "Description"),
        ("item brand", None),
        ("item book_title book_author", "book_title"),
        ("item book_title series_title", None),
        ("track_id artist_name track_name", "track_name"),
        ("song_id artist_name song", "song"),
        ("item artist_name track_name", "track_name"),
        ("artist_id description artist_name", "artist_name"),
        ("video_id video title video_description", "title"),
        ("video_id video headline", "headline"),
    ],
)
def test_the_title(names: str, title: str | None) -> None:
    columns = {name: [f" {name} of x ", ""] for name in names.split()}
    columns[names.split(maxsplit=1)[0]] = ["x", "y"]
    found = items(columns)
    assert found.columns["title"] == ((f"{title} of x" if title else None), None)
    assert next(iter(found.columns)) == "title"
    assert title == "title" or title not in found.columns


def test_a_chosen_title_keeps_the_column_of_that_name() -> None:
    found = items({"item": ["x"], "title": ["Dr"], "name": ["Who"]}, title="name")
    assert found.columns == {"title": ("Who",), "other title": ("Dr",)}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["Action|Sci-Fi", "Drama", None, ""], (("Action", "Sci-Fi"), ("Drama",), None, None)),
        (["a | b|", "|", "c"], (("a", "b"), None, ("c",))),
        (["['a', 'b']", '["c"]', "[]", "[1, 2]"], (("a", "b"), ("c",), None, "[1, 2]")),
        (["[not a list]", "['open", "['a', ['b']]", " x "], ("[not a list]", "['open",
                                                            "['a', ['b']]", "x")),
        (pa.array([["a", None, "b"], [], None, ["c"]]), (("a", "b"), None, None, ("c",))),
        (pa.array([[1, 2], [], None]), (("1", "2"), None, None)),
        (pa.array([1995.0, None, 2001.0]), ("1995", None, "2001")),
        (pa.array([9.5, 3.0]), ("9.5", "3")),
        (pa.array([True, False, None]), ("true", "false", None)),
        (pa.array(["a", "b"]).dictionary_encode(), ("a", "b")),
    ],
)  # fmt: skip
def test_values(values: object, expected: tuple) -> None:
    found = items({"item": [str(n) for n in range(len(values))], "x": values})
    assert found.columns["x"] == expected


def test_a_bar_in_prose_is_no_list() -> None:
    prose = (
        "A long description of something | with a bar that parts two of its sentences, as in " * 3
    )
    assert items({"item": ["1", "2"], "x": [prose, prose]}).columns["x"] == (prose.strip(),) * 2
    rare = ["one|two", *["plain"] * 10]
    assert items({"item": [str(n) for n in range(11)], "x": rare}).columns["x"] == tuple(rare)


@pytest.mark.parametrize(
    "hostile",
    [
        "[" * 90_000 + "]" * 9_000,
        "[" + "-" * 90_000 + "1]",
        "[" + "1+" * 40_000 + "1]",
        "[" + "9" * 90_000 + "]",
        "['\\N{', 'a']",
        "['\\d']\x00]",
        "[__import__('os').getcwd()]",
        "['" + "a" * MAX_LIST_CHARACTERS + "']",
    ],
    ids=lambda text: text[:12] + str(len(text)),
)
def test_text_that_only_looks_like_a_list_stays_text(hostile: str) -> None:
    assert items({"item": ["1"], "x": [hostile]}).columns["x"] == (hostile,)


def test_an_odd_backslash_in_a_list_warns_nobody() -> None:
    assert items({"item": ["1"], "x": ["['5\\d']"]}).columns["x"] == (("5\\d",),)


def test_columns_that_describe_nothing_are_left_out() -> None:
    found = items(
        {
            "item": ["1"],
            "title": ["t"],
            "vector": pa.array([[0.5, 0.25]]),
            "fixed": pa.array([[0.5]], pa.list_(pa.float32(), 1)),
            "structure": pa.array([{"a": 1}]),
            "map": pa.array([[("k", "v")]], pa.map_(pa.string(), pa.string())),
            "deep": pa.array([[["a"]]]),
            "image": pa.array([b"\xff\xd8"]),
        }
    )
    assert found.columns == {"title": ("t",)}


def test_a_column_without_words_is_no_title() -> None:
    found = items({"item": ["1"], "title": pa.array([{"en": "t"}]), "name": ["n"]})
    assert found.columns == {"title": ("n",)}


def test_row_labels_describe_nothing() -> None:
    nameless = {"": ["0"], "Unnamed: 0": ["0"], "Unnamed: 0.1": ["0"], " ": ["0"]}
    named = {"unnamed": ["x"], "index": ["7"]}
    found = items({"item": ["1"], **nameless, **named})
    assert found.columns == {"title": (None,), "unnamed": ("x",), "index": ("7",)}
    assert items({"Unnamed: 0": ["1"], **named}, item_id="Unnamed: 0").item_ids == ("1",)
    assert items({"item": ["1"], **nameless}, title="Unnamed: 0").columns == {"title": ("0",)}


@pytest.mark.parametrize("word", ["nan", "NaN", "NULL", "null", "\\N", "<NA>", "N/A", " nan "])
def test_words_for_a_missing_value_are_no_text(word: str) -> None:
    found = items(
        {
            "item": ["1", "2"],
            "title": [word, "Song"],
            "year": [word, "1999"],
            "genres": [f"Rock|{word}", "Folk|Pop"],
            "tags": pa.array([[word], ["a", word]]),
        }
    )
    assert found.columns == {
        "title": (None, "Song"),
        "year": (None, "1999"),
        "genres": (("Rock",), ("Folk", "Pop")),
        "tags": (None, ("a",)),
    }


@pytest.mark.parametrize("word", ["None", "NA", "Nan", "Null", "0", "-"])
def test_what_may_be_a_title_is_text(word: str) -> None:
    assert items({"item": ["1"], "title": [word]}).columns == {"title": (word,)}


def test_a_title_that_is_a_list_is_one_text() -> None:
    assert items({"item": ["1", "2"], "title": pa.array([["A", "B"], []])}).columns["title"] == (
        "A, B",
        None,
    )
    assert items({"item": ["1"], "title": ["A|B"]}).columns["title"] == ("A|B",)


def test_recbole_items(tmp_path: Path) -> None:
    path = tmp_path / "a.item"
    path.write_text(
        "item_id:token\tmovie_title:token_seq\tyear:token\tclass:token_seq\n"
        "1\tToy Story\t1995\tAnimation Children's\n2\tHeat\t\t\n3\tBambi\t1942\tAnimation\n"
    )
    assert item_table(read_table(path), DataSettings())[0] == ItemTable(
        ("1", "2", "3"),
        {"title": ("Toy Story", "Heat", "Bambi"), "year": ("1995", None, "1942"),
         "class": (("Animation", "Children's"), None, ("Animation",))},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["'Movies & TV', 'Studio, Specials'", "'Pens'", ""],
         (("Movies & TV", "Studio, Specials"), ("Pens",), None)),
        (["['A B', 'C']", "{A,B}", "nan", "'A', \"B's\""],
         (("A B", "C"), ("A", "B"), None, ("A", "B's"))),
        (["Action, Free to Play", "Free to Play", "'Til, Dawn"],
         (("Action", "Free to Play"), ("Free to Play",), ("'Til", "Dawn"))),
        (["Sci Fi|War", "War"], (("Sci Fi", "War"), ("War",))),
        (["Drama", "War Drama", "Sci-Fi War"], (("Drama",), ("War", "Drama"), ("Sci-Fi", "War"))),
        (["Mark P. O. Morford", "Amy Tan", "Homer"], ("Mark P. O. Morford", "Amy Tan", "Homer")),
        (["7 up", "1995 1996"], ("7 up", "1995 1996")),
        (["'" + "a " * MAX_LIST_CHARACTERS + "'"], ("'" + "a " * MAX_LIST_CHARACTERS + "'",)),
        (["[ " * 9000 + "x", "'x' 'y"], ("[ " * 9000 + "x", "'x' 'y")),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_recbole_lists(tmp_path: Path, values: list[str], expected: tuple) -> None:
    path = tmp_path / "a.item"
    rows = [f"{n}\t{value}\n" for n, value in enumerate(values)]
    path.write_text("item_id:token\tx:token_seq\n" + "".join(rows))
    assert item_table(read_table(path), DataSettings())[0].columns["x"] == expected


def test_many_words_are_no_tags(tmp_path: Path) -> None:
    path = tmp_path / "a.item"
    for words, expected in ((MAX_TAGS, ("w0", "w1")), (MAX_TAGS + 1, "w0 w1")):
        rows = [f"{n}\tw{n}\n" for n in range(words)]
        path.write_text("item_id:token\tx:token_seq\n" + "".join(rows) + "last\tw0 w1\n")
        found = item_table(read_table(path), DataSettings())[0]
        assert found.columns["x"][-1] == expected


def test_extended() -> None:
    table = ItemTable(("a", "b"), {"title": ("A", "B"), "year": ["1", None]})
    more = table.extended(["b", "d", "c", "d"])
    assert more.item_ids == ("a", "b", "d", "c")
    assert more.columns == {"title": ("A", "B", None, None), "year": ("1", None, None, None)}
    assert table.item_ids == ("a", "b")


def test_an_items_table_holds_what_it_says() -> None:
    with pytest.raises(DataError, match="holds an id twice"):
        ItemTable(("a", "a"), {"title": (None, None)})
    with pytest.raises(DataError, match="'year' has 1 values for 2 items"):
        ItemTable(("a", "b"), {"title": (None, None), "year": ("1",)})
    with pytest.raises(DataError, match="no column 'title'"):
        ItemTable(("a",), {})


def test_text_in_any_script_and_of_any_length() -> None:
    titles = ["七人の侍", "عنصر", "é🎬", "x" * 1_000_000]
    found = items({"item": [*titles[:3], "4"], "title": titles})
    assert found.item_ids == ("七人の侍", "عنصر", "é🎬", "4")
    assert found.columns["title"] == tuple(titles)
