"""JSON lines and arrays as tables: exact ids, lists, what has no place in a table, bad lines."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest

from pocketrec_distill.data import DataSettings, clean, item_table, json_objects, read_table
from pocketrec_distill.data.json_table import MAX_COLUMNS
from pocketrec_distill.errors import DataError


def table(folder: Path, text: str, name: str = "a.jsonl", encoding: str = "utf-8") -> pa.Table:
    path = folder / name
    content = text.encode(encoding)
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return read_table(path, encoding)


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    "name", ["a.jsonl", "a.ndjson", "a.json", "a.JSON", "a.jsonl.gz", "a.ndjson.gz", "a.json.gz"]
)
@pytest.mark.parametrize("form", ["lines", "array", "indented", "python", "windows"])
def test_forms(tmp_path: Path, name: str, form: str) -> None:
    rows = [
        {"user_id": "007", "item_id": 0, "ts": 100},
        {"user_id": "漢字", "item_id": 2**63, "ts": 1.5e2},
        {"item_id": 9007199254740993, "user_id": "7"},
    ]
    text = {
        "lines": "\n" + lines(*rows) + "\n",
        "array": json.dumps(rows),
        "indented": json.dumps(rows, indent=2, ensure_ascii=False) + "\n",
        "python": "".join(repr(row) + "\n" for row in rows),
        "windows": "\ufeff" + lines(*rows).replace("\n", "\r\n"),
    }[form]
    found = table(tmp_path, text, name)
    assert found.column_names == ["user_id", "item_id", "ts"]
    assert found.to_pydict() == {
        "user_id": ["007", "漢字", "7"],
        "item_id": ["0", "9223372036854775808", "9007199254740993"],
        "ts": ["100", "150.0", None],
    }


@pytest.mark.parametrize("indent", [None, 2])
def test_objects_by_id(tmp_path: Path, indent: int | None) -> None:
    """As generative recommenders publish them (`X.inter.json`, `X.item.json`)."""
    events = {"7": [5, 6, 5], "a b": [6]}
    found = table(tmp_path, json.dumps(events, indent=indent), "X.inter.json")
    assert found.to_pydict() == {
        "user_id": ["7", "7", "7", "a b"],
        "item_id": ["5", "6", "5", "6"],
        "position": ["0", "1", "2", "0"],
    }
    log, _ = clean(found, DataSettings())
    assert [log.item_ids[code] for code in log.items] == ["5", "6", "5", "6"]
    rows = {"5": {"title": "Lamp", "tags": ["a", "b"]}, "6": {"title": "Fox 🦊", "id": "six"}}
    items, _ = item_table(table(tmp_path, json.dumps(rows, indent=indent)), DataSettings())
    assert (items.item_ids, items.columns["title"]) == (("5", "six"), ("Lamp", "Fox 🦊"))
    told = {"7": [{"item": "5", "ts": 9}], "8": []}
    found = table(tmp_path, json.dumps(told, indent=indent), "a.json.gz")
    assert found.to_pylist() == [{"user_id": "7", "item": "5", "ts": "9"}]


EVENTS = [{"aid": 5, "ts": 9}, {"aid": 6, "ts": 10}]


def test_the_events_of_a_user_are_one_row_each(tmp_path: Path) -> None:
    sessions = [
        {"session": 1, "shop": "a", "events": EVENTS},
        {"session": 2, "shop": "b", "events": EVENTS[:1]},
    ]
    assert table(tmp_path, lines(*sessions)).to_pylist() == [
        {"session": "1", "shop": "a", "aid": "5", "ts": "9"},
        {"session": "1", "shop": "a", "aid": "6", "ts": "10"},
        {"session": "2", "shop": "b", "aid": "5", "ts": "9"},
    ]
    libraries = [{"user_id": "u", "items": [{"item_id": "10", "item_name": "Chess"}]}]
    found = table(tmp_path, "".join(f"{row!r}\n" for row in libraries))
    assert found.to_pylist() == [{"user_id": "u", "item_id": "10", "item_name": "Chess"}]


@pytest.mark.parametrize(
    "row",
    [
        {"user": "u", "item": "1", "events": EVENTS},  # what is known of one event
        {"user": "u", "time": 3, "offers": EVENTS},
        {"shop": "u", "events": EVENTS},
        {"user": "u", "events": EVENTS, "offers": EVENTS},
        {"user": "u", "discounts": [{"percent": 5}]},
        {"user": "u", "events": [*EVENTS, {"aid": 7}]},
        {"user": "u", "events": []},
        {"user": "u", "events": [*EVENTS, 7]},
    ],
)
def test_what_may_be_no_list_of_events_stays_in_its_row(
    tmp_path: Path, row: dict[str, object]
) -> None:
    assert table(tmp_path, lines(row)).num_rows == 1
    assert set(table(tmp_path, lines(row)).column_names) == set(row)


@pytest.mark.parametrize("indent", [None, 2])
def test_the_only_list_of_objects_is_wrapped(tmp_path: Path, indent: int | None) -> None:
    rows = [{"customerId": "c", "item": "1"}, {"customerId": "d", "item": "2"}]
    found = table(tmp_path, json.dumps({"data": rows}, indent=indent))
    assert found.to_pylist() == rows
    items = [{"id": "1", "title": "Lamp"}]
    assert table(tmp_path, json.dumps({"items": items}, indent=indent)).to_pylist() == items
    one = table(tmp_path, json.dumps({"u": ["1", "2"]}, indent=indent))
    assert one["user_id"].to_pylist() == ["u", "u"]


def test_objects_with_a_user_belong_to_nobody_else(tmp_path: Path) -> None:
    rows = {"train": [{"Customer ID": "c", "item": "1"}], "test": [{"Customer ID": "d"}]}
    found = table(tmp_path, json.dumps(rows))
    assert found.to_pydict() == {"Customer ID": ["c", "d"], "item": ["1", None]}
    visits = {"u": [{"session_id": "7", "item": "1"}], "v": [{"session_id": "8", "item": "1"}]}
    found = table(tmp_path, json.dumps(visits))
    assert found["user_id"].to_pylist() == ["u", "v"]


def test_objects_of_lists_may_be_rows(tmp_path: Path) -> None:
    rows = [{"tags": ["a"], "more": ["b"]}, {"tags": ["c"], "more": []}]
    assert table(tmp_path, lines(*rows)).to_pydict()["tags"] == [["a"], ["c"]]
    assert table(tmp_path, "\n\n" + lines(*rows) + "\n").num_rows == 2
    assert table(tmp_path, lines({"tags": ["a"], "item": "1"})).num_rows == 1


def test_interactions_and_items(tmp_path: Path) -> None:
    log = [{"user": u, "item": i, "time": f"2020-01-0{t}"} for u, i, t in ((1, 5, 2), (1, 6, 1))]
    events, _ = clean(table(tmp_path, lines(*log)), DataSettings())
    assert (events.user_ids, events.item_ids) == (("1",), ("5", "6"))
    assert events.items.tolist() == [1, 0]  # by time
    rows = [
        {
            "item": 5,
            "title": "Lamp",
            "tags": ["A", None, 3],
            "genres": [{"id": 1, "name": "Folk"}, {"id": 2, "name": "Pop"}],
            "vector": [0.5, 1],
            "more": {"a": 1},
            "deep": [["a"]],
            "fine": True,
            "price": 4.50,
        },
        {"item": 6, "title": None, "tags": "B", "genres": [], "new": float("nan")},
    ]
    items, left_out = item_table(table(tmp_path, lines(*rows)), DataSettings())
    assert (items.item_ids, left_out) == (("5", "6"), 0)
    assert items.columns == {
        "title": ("Lamp", None),
        "tags": (("A", "3"), ("B",)),
        "genres": (("Folk", "Pop"), None),
        "fine": ("true", None),
        "price": ("4.5", None),
        "new": (None, None),
    }


def test_columns_may_change_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three chunks: a name comes late, text turns into a list, a list into an object."""
    monkeypatch.setattr("pocketrec_distill.data.json_table._ROWS", 2)
    rows = [
        {"item": "1", "a": "x", "b": ["y"]},
        {"item": "2", "a": None, "b": None},
        {"item": "3", "a": ["y", "z"], "b": {"n": 1}},
        {"item": "4", "c": "late"},
        {"item": "5"},
    ]
    found = table(tmp_path, lines(*rows))
    assert found.column("a").to_pylist() == [["x"], None, ["y", "z"], None, None]
    assert found.column("c").to_pylist() == [None, None, None, "late", None]
    assert pa.types.is_struct(found.schema.field("b").type)
    assert item_table(found, DataSettings())[0].columns["a"] == (
        ("x",),
        None,
        ("y", "z"),
        None,
        None,
    )


def test_numbers_with_a_point_are_not_rounded(tmp_path: Path) -> None:
    found = table(tmp_path, '{"a": 4.50, "b": 9007199254740993.0}\n')
    assert found.to_pylist() == [{"a": "4.50", "b": "9007199254740993.0"}]


def test_half_a_character_is_in_no_id_and_no_text(tmp_path: Path) -> None:
    rows = [{"item": "a\ud83d", "title": "x"}, {"item": "b", "title": "cut \ud83d", "🦊": "🦊"}]
    items, left_out = item_table(table(tmp_path, lines(*rows)), DataSettings())
    assert (items.item_ids, left_out) == (("b",), 1)
    assert items.columns == {"title": ("cut \0",), "🦊": ("🦊",)}
    by_user = table(tmp_path, json.dumps({"u\ud83d": ["i", "j\ud83d"]}))
    assert by_user.to_pydict()["user_id"] == ["u\0", "u\0"]
    assert by_user.to_pydict()["item_id"] == ["i", "j\0"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no values"),
        ("{}\n\n", "holds no values"),
        ('{"a": 1}\n{"a": \n', "a.jsonl, line 2 is no JSON object"),
        ('{"a": 1}\n[1]\n', "a.jsonl, line 2 is no JSON object"),
        ('{"a": 1} {"a": 2}\n', "line 1 is no JSON object"),
        ('{\n "a": 1\n}\n', "line 2 is no JSON object.*one object per line"),
        ('{"a": {"x": 1}, "b": 2, "c": {"x": 1}\n', "line 1 is no JSON object: '\"b\": 2"),
        ('{"a": {"x": 1}\n "b": {"x": 1}}', "line 2: no comma or } after a part of the object"),
        ('{"a": {"x": 1},\n b: {"x": 1}}', "line 2: no id before 'b: "),
        ('{"a": [1]} {"b": [2]}\n', "goes on after the object"),
        ('{"a": {"x": 1},\n', "line 2: no id before ''"),
        ('{"user": 1}\n' + "[" * 100_000 + "\n", "line 2 is no JSON object"),
        ('{"a": ' + "9" * 5000 + "}\n", "line 1 is no JSON object"),
        ('{"a": ' * 9000 + "1" + "}" * 9000 + "\n", "line 1 is no JSON object"),
        ('[{"a": 1},\n {"a": 2},\n 7]', "line 3 is no JSON object: '7]'"),
        ('[{"a": 1}\n {"a": 2}]', "line 2: no comma"),
        ('[{"a": 1},\n', "line 2 is no JSON object"),
        ('[{"a": 1}]\n[{"a": 2}]', "goes on after the array"),
        (lines({str(n): 1 for n in range(MAX_COLUMNS + 1)}), "over 4,096 names"),
    ],
    ids=lambda text: text[:24],
)  # fmt: skip
def test_malformed(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        table(tmp_path, text)
    assert "a.jsonl" in str(caught.value)


def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_objects, "MAX_LINE_CHARACTERS", 30)
    assert table(tmp_path, '{"a": "' + "x" * 20 + '"}\n').num_rows == 1
    with pytest.raises(DataError, match="line 2 is longer than 30 characters"):
        table(tmp_path, '{"a": 1}\n{"a": "' + "x" * 22 + '"}\n')
    # An array, or an object by id, is one line however long.
    assert table(tmp_path, json.dumps([{"a": "x" * 30}] * 3)).num_rows == 3
    assert table(tmp_path, json.dumps({"u": ["x" * 30] * 3})).num_rows == 3


def test_encodings_and_damage(tmp_path: Path) -> None:
    assert table(tmp_path, '{"a": "é"}\n', encoding="utf-16")["a"].to_pylist() == ["é"]
    (tmp_path / "a.jsonl").write_bytes(b'{"a": "\xe9"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl cannot be read.*\[data\] encoding"):
        read_table(tmp_path / "a.jsonl")
    assert read_table(tmp_path / "a.jsonl", "latin-1")["a"].to_pylist() == ["é"]
    with pytest.raises(DataError, match=r"\[data\] encoding"):
        read_table(tmp_path / "a.jsonl", "utf-99")
    cut = gzip.compress(lines(*[{"a": n} for n in range(9999)]).encode())[:-20]
    (tmp_path / "a.json.gz").write_bytes(cut)
    with pytest.raises(DataError, match=r"a\.json\.gz is no whole gzip file"):
        read_table(tmp_path / "a.json.gz")


def test_an_object_can_have_no_role(tmp_path: Path) -> None:
    found = table(tmp_path, lines({"user": {"id": 1}, "item": "a"}))
    with pytest.raises(DataError, match="column 'user' of type struct<> cannot be read as text"):
        clean(found, DataSettings())
