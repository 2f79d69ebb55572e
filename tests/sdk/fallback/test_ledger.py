"""The ledger: every request stands in it before it leaves, and nothing secret does."""

import json
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from pocketrec.fallback import Ledger, LedgerEntry, ServerFault

ENTRY = LedgerEntry(
    at="2026-11-25T16:29:05+00:00",
    host="recs.example.com",
    port=443,
    path="/v1/recommend",
    history_items=12,
    other_items=3,
    body_bytes=321,
    with_token=True,
    encrypted=True,
)


@pytest.mark.parametrize("in_file", [True, False])
def test_entries_come_back_in_order(tmp_path: Path, in_file: bool) -> None:
    ledger = Ledger(tmp_path / "sent.jsonl" if in_file else None)
    assert ledger.entries() == []
    for items in (1, 2, 3):
        ledger.note(replace(ENTRY, history_items=items))
    assert [entry.history_items for entry in ledger.entries()] == [1, 2, 3]
    ledger.erase()
    assert ledger.entries() == []


def test_the_file_is_lines_of_json_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "sent.jsonl"
    Ledger(path).note(ENTRY)
    assert json.loads(path.read_text()) == vars(ENTRY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_file_makes_room_and_the_newest_stay(tmp_path: Path) -> None:
    path = tmp_path / "sent.jsonl"
    ledger = Ledger(path, max_bytes=1000)
    for items in range(50):
        ledger.note(replace(ENTRY, history_items=items))
    kept = [entry.history_items for entry in ledger.entries()]
    assert kept == list(range(50 - len(kept), 50))
    assert 3 <= len(kept) <= 12
    assert sorted(file.name for file in tmp_path.iterdir()) == ["sent.jsonl", "sent.jsonl.1"]
    ledger.erase()
    assert list(tmp_path.iterdir()) == []


def test_lines_that_were_cut_off_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "sent.jsonl"
    path.write_text('{"at": "2026\n[1]\n{"odd": 1}\n7\n')
    ledger = Ledger(path)
    ledger.note(ENTRY)
    assert ledger.entries() == [ENTRY]


def test_lines_of_many_threads_do_not_mix(tmp_path: Path) -> None:
    ledgers = [Ledger(tmp_path / "sent.jsonl") for _ in range(4)]

    def fill(ledger: Ledger, port: int) -> None:
        for _ in range(50):
            ledger.note(replace(ENTRY, port=port))

    threads = [threading.Thread(target=fill, args=(one, n)) for n, one in enumerate(ledgers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ports = [entry.port for entry in ledgers[0].entries()]
    assert sorted(ports) == [0] * 50 + [1] * 50 + [2] * 50 + [3] * 50


def test_a_ledger_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(ServerFault, match="cannot be written") as caught:
        Ledger(tmp_path / "no" / "such" / "folder").note(ENTRY)
    assert caught.value.kind == "ledger"
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(ServerFault, match="No space left"):
        Ledger(tmp_path / "full").note(ENTRY)
