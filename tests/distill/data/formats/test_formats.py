"""Every published format from a miniature: found by its files, read, and prepared."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.data import DataSettings, clean, item_table
from pocketrec_distill.data.formats import FORMATS, NAMED_ONLY, Published, load_published
from pocketrec_distill.data.inputs import read_inputs
from pocketrec_distill.errors import ConfigError, DataError
from pocketrec_distill.pipeline.prepare import prepare

from .miniatures import EVENTS, ITEMS, LOG, MINIATURES, USERS, movielens, write


def read(folder: Path, name: str = "") -> Published:
    if not any(folder.iterdir()):
        MINIATURES[name](folder)
    return load_published(folder, DataSettings())


def test_every_format_has_a_miniature() -> None:
    assert set(MINIATURES) == set(FORMATS)


@pytest.mark.parametrize("name", MINIATURES)
def test_a_folder_is_told_by_its_files(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, name)
    assert found.format == name
    events, _ = clean(found.interactions, found.settings)
    if name not in ("mind", "dkn"):
        assert (len(events.user_ids), len(events.item_ids)) == (USERS, ITEMS)
        assert len(events) == USERS * EVENTS
    if found.items is not None:
        catalogue, left_out = item_table(found.items, found.settings)
        assert (len(catalogue.item_ids), left_out) == (ITEMS, 0)
        assert set(events.item_ids) <= set(catalogue.item_ids)
        assert all(catalogue.columns["title"])


@pytest.mark.parametrize(
    ("name", "kind", "title", "more"),
    [
        ("movielens-100k", "1", "Amélie 0", {"release_year": "1995", "genres": "unknown"}),
        ("movielens-1m", "1", "Café: 0 (1995)", {"genres": ("Drama", "Comedy")}),
        ("movielens", "2", 'Café, the "1" (1995)', {"genres": ("Drama", "Comedy")}),
        ("movielens", "1", 'Café, the "0" (1995)', {"genres": None}),
        ("amazon-2018", "B0001", "<b>Pen</b> 1",
         {"brand": "Café", "categories": ("Office", "Pens"), "description": ("Writes.",)}),
        ("amazon-2023", "B0001", "Pen 1", {"brand": "Café", "categories": ("Office", "Pens")}),
        ("hetrec-lastfm", "1", "Mötley 0", {"tags": ("metal",)}),
        ("hetrec-lastfm", "2", "Mötley 1", {"tags": ("é lectro",)}),
        ("mind", "N3", "Title 3", {"category": "news", "abstract": "About 3."}),
        ("dkn", "title of 3", "title of 3", {"entities": "Name 3"}),
    ],
)  # fmt: skip
def test_text_of_items(
    tmp_path: Path, name: str, kind: str, title: str, more: dict[str, object]
) -> None:
    found = read(tmp_path, name)
    assert found.items is not None
    catalogue, _ = item_table(found.items, found.settings)
    row = catalogue.item_ids.index(kind)
    assert catalogue.columns["title"][row] == title
    shown = {column: catalogue.columns[column][row] for column in more}
    assert {key: value if isinstance(value, tuple) or value is None else str(value)
            for key, value in shown.items()} == {
        key: (value,) if isinstance(shown[key], tuple) and isinstance(value, str) else value
        for key, value in more.items()
    }  # fmt: skip


@pytest.mark.parametrize("name", ["movielens-100k", "movielens-1m", "movielens", "amazon-2023"])
def test_times_ratings_and_order(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, name)
    settings = replace(found.settings, min_rating=4)
    events, account = clean(found.interactions, settings)
    assert account.dropped[0].reason == "rating below 4, or none"
    rating = (lambda i: 3 + i % 5 / 2) if name == "movielens" else (lambda i: 1 + i % 5)
    good = [row for row in LOG if rating(row[1]) >= 4]
    assert len(events) == len(good)
    assert sorted(events.times.tolist()) == sorted(float(time) for _, _, time in good)


def test_reviews_text_is_never_read(tmp_path: Path) -> None:
    for name in ("amazon-2018", "amazon-2023"):
        (tmp_path / name).mkdir()
        columns = read(tmp_path / name, name).interactions.column_names
        assert columns == ["user_id", "item_id", "rating", "timestamp"]


def test_items_without_a_review_are_left_out_and_said(tmp_path: Path) -> None:
    found = read(tmp_path, "amazon-2018")
    assert found.notes == ("meta_Office.json.gz: 2 items without a review are left out",)


def test_retail_drops_what_is_no_purchase_and_says_so(tmp_path: Path) -> None:
    found = read(tmp_path, "online-retail")
    assert found.notes == ("online_retail.csv.gz is no utf-8: read as latin-1",)
    extra = replace(
        found.settings,
        drop=(*found.settings.drop, found.settings.drop[0].__class__("Country", "==", "x")),
    )
    _, account = clean(found.interactions, extra)
    assert [(entry.reason, entry.rows) for entry in account.dropped] == [
        ("rule: InvoiceNo startswith C", 1),
        ("rule: CustomerID == ", 1),
        ("rule: Quantity <= 0", 1),
    ]


def test_a_baskets_items_stay_on_one_side(tmp_path: Path) -> None:
    """Leave-one-out on invoices of two items: neither is in the history of the other."""
    MINIATURES["online-retail"](tmp_path)
    data = prepare(tmp_path, None, DistillConfig(), print)
    assert {len(history) for history in data.train} == {EVENTS - 4}
    assert {len(history) for history in data.validation.histories} == {EVENTS - 4}
    assert {len(history) for history in data.test.histories} == {EVENTS - 2}
    assert len(data.test) == USERS


def test_second_edition_of_retail(tmp_path: Path) -> None:
    header = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
    rows = "5,22,MUG,1,2009-12-01 07:45:00,2,13085,UK\nC6,22,MUG,1,2009-12-01 07:45:00,2,13085,UK\n"
    write(tmp_path / "online_retail_II.csv", header + rows)
    found = read(tmp_path)
    events, _ = clean(found.interactions, found.settings)
    assert (events.user_ids, events.item_ids, len(events)) == (("13085",), ("22",), 1)


def test_hetrec_order_is_random_but_fixed(tmp_path: Path) -> None:
    found = read(tmp_path, "hetrec-lastfm")
    events, _ = clean(found.interactions, found.settings)
    offsets, items = events.histories()
    plays = events.weights[offsets[0] : offsets[1]].tolist()
    in_file = [t for u, _, t in LOG if u == 1]
    assert plays != [1 + t % 5000 for t in in_file]
    assert sorted(plays) == sorted(1 + t % 5000 for t in in_file)
    # By hand: the hash of the ids alone decides.
    import hashlib

    keys = {
        i: hashlib.blake2b(f"1\t{i + 1}".encode(), digest_size=6).digest()
        for u, i, _ in LOG
        if u == 1
    }
    assert [events.item_ids[item] for item in items[offsets[0] : offsets[1]]] == [
        str(i + 1) for i in sorted(keys, key=lambda i: keys[i])
    ]


def test_hetrec_has_no_temporal_split_but_its_tags_have(tmp_path: Path) -> None:
    MINIATURES["hetrec-lastfm"](tmp_path)
    config = DistillConfig()
    temporal = replace(config, run=replace(config.run, split="temporal"))
    with pytest.raises(ConfigError, match=r"no listening times.*take leave-one-out"):
        prepare(tmp_path, None, temporal, print)
    tags = replace(temporal, data=DataSettings(format="hetrec-lastfm-tags"))
    data = prepare(tmp_path, None, tags, print)
    assert len(data.test) > 0
    assert "tags" not in data.columns
    assert [len(ages) for ages in data.train_ages] == [len(history) for history in data.train]
    assert prepare(tmp_path, None, config, print).train_ages == (), "a random order is no time"


def test_a_tag_of_one_user_says_nothing(tmp_path: Path) -> None:
    MINIATURES["hetrec-lastfm"](tmp_path)
    header = "userID\tartistID\ttagID\tday\tmonth\tyear\n"
    rows = "1\t1\t1\t1\t1\t2009\n1\t1\t1\t1\t2\t2009\n2\t1\t2\t1\t1\t2009\n3\t1\t2\t1\t1\t2009\n"
    write(tmp_path / "user_taggedartists.dat", header + rows)
    found = read(tmp_path)
    assert found.items is not None
    assert found.items.column("tags").to_pylist() == [["é lectro"]] + [None] * (ITEMS - 1)


@pytest.mark.parametrize("name", ["retail_rocket.csv", "retail_rocket.csv.gz"])
def test_a_name_alone_is_no_online_retail(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, "timestamp,visitorid,event,itemid,transactionid\n1,2,view,3,\n")
    with pytest.raises(
        DataError, match=r"(?s)in no known format; it holds retail_.* the path of a"
    ):
        load_published(tmp_path, DataSettings())
    with pytest.raises(DataError, match=r"no invoice column .* give its own path"):
        load_published(tmp_path, DataSettings(format="online-retail"))
    write(tmp_path / "interactions.csv", "user,item\nu,i\n")
    assert load_published(tmp_path, DataSettings()).format == "tables"


def test_a_folder_in_no_known_format_lists_what_was_looked_for(tmp_path: Path) -> None:
    write(tmp_path / "events.csv", "a,b\n")
    with pytest.raises(DataError) as caught:
        read_inputs(tmp_path, None, DataSettings())
    said = str(caught.value)
    assert "it holds events.csv" in said
    for name, known in FORMATS.items():
        assert f"  {name}: {known.files}" in said


def test_a_format_that_does_not_fit_its_folder(tmp_path: Path) -> None:
    movielens(tmp_path)
    with pytest.raises(
        DataError,
        match=r"movielens-1m, but .* holds no ratings.dat and movies.dat: movies.csv, ratings.csv",
    ):
        load_published(tmp_path, DataSettings(format="movielens-1m"))
    with pytest.raises(ConfigError, match=r"format is 'netflix'; known: amazon-2018"):
        load_published(tmp_path, DataSettings(format="netflix"))
    with pytest.raises(DataError, match="nothing at"):
        load_published(tmp_path / "gone", DataSettings(format="movielens"))


@pytest.mark.parametrize("name", sorted({**FORMATS, **NAMED_ONLY}))
def test_a_named_format_reads_a_folder_or_a_file_in_it(tmp_path: Path, name: str) -> None:
    layouts = {**MINIATURES, "hetrec-lastfm-tags": MINIATURES["hetrec-lastfm"]}
    layout = (
        layouts.get(name) or MINIATURES["movielens-1m" if name == "movielens-10m" else "movielens"]
    )
    layout(tmp_path)
    settings = DataSettings(format=name)
    by_folder = read_inputs(tmp_path, None, settings)
    file = next(path for path in sorted(tmp_path.iterdir()) if path.is_file())
    by_file = read_inputs(file, None, settings)
    assert by_file.interactions.equals(by_folder.interactions)


def test_items_beside_a_folder_are_refused(tmp_path: Path) -> None:
    movielens(tmp_path)
    with pytest.raises(DataError, match="brings its own items"):
        read_inputs(tmp_path, tmp_path / "movies.csv", DataSettings())


@pytest.mark.parametrize(
    ("name", "file", "content", "said"),
    [
        ("movielens-100k", "u.data", "1\t2\t3\n", "u.data cannot be read: .*4 columns, got 3"),
        ("movielens-100k", "u.item", "1|Film|x\n", "row of 3 fields"),
        ("movielens-1m", "ratings.dat", "1::2::3::4\n1::2::3\n", "u?ratings.dat cannot be read"),
        ("movielens-1m", "movies.dat", "1::Film\n", "movies.dat, line 1: 2 values where 3"),
        ("movielens", "movies.csv", "movieId,title\n1,Film\n", "movies.csv has no column genres"),
        ("hetrec-lastfm", "user_artists.dat", "userID\tartistID\n1\t2\n", "no column weight"),
        ("amazon-2018", "Office_5.json.gz", '{"a": 1}\n', "Office_5.json.gz has a. Give the path"),
        ("amazon-2018", "Office_5.json.gz", "[1]\n", "line 1 is no JSON object"),
        ("amazon-2018", "meta_Office.json.gz", '{"asin": "X"}\n', "none of the reviewed"),
        ("online-retail", "online_retail.csv.gz", "StockCode,Quantity\n1,2\n", "no invoice column"),
    ],
)  # fmt: skip
def test_malformed(tmp_path: Path, name: str, file: str, content: str, said: str) -> None:
    MINIATURES[name](tmp_path)
    write(tmp_path / file, content)
    with pytest.raises(DataError, match=said):
        load_published(tmp_path, DataSettings())


def test_other_json_than_amazons(tmp_path: Path) -> None:
    """What a folder of JSON holds is said, the tables in it are read, and a format named says."""
    write(tmp_path / "review.json", '{"user_id": "u", "business_id": "b", "date": "x"}\n')
    write(tmp_path / "package.json", '{\n "name": 1\n}\n')
    with pytest.raises(DataError) as caught:
        load_published(tmp_path, DataSettings())
    said = str(caught.value)
    assert "review.json has user_id, business_id, date" in said
    assert "package.json, line 2 is no JSON object" in said
    assert '[data] user = "..." and item = "..."' in said
    with pytest.raises(DataError, match=r"holds 2 files of reviews"):
        load_published(tmp_path, DataSettings(format="amazon-2018"))
    (tmp_path / "package.json").unlink()
    with pytest.raises(DataError, match="holds user_id, business_id, date; wanted are reviewerID"):
        load_published(tmp_path, DataSettings(format="amazon-2018"))
    write(tmp_path / "interactions.jsonl", '{"user_id": "u", "item_id": "b", "date": "x"}\n')
    assert load_published(tmp_path, DataSettings()).format == "tables"


def test_a_missing_user_or_item_is_no_id(tmp_path: Path) -> None:
    rows = [
        {"user_id": user, "parent_asin": item, "rating": 5.0, "timestamp": 1000}
        for user, item in (("A", "B"), (None, "B"), ("A", None), ("None", "C"), ("A", "\ud83d"))
    ]
    write(tmp_path / "X.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    found = read(tmp_path)
    events, account = clean(found.interactions, found.settings)
    assert (events.user_ids, events.item_ids) == (("A",), ("B",))
    counts = {entry.reason: entry.rows for entry in account.dropped}
    # Two nulls, and "None", which is a word for a missing id.
    assert (counts["missing user id"], counts["missing item id"]) == (2, 1)
    assert sum(counts.values()) == 4
    assert found.interactions.column("item_id").null_count == 1


def test_a_page_s_script_is_no_title(tmp_path: Path) -> None:
    MINIATURES["amazon-2018"](tmp_path)
    script = "var aPageStart = (new Date()).getTime();\nvar ue_t0 = ue_t0 || +new Date();"
    titles = [script, "var. getTime", "Pen"]
    items = [{"asin": f"B{i:04}", "title": title} for i, title in enumerate(titles)]
    write(tmp_path / "meta_Office.json.gz", "".join(json.dumps(row) + "\n" for row in items))
    found = read(tmp_path)
    assert found.items is not None
    assert found.items.column("title").to_pylist() == [None, "var. getTime", "Pen"]
    assert found.notes == ("meta_Office.json.gz: 1 titles are a page's script, so none",)


def test_damaged_gzip(tmp_path: Path) -> None:
    for name, file in (
        ("amazon-2018", "Office_5.json.gz"),
        ("online-retail", "online_retail.csv.gz"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        MINIATURES[name](folder)
        (folder / file).write_bytes((folder / file).read_bytes()[:-20])
        with pytest.raises(DataError, match="no whole gzip file"):
            load_published(folder, DataSettings())


def test_python_spelling_of_2014(tmp_path: Path) -> None:
    MINIATURES["amazon-2018"](tmp_path)
    items = [
        f"{{'asin': 'B{i:04}', 'title': \"Pen's {i}\", "
        "'categories': [['Office', 'Pens'], ['Office']]}\n"
        for i in range(ITEMS)
    ]
    write(tmp_path / "meta_Office.json.gz", "".join(items))
    found = read(tmp_path)
    assert found.items is not None
    assert found.items.column("title")[1].as_py() == "Pen's 1"
    assert found.items.column("categories")[1].as_py() == ["Office", "Pens"]


def test_weights_are_play_counts(tmp_path: Path) -> None:
    found = read(tmp_path, "hetrec-lastfm")
    events, _ = clean(found.interactions, found.settings)
    assert np.isclose(events.weights.sum(), sum(1 + t % 5000 for _, _, t in LOG))
