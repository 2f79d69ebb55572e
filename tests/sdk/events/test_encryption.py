"""An encrypted store shows nothing without its key, and keeps the key nowhere."""

import sys

import pytest

from pocketrec.errors import EventStoreKeyError
from pocketrec.events import EventStore
from pocketrec_runtime.errors import MissingExtraError

KEY = "it's a key"


def fill(folder) -> None:
    with EventStore(folder, key=KEY) as store:
        store.record("user-name", "item-name", "click", 5.0)
        store.record("other", "item-other", "click", 5.0)


def test_nothing_can_be_read_without_the_key(tmp_path) -> None:
    with EventStore(tmp_path, key=KEY) as store:
        store.record("user-name", "item-name", "click", 5.0)
        store.record("other", "item-other", "click", 5.0)
        assert KEY not in repr(vars(store)) + repr(vars(store._database))
        data = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {"events.sqlcipher", "events.sqlcipher-wal"} <= set(data)
    data["closed"] = (tmp_path / "events.sqlcipher").read_bytes()
    for name, content in data.items():
        for secret in ("user-name", "item-name", KEY, "SQLite format"):
            assert secret.encode() not in content, name
    with EventStore(tmp_path, key=KEY) as store:
        assert [event.item for event in store.events("user-name")] == ["item-name"]
        assert store.erase("user-name") == 1
        assert store.users() == {"other": 1}


@pytest.mark.parametrize("key", ["another", "it''s a key", "it"])
def test_another_key_is_refused_and_the_file_left(tmp_path, key, capfd) -> None:
    fill(tmp_path)
    before = (tmp_path / "events.sqlcipher").read_bytes()
    with pytest.raises(EventStoreKeyError, match="the key is another one"):
        EventStore(tmp_path, key=key)
    assert (tmp_path / "events.sqlcipher").read_bytes() == before
    assert capfd.readouterr().err == ""
    with EventStore(tmp_path, key=KEY) as store:
        assert len(store) == 2


def test_the_key_may_come_from_the_environment(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("POCKETREC_STORE_KEY", KEY)
    with EventStore(tmp_path) as store:
        store.record("Ada", "50", "click")
    monkeypatch.delenv("POCKETREC_STORE_KEY")
    with pytest.raises(EventStoreKeyError, match="is encrypted"):
        EventStore(tmp_path)
    with EventStore(tmp_path, key=KEY) as store:
        assert len(store) == 1


def test_a_plain_store_takes_no_key(tmp_path) -> None:
    EventStore(tmp_path).close()
    with pytest.raises(EventStoreKeyError, match="is not encrypted"):
        EventStore(tmp_path, key=KEY)


def test_a_damaged_page_is_found_and_the_rest_kept_encrypted(tmp_path, caplog) -> None:
    with EventStore(tmp_path, key=KEY) as store:
        for number in range(400):
            store.record("user-name", f"item-{number}", "click" + "!" * 50)
    file = tmp_path / "events.sqlcipher"
    content = bytearray(file.read_bytes())
    content[9 * 4096 + 100] ^= 1
    file.write_bytes(content)
    with EventStore(tmp_path, key=KEY) as store:
        items = [event.item for event in store.events("user-name")]
        assert (items[0], items[-1]) == ("item-0", "item-399")
        assert 200 < len(items) < 400
        assert f"{len(items)} events that could be read" in caplog.text
        assert b"user-name" not in file.read_bytes()
        store.erase("user-name")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.sqlcipher", "opening.lock"]


@pytest.mark.parametrize("key", ["", "a\0b", "a\ud800"])
def test_what_is_no_key_is_refused(tmp_path, key) -> None:
    with pytest.raises(EventStoreKeyError, match="no text"):
        EventStore(tmp_path, key=key)


def test_a_missing_sqlcipher_names_the_pip_command(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlcipher3.dbapi2", None)
    with pytest.raises(MissingExtraError, match=r'pip install "pocketrec\[encryption\]"'):
        EventStore(tmp_path, key=KEY)
    assert list(tmp_path.iterdir()) == []
