"""`pocketrec events`: what a store holds, listed, taken along and removed."""

import json
import sys

import pytest

from pocketrec.events import EventStore
from pocketrec_distill.data import DataSettings, clean, read_table

KEY = "a key"


@pytest.fixture
def store(tmp_path):
    with EventStore(tmp_path / "store") as events:
        events.record("Ada", "50", "click", 1000.0)
        events.record("漢 字", 'say "x", y', "dislike", 999.5)
        events.record("Ada", "\x1b[31m181", "purchase", 2000.25)
    return tmp_path / "store"


def test_users_are_listed(cli, store) -> None:
    outcome = cli("events", "list", store)
    assert [line.split() for line in outcome.out.splitlines()][1:] == [
        ["Ada", "2"],
        ["漢", "字", "1"],
    ]
    assert "2 users, 3 events" in outcome.err
    assert cli("events", "list", store, "--json").json == {
        "schema": "pocketrec.events_list/1",
        "users": [{"user": "Ada", "events": 2}, {"user": "漢 字", "events": 1}],
    }


def test_the_events_of_a_user_are_listed(cli, store) -> None:
    outcome = cli("events", "list", store, "--user", "Ada")
    assert outcome.out.splitlines()[1].split() == [
        *("1", "1970-01-01", "00:16:40+00:00", "click", "50")
    ]
    assert "\x1b" not in outcome.out
    listed = cli("events", "list", store, "--user", "漢 字", "--json").json
    assert listed["events"] == [
        {
            "user": "漢 字",
            "item": 'say "x", y',
            "event": "dislike",
            "time_s": 999.5,
            "sequence": 2,
        }
    ]


def test_export_gives_every_event_a_line(cli, store) -> None:
    lines = [json.loads(line) for line in cli("events", "export", store).out.splitlines()]
    assert [(e["user"], e["item"], e["sequence"]) for e in lines] == [
        ("Ada", "50", 1),
        ("漢 字", 'say "x", y', 2),
        ("Ada", "\x1b[31m181", 3),
    ]
    only = cli("events", "export", store, "--user", "Ada").out.splitlines()
    assert [json.loads(line)["sequence"] for line in only] == [1, 3]


def test_an_exported_table_is_what_training_reads(cli, store, tmp_path) -> None:
    table = tmp_path / "events.csv"
    table.write_text(cli("events", "export", store, "--format", "csv").out, encoding="utf-8")
    interactions, _ = clean(read_table(table), DataSettings())
    assert sorted(interactions.user_ids) == ["Ada", "漢 字"]
    # Cleaning drops ids with control characters.
    assert sorted(interactions.item_ids) == ["50", 'say "x", y']


def test_a_user_is_erased(cli, store) -> None:
    asked = cli("events", "erase", store, "Ada", stdin=b"n\n")
    assert asked.code == 130
    assert "Erase 2 events of Ada?" in asked.err
    outcome = cli("events", "erase", store, "Ada", "--yes", "--json")
    assert outcome.json == {"schema": "pocketrec.events_erase/1", "user": "Ada", "events": 2}
    assert not [f for f in store.rglob("*") if f.is_file() and b"Ada" in f.read_bytes()]
    assert cli("events", "erase", store, "Ada", stdin=b"y\n").out.endswith("0 events erased\n")


@pytest.mark.parametrize("name", ["list", "export", "erase"])
def test_no_store_is_made_by_looking(cli, tmp_path, name) -> None:
    user = ["Ada", "--yes"] if name == "erase" else []
    outcome = cli("events", name, tmp_path / "nowhere", *user)
    assert (outcome.code, outcome.out) == (2, "")
    assert "no store of events at" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_the_key_comes_from_the_environment(cli, tmp_path, monkeypatch) -> None:
    with EventStore(tmp_path, key=KEY) as events:
        events.record("Ada", "50", "click")
    outcome = cli("events", "list", tmp_path)
    assert outcome.code == 2
    assert "POCKETREC_STORE_KEY" in outcome.err
    monkeypatch.setenv("POCKETREC_STORE_KEY", KEY)
    assert cli("events", "list", tmp_path, "--json").json["users"][0]["user"] == "Ada"
    monkeypatch.setitem(sys.modules, "sqlcipher3.dbapi2", None)
    missing = cli("events", "list", tmp_path)
    assert missing.code == 4
    assert 'pip install "pocketrec[encryption]"' in missing.err


def test_a_file_that_is_something_else_is_a_file_error(cli, tmp_path) -> None:
    (tmp_path / "events.sqlite").mkdir()
    assert cli("events", "list", tmp_path).code == 6
