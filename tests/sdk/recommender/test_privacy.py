"""All of a user can be taken along, and all of it can be removed, by any process."""

import json
from pathlib import Path

from pocketrec import Recommender
from pocketrec_runtime import StateStore


def states(recommender: Recommender) -> list[Path]:
    return sorted(recommender.store.states_folder.glob("*.state"))


def test_export_says_all_of_it(recommender) -> None:
    user = recommender.user("漢字")
    user.record("50", "click", 1000.0)
    recommender.user("Bob").record("50")
    user.record("181", "dislike", 999.5)
    exported = user.export()
    assert exported == {
        "schema": "pocketrec.user/1",
        "user": "漢字",
        "events": [
            {"sequence": 1, "item": "50", "event": "click", "time_s": 1000.0},
            {"sequence": 3, "item": "181", "event": "dislike", "time_s": 999.5},
        ],
        "history": ["50"],
        "disliked": ["181"],
    }
    assert json.loads(json.dumps(exported)) == exported


def test_an_erased_user_is_new_again(opened, tmp_path) -> None:
    first = opened()
    for name in ("Ada-of-this-test", "Bob"):
        first.user(name).record("50")
        first.user(name).recommend(1)
    first.close()
    again = opened()
    assert len(states(again)) == 2
    assert again.user("Ada-of-this-test").erase() == 1
    assert len(states(again)) == 1
    assert again.user("Ada-of-this-test").recommend(1).source == "popularity"
    assert again.user("Bob").recommend(1).source == "device"
    again.close()
    found = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert not [path for path in found if b"Ada-of-this-test" in path.read_bytes()]


def test_what_another_process_erased_does_not_come_back(opened) -> None:
    one, other = opened(), opened()
    for name in ("Ada", "Bob"):
        one.user(name).record("50")
        one.user(name).recommend(1)
    assert other.user("Ada").erase() == 1
    one.close()  # which would have written the state of Ada
    assert states(other) == []
    assert other.user("Bob").recommend(1).source == "device"


def test_what_is_erased_while_it_is_read_does_not_stay(opened, monkeypatch) -> None:
    one = opened()
    user = one.user("Ada")
    user.record("50")
    follow = StateStore.follow

    def erased_meanwhile(*arguments):
        monkeypatch.setattr(StateStore, "follow", follow)
        one.store.erase("Ada")
        one.user("Bob").recommend(1)  # takes notice of it
        return follow(*arguments)

    monkeypatch.setattr(StateStore, "follow", erased_meanwhile)
    user.recommend(1)
    one.close()
    assert states(one) == []


def test_nothing_in_plain_stands_beside_an_encrypted_store(opened, tmp_path) -> None:
    recommender = opened(key="a key")
    recommender.user("Ada").record("50")
    recommender.user("Ada").recommend(1)
    recommender.close()
    assert states(recommender) == []
    assert {path.name for path in (tmp_path / "store").iterdir()} == {
        "events.sqlcipher",
        "opening.lock",
    }
    assert opened(key="a key").user("Ada").recommend(1).source == "device"
