"""Which columns hold the ids of items, where two tables tell it better than one."""

from pathlib import Path

import pyarrow as pa
import pytest

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.data import DataSettings, item_table
from pocketrec_distill.data.inputs import columns_of_items, read_inputs
from pocketrec_distill.data.item_ids import on_other_ids, with_item_ids
from pocketrec_distill.pipeline.prepare import prepare

# What stands once in each row of an items table, and what does not.
ONE_EACH, SHARED = [str(n) for n in range(10)], ["0", "1"] * 5


def told(log: str, items: dict[str, object], **chosen: str) -> tuple[str, str]:
    """The columns of item ids in both tables; empty where their own names tell."""
    table = pa.table({name: ["1"] for name in log.split()})
    settings = with_item_ids(table, pa.table(items), DataSettings(**chosen))
    return settings.item, settings.item_id


@pytest.mark.parametrize(
    ("log", "items", "expected"),
    [
        ("user track_id", {"artist_id": SHARED, "trackId": ONE_EACH}, ("track_id", "trackId")),
        ("user asin parent_asin", {"parent_asin": ONE_EACH}, ("parent_asin", "parent_asin")),
        ("user item_id", {"movie_id": ONE_EACH, "Item ID": SHARED}, ("item_id", "Item ID")),
        ("user item_id", {"movie_id": ONE_EACH}, ("", "movie_id")),
        ("user id item_id", {"id": ONE_EACH, "item_id": ONE_EACH}, ("item_id", "item_id")),
        ("user id item_id", {"id": ONE_EACH, "title": ONE_EACH}, ("", "id")),
        # Ids of rows go before those that repeat, and behind those of both tables.
        ("user track_id artist_id", {"id": ONE_EACH, "artist_id": SHARED}, ("", "id")),
        ("user asin sku", {"id": ONE_EACH, "sku": ONE_EACH}, ("sku", "sku")),
        ("user track_id", {"artist_id": SHARED, "id": ONE_EACH}, ("", "id")),
        ("user asin sku", {"sku": SHARED, "title": ONE_EACH}, ("sku", "sku")),
        ("user track_id", {"product": pa.array([["a"]] * 10), "id": ONE_EACH}, ("", "id")),
        ("user item_id", {"name": ONE_EACH}, ("", "")),
        ("user", {"item_id": ONE_EACH}, ("", "item_id")),
    ],
)  # fmt: skip
def test_a_name_in_both_tables(log: str, items: dict, expected: tuple[str, str]) -> None:
    assert told(log, items) == expected


@pytest.mark.parametrize(
    ("log", "items", "chosen", "expected"),
    [
        ("user pick item_id", "item_id Pick", {"item": "pick"}, ("pick", "Pick")),
        ("user pick item_id", "item_id title", {"item": "pick"}, ("pick", "item_id")),
        ("user 商品", "标题 商品 item_id", {"item": "商品"}, ("商品", "商品")),
        ("user 商品", "标题 item_id", {"item": "商品"}, ("商品", "item_id")),
        ("user asin sku", "asin sku", {"item_id": "sku"}, ("sku", "sku")),
        ("user asin sku", "asin key", {"item_id": "key"}, ("", "key")),
        ("user asin sku", "asin sku", {"item": "asin", "item_id": "sku"}, ("asin", "sku")),
        ("asin sku", "asin sku", {"user": "asin"}, ("sku", "sku")),
    ],
)  # fmt: skip
def test_what_was_chosen_stays(
    log: str, items: str, chosen: dict[str, str], expected: tuple[str, str]
) -> None:
    assert told(log, dict.fromkeys(items.split(), ONE_EACH), **chosen) == expected


def test_without_an_items_table_nothing_is_told() -> None:
    settings = DataSettings(item="x")
    assert with_item_ids(pa.table({"user": ["u"]}), None, settings) is settings


@pytest.mark.parametrize(
    ("known", "item"),
    [("p1 p2", "parent_asin"), ("a1 p1 a2", "asin"), ("a1 p2", "asin"), ("", "asin"),
     ("0", "asin")],
)  # fmt: skip
def test_a_catalogue_tells_which_ids_it_has(known: str, item: str) -> None:
    table = pa.table(
        {
            "user": ["u"] * 3,
            "asin": ["a1", "a2", "a2"],
            "parent_asin": ["p1", "p2", "p1"],
            "sku": pa.array([["p1"]] * 3),
        }
    )
    found = with_item_ids(table, None, DataSettings(), frozenset(known.split()))
    assert found.item == item
    assert with_item_ids(table, None, DataSettings(item="asin"), {"p1"}).item == "asin"


@pytest.mark.parametrize(
    ("names", "chosen", "note"),
    [
        ("user artist_id Track", {}, ""),
        ("user artist_id track_id sku", {}, "items are those of 'track_id', not of sku, artist_id"),
        ("user artist_id track_id", {"item": "artist_id"}, "items are those of 'artist_id', not"),
        ("user artist_id track_id", {"user": "artist_id"}, ""),
        ("user name", {}, ""),
    ],
)
def test_other_items_are_told_of(names: str, chosen: dict[str, str], note: str) -> None:
    table = pa.table({name: ["1"] for name in names.split()})
    said = on_other_ids(table, DataSettings(**chosen))
    assert said.startswith(note)
    assert bool(said) == bool(note)
    assert not note or said.endswith("; [data] item says otherwise")


def test_a_choice_is_not_doubted(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("user,artist_id,track_id\nu,1,2\n")
    assert len(read_inputs(log, None, DataSettings()).notes) == 1
    assert read_inputs(log, None, DataSettings(item="artist_id")).notes == ()


def test_items_get_their_own_texts_and_the_account_says_by_which_columns(tmp_path: Path) -> None:
    """Numbers of artists are numbers of tracks, too: nothing is amiss but the texts."""
    log, items = tmp_path / "log.csv", tmp_path / "tracks.csv"
    rows = [f"{user},{(user + n) % 8},{n}\n" for user in range(6) for n in range(5)]
    log.write_text("user,track_id,time\n" + "".join(rows))
    songs = [f"{n % 3},{n},Song {n}\n" for n in range(8)]
    items.write_text("artist_id,track_id,title\n" + "".join(songs))
    inputs = read_inputs(log, items, DataSettings())
    assert inputs.items is not None
    catalogue, left_out = item_table(inputs.items, inputs.settings)
    assert (catalogue.item_ids[5], catalogue.columns["title"][5], left_out) == ("5", "Song 5", 0)
    assert columns_of_items(inputs) == {"item_id": "track_id", "title": "title"}
    assert columns_of_items(read_inputs(log, None, DataSettings())) == {}
    said: list[str] = []
    prepare(log, items, DistillConfig(), said.append)
    assert "item: track_id, time: time, item_id: track_id, title: title" in said[0]
