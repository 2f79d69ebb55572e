"""Every kind of table gives the same interactions; every malformed one a clear error."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from pocketrec_distill.data import DataSettings, clean, read_table
from pocketrec_distill.errors import DataError
from pocketrec_runtime.errors import MissingExtraError

# Three users, four items; user 2 comes first in time, but not in the table.
ROWS = (
    ("007", "漢字", 100),
    ("007", "x,y", 300),
    ("7", "a;b", 50),
    ("ا", "漢字", 70),
    ("ا", "007", 90),
)
EXPECTED = {"007": ["漢字", "x,y"], "7": ["a;b"], "ا": ["漢字", "007"]}

DEFAULT = DataSettings()


def columns() -> dict[str, list[str] | list[int]]:
    users, items, times = (list(column) for column in zip(*ROWS, strict=True))
    return {"user_id": users, "item_id": items, "timestamp": times}


def histories(source: object, settings: DataSettings = DEFAULT) -> dict[str, list[str]]:
    interactions, _ = clean(read_table(source, settings.encoding), settings)
    offsets, items = interactions.histories()
    return {
        user: [interactions.item_ids[code] for code in items[offsets[u] : offsets[u + 1]]]
        for u, user in enumerate(interactions.user_ids)
    }


def delimited(delimiter: str, *, quoted: bool = True, header: str = "") -> str:
    quote = '"' if quoted else ""
    lines = [header or delimiter.join(("user_id", "item_id", "timestamp"))]
    lines += [delimiter.join((u, f"{quote}{i}{quote}", str(t))) for u, i, t in ROWS]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", delimited(",")),
        ("a.CSV", delimited(",")),
        ("semicolons.csv", delimited(";")),
        ("bars.txt", delimited("|")),
        ("windows.csv", delimited(",").replace("\n", "\r\n")),
        ("old_mac.csv", delimited(",").replace("\n", "\r")),
        ("blank_lines.csv", "\n\r\n" + delimited(",").replace("007,", "\n\n007,")),
        ("no_last_newline.csv", delimited(",").rstrip("\n")),
        ("marked.csv", "\ufeff" + delimited(",")),
        ("spaced.csv", delimited("| ", quoted=False)),
        ("a.tsv", delimited("\t", quoted=False)),
        ("a.dat", delimited("\t", quoted=False)),
        ("hive.txt", delimited("\x01", quoted=False)),
        ("colons.dat", delimited("::", quoted=False)),
        ("marked_colons.dat", "\ufeff\n" + delimited("::", quoted=False).replace("\n", "\r\n")),
        ("spaces.txt", delimited(" ", quoted=False)),
        ("aligned.txt", delimited("   ", quoted=False).replace("\n", "  \r\n  ").rstrip(" ")),
        (
            "a.inter",
            delimited("\t", quoted=False, header="user_id:token\titem_id:token\ttimestamp:float"),
        ),
    ],
)
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gz"])
def test_delimited_files(tmp_path: Path, name: str, text: str, zipped: bool) -> None:
    path = tmp_path / (name + ".gz" if zipped else name)
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    assert histories(path) == EXPECTED


def as_pandas() -> object:
    import pandas as pd

    frame = pd.DataFrame(columns())
    # Row labels, here out of order and repeated, are no column of the table.
    frame.index = pd.Index([9, 3, 3, 1, 0])
    return frame


def as_polars() -> object:
    import polars as pl

    return pl.DataFrame(columns())


@pytest.mark.parametrize(
    "make",
    [
        lambda: pa.table(columns()),
        lambda: pa.table(columns()).to_batches()[0],
        lambda: pa.RecordBatchReader.from_batches(
            pa.table(columns()).schema, pa.table(columns()).to_batches(max_chunksize=2)
        ),
        as_pandas,
        as_polars,
    ],
    ids=["arrow", "batch", "reader", "pandas", "polars"],
)
def test_frames(make) -> None:
    assert histories(make()) == EXPECTED


def test_row_labels_are_no_column_unless_named(tmp_path: Path) -> None:
    frame = as_pandas()
    assert read_table(frame).column_names == ["user_id", "item_id", "timestamp"]
    frame.to_parquet(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").column_names == ["user_id", "item_id", "timestamp"]
    by_user = as_pandas().set_index("user_id")
    assert set(read_table(by_user).column_names) == {"user_id", "item_id", "timestamp"}
    assert histories(by_user) == EXPECTED


def test_frames_that_are_no_table() -> None:
    import pandas as pd

    with pytest.raises(DataError, match="surrogate"):
        read_table(pd.DataFrame({"user": ["a", "\ud800"]}, dtype=object))
    with pytest.raises(DataError, match="DataFrame cannot be read"):
        read_table(pd.DataFrame({"user": ["a", object()], "item": ["b", "c"]}))
    doubled = pa.table([pa.array(["1"]), pa.array(["2"])], names=["user", "user"])
    with pytest.raises(DataError, match="the Table names a column twice: user, user"):
        read_table(doubled)


@pytest.mark.parametrize("suffix", ["parquet", "pq"])
@pytest.mark.parametrize(
    "types",
    [
        (pa.string(), pa.string(), pa.int64()),
        (pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.float32()),
        (pa.dictionary(pa.int32(), pa.large_string()), pa.string_view(), pa.timestamp("s")),
        (pa.string(), pa.string(), pa.timestamp("ns", "Europe/Oslo")),
        (pa.string(), pa.string(), pa.uint16()),
    ],
    ids=["plain", "dictionary", "view", "zoned", "unsigned"],
)
def test_parquet_of_every_column_type(tmp_path: Path, suffix: str, types: tuple) -> None:
    arrays = [
        pa.array(values, kind if not pa.types.is_temporal(kind) else pa.int64()).cast(kind)
        if not pa.types.is_timestamp(kind)
        else pa.array([value * (10**9 if kind.unit == "ns" else 1) for value in values]).cast(kind)
        for values, kind in zip(columns().values(), types, strict=True)
    ]
    path = tmp_path / f"a.{suffix}"
    parquet.write_table(pa.table(dict(zip(columns(), arrays, strict=True))), path)
    assert histories(path) == EXPECTED


@pytest.mark.parametrize(
    "ids",
    [
        pa.array([7, 12, 7], pa.int32()),
        pa.array([7, 12, 7], pa.uint64()),
        pa.array([7.0, 12.0, 7.0], pa.float64()),
        pa.array([7, 12, 7]).cast(pa.decimal128(19, 0)),
        pa.array(["7", "12", "7"]).dictionary_encode(),
        pa.array([7, 12, 7]).dictionary_encode(),
        pa.array([b"7", b"12", b"7"]),
    ],
    ids=["int32", "uint64", "float", "decimal", "dictionary", "int dictionary", "bytes"],
)
def test_ids_of_any_type_are_strings(ids: pa.Array) -> None:
    table = pa.table({"user": ids, "item": ids})
    assert histories(table) == {"7": ["7", "7"], "12": ["12"]}


def test_quotes_newlines_and_delimiters_inside_a_value(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text(
        'item,title\n1,"say ""hi"", you"\n2,"two\nlines"\n3,plain "inner" quotes\n4,\n',
        encoding="utf-8",
    )
    titles = read_table(path)["title"].to_pylist()
    assert titles == ['say "hi", you', "two\nlines", 'plain "inner" quotes', ""]


def test_the_mark_of_utf_8_is_no_part_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf" + b"user,item\nu1,i1\n")
    assert read_table(path).column_names == ["user", "item"]


def test_a_space_that_not_every_value_begins_with_is_of_the_value(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user, item, name\nu, 1, a\n v, 2,b\nw,,\n")
    assert read_table(tmp_path / "a.csv").to_pydict() == {
        "user": ["u", " v", "w"], "item": ["1", "2", ""], " name": [" a", "b", ""],
    }  # fmt: skip


def test_colons_hold_every_character(tmp_path: Path) -> None:
    (tmp_path / "movies.dat").write_text(
        'movieId::title::genres\n1::The "Burbs, or: so\t(1989)::A|B\n'
    )
    assert read_table(tmp_path / "movies.dat").to_pylist() == [
        {"movieId": "1", "title": 'The "Burbs, or: so\t(1989)', "genres": "A|B"}
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("user id\n7\n", ["user id"]),
        ("user id\none of two\n", ["user id"]),
        ('"user" "item"\n1 2\n', None),
        ("item name,year\na b,1999\n", ["item name", "year"]),
        ("a::b,c::d\n1,2\n", ["a::b", "c::d"]),
        ("user item\n", ["user item"]),
    ],
)
def test_a_name_may_hold_spaces_and_colons(
    tmp_path: Path, text: str, names: list[str] | None
) -> None:
    (tmp_path / "a.csv").write_text(text)
    if names is None:
        with pytest.raises(DataError, match="unreadable header"):
            read_table(tmp_path / "a.csv")
    else:
        assert read_table(tmp_path / "a.csv").column_names == names


def test_where_there_is_one_column_the_separators_are_named(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("1:\n2,5,2005-09-06\n")
    with pytest.raises(DataError, match=r"log.txt: the first line names one column, '1:'.* spaces"):
        read_table(path)
    path.write_text("user/item\n1/2\n")
    with pytest.raises(DataError, match=r"no user column among user/item; .* commas, tabs, ; "):
        histories(path)


def test_the_delimiter_is_not_counted_inside_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('"sizes, colours, prices";user;item\n1,2,3;u1;i1\n')
    assert read_table(path).column_names == ["sizes, colours, prices", "user", "item"]


def test_zipped_parquet(tmp_path: Path) -> None:
    parquet.write_table(pa.table(columns()), tmp_path / "a.parquet")
    zipped = tmp_path / "b.parquet.gz"
    zipped.write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    assert histories(zipped) == EXPECTED


def test_tabs_have_no_quoting(tmp_path: Path) -> None:
    path = tmp_path / "items.tsv"
    path.write_text('item\ttitle\n1\t"Heroes"\n2\t"open\n3\tit\'s, so\n', encoding="utf-8")
    assert read_table(path)["title"].to_pylist() == ['"Heroes"', '"open', "it's, so"]


def test_tabs_have_quoting_where_all_names_are_quoted(tmp_path: Path) -> None:
    path = tmp_path / "items.tsv"
    path.write_text('"item"\t"title"\n"1"\t"""Heroes"""\n2\t"two\tand\nthree"\n', encoding="utf-8")
    table = read_table(path)
    assert table.to_pydict() == {"item": ["1", "2"], "title": ['"Heroes"', "two\tand\nthree"]}
    path.write_text('"item"\ttitle\n1\t"Heroes"\n', encoding="utf-8")
    assert read_table(path)["title"].to_pylist() == ['"Heroes"']


def test_a_header_may_be_quoted_and_hold_newlines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('"user","item","a, long\nname"\nu1,i1,x\n', encoding="utf-8")
    table = read_table(path)
    assert table.column_names == ["user", "item", "a, long\nname"]
    assert table.to_pylist() == [{"user": "u1", "item": "i1", "a, long\nname": "x"}]


def test_a_value_of_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("item,text\n1," + "漢" * (2 << 20) + '\n2,"a\nb"\n', encoding="utf-8")
    assert read_table(path)["text"].to_pylist() == ["漢" * (2 << 20), "a\nb"]


def test_a_quoted_newline_at_the_end_is_fine(tmp_path: Path) -> None:
    for text in ('item,title\n1,"a\n"', 'item,title\n1,"a\n"\n', 'item,title\n1,"""\n"""\n'):
        (tmp_path / "a.csv").write_text(text, newline="")
        assert "\n" in read_table(tmp_path / "a.csv")["title"][0].as_py()


def test_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("user,item\nU1,Amélie\n".encode("latin-1"))
    assert histories(path, DataSettings(encoding="latin-1")) == {"U1": ["Amélie"]}
    path.write_bytes("user,item\nU1,Amélie\n".encode("utf-16"))
    assert histories(path, DataSettings(encoding="utf-16")) == {"U1": ["Amélie"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"user,item\nu1,\xff\xfe\n", "encoding"),
        (b"us\xffer,item\nu1,i1\n", "encoding"),
        (b"user,item\nu1,i1\nu2,i2,i3\n", "Row #3: Expected 2"),
        (b"user,item\nu1,i1\nu2\n", "Row #3: Expected 2"),
        (b"user,item,user\nu1,i1,u2\n", "twice: user, item, user; the first line"),
        (b"u1,i1,[],[]\nu2,i2,[],[]\n", "twice: u1, i1, .* seems to have no header; if it is"),
        (b'user,item\nu0,i0\nu1,"i1\nu2,i2\n', "quote opened in row 3 never closes"),
        (b'"user,item\nu1,i1\n', "unreadable header: unexpected end"),
    ],
)
def test_malformed_delimited_files(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        read_table(path)
    assert "log.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"no parquet at all"),
        ("a.parquet", b""),
        ("a.csv.gz", b"no gzip at all"),
        ("a.csv.gz", gzip.compress(b"user,item\n" * 9999)[:-20]),
    ],
)
def test_a_file_that_is_not_what_its_name_says(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / name)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet"])
def test_what_the_system_refuses_is_no_fault_of_the_content(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A name that was a file when it was looked at, and is a folder when it is opened.
    (tmp_path / name).mkdir()
    monkeypatch.setattr(Path, "is_file", lambda _: True)
    with pytest.raises(OSError, match=name) as caught:
        read_table(tmp_path / name)
    assert not isinstance(caught.value, DataError)


def test_no_file_no_kind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file at"):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="no file at"):
        read_table(tmp_path)
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"a\.xlsx is of no known kind; save its sheet as CSV"):
        read_table(tmp_path / "a.xlsx")
    (tmp_path / "a.feather").write_bytes(b"x")
    with pytest.raises(DataError, match=r"a\.feather is of no known kind; give \.csv"):
        read_table(tmp_path / "a.feather")
    with pytest.raises(DataError, match="from a dict; give a path"):
        read_table({"user": [1]})


def test_an_unknown_encoding_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\n1,2\n")
    with pytest.raises(DataError, match=r"\[data\] encoding"):
        read_table(tmp_path / "a.csv", "utf-99")


def test_a_header_only_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\n")
    with pytest.raises(DataError, match=r"no interaction is left after cleaning:\nrows read"):
        histories(tmp_path / "a.csv")


def test_a_wide_table(tmp_path: Path) -> None:
    names = [f"feature_{n}" for n in range(10_000)] + ["user", "item"]
    path = tmp_path / "a.csv"
    path.write_text(",".join(names) + "\n" + ",".join("0" * 10_000) + ",u1,i1\n")
    assert histories(path) == {"u1": ["i1"]}


@pytest.mark.parametrize(
    ("name", "said"), [("x" * 200_000, "field limit"), ("xy," * 400_000, "over 1,048,576 bytes")]
)
def test_a_header_of_a_megabyte_is_refused(tmp_path: Path, name: str, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"user,item,{name}\nu1,i1,1\n")
    with pytest.raises(DataError, match=f"a.csv has .* header.* {said}"):
        read_table(path)


def test_without_pyarrow_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r'pip install "pocketrec\[distill\]"'):
        read_table("a.csv")
