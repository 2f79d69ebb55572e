"""Files of results only grow: whole lines, from several processes at once, and nothing odd."""

import fcntl
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pocketrec_bench.card import Build, Card, card_to_json, repeat_command
from pocketrec_bench.device import DeviceCard
from pocketrec_bench.errors import ResultFormatError
from pocketrec_bench.ledger import append_to_ledger, read_ledger
from pocketrec_bench.results import Result

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def card(result: Result) -> Card:
    device = DeviceCard(cpu="Cortex-A72", architecture="arm64")
    return Card(Build("0.1.0", "ab" * 20), device, (result,))


def _other(card: Card, number: int) -> Card:
    return replace(card, build=Build("0.1.0", f"{number:040d}"))


def test_cards_are_appended_once_and_read_in_order(card: Card, tmp_path: Path) -> None:
    path = tmp_path / "results" / "films.jsonl"
    assert append_to_ledger(path, [card, card]) == 1
    first = path.read_bytes()
    assert append_to_ledger(path, [_other(card, 1), card]) == 1
    assert path.read_bytes().startswith(first)
    assert read_ledger(path) == [card, _other(card, 1)]
    assert path.read_bytes().count(b"\n") == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"build": Build("0.1.0", "unknown")}, "commit first"),
        ({"build": Build("0.1.0", "abc-dirty")}, "abc-dirty"),
        ({"results": "invalid"}, "not valid: too short"),
    ],
)
def test_what_nobody_could_repeat_is_refused(
    card: Card, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    if change.get("results"):
        change = {"results": (replace(card.results[0], valid=False, reasons=("too short",)),)}
    path = tmp_path / "r.jsonl"
    with pytest.raises(ResultFormatError, match=said):
        append_to_ledger(path, [card, replace(card, **change)])  # type: ignore[arg-type]
    assert not path.exists()


@pytest.mark.parametrize("damage", [b"{}\n", b"\n", b"x\n", b'{"schema": "pocketrec.bench'])
def test_a_damaged_file_is_named_and_not_grown(card: Card, tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "r.jsonl"
    append_to_ledger(path, [card])
    with path.open("ab") as file:
        file.write(damage)
    before = path.read_bytes()
    for call in (lambda: read_ledger(path), lambda: append_to_ledger(path, [_other(card, 1)])):
        with pytest.raises(ResultFormatError, match=r"line 2|cut off"):
            call()
    assert path.read_bytes() == before


_APPENDER = """
import sys
from pathlib import Path
from pocketrec_bench.card import card_from_json
from pocketrec_bench.ledger import append_to_ledger
path, mine = Path(sys.argv[1]), sys.argv[2:]
for text in mine:
    append_to_ledger(path, [card_from_json(Path(text).read_bytes())])
"""


def test_several_processes_append_at_once(card: Card, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    folders = ("runtime", "benchmarks")
    environment = {**os.environ, "PYTHONPATH": ":".join(str(ROOT / name) for name in folders)}
    running = []
    for worker in range(3):
        files = []
        for number in range(8):
            file = tmp_path / f"{worker}-{number}.json"
            file.write_text(card_to_json(_other(card, 100 * worker + number)))
            files.append(str(file))
        command = [sys.executable, "-c", _APPENDER, str(path), *files]
        running.append(subprocess.Popen(command, env=environment))
    assert [process.wait(60) for process in running] == [0, 0, 0]
    commits = sorted(int(found.build.commit) for found in read_ledger(path))
    assert commits == [100 * worker + number for worker in range(3) for number in range(8)]


def test_a_process_waits_for_another_that_has_the_file(card: Card, tmp_path: Path) -> None:
    """The other writes the very card; who waited for it sees that, and appends nothing."""
    path, text = tmp_path / "r.jsonl", tmp_path / "card.json"
    text.write_text(card_to_json(card))
    folders = ("runtime", "benchmarks")
    environment = {**os.environ, "PYTHONPATH": ":".join(str(ROOT / name) for name in folders)}
    announced = _APPENDER.replace("for text", "print('ready', flush=True)\nfor text")
    append_to_ledger(tmp_path / "other.jsonl", [card])
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        command = [sys.executable, "-c", announced, str(path), str(text)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            time.sleep(0.3)  # without a lock it would append now
            file.write((tmp_path / "other.jsonl").read_bytes())
            file.flush()
            fcntl.flock(file, fcntl.LOCK_UN)
            assert process.wait(60) == 0
    assert read_ledger(path) == [card]


_FULL = """
import resource, signal, sys
from pathlib import Path
from pocketrec_bench.card import card_from_json
from pocketrec_bench.ledger import append_to_ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
limit = path.stat().st_size + 100
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    append_to_ledger(path, [card_from_json(Path(sys.argv[2]).read_bytes())])
except OSError:
    sys.exit(3)
"""


def test_a_write_that_fails_leaves_the_file_as_it_was(card: Card, tmp_path: Path) -> None:
    path, file = tmp_path / "r.jsonl", tmp_path / "card.json"
    append_to_ledger(path, [card])
    before = path.read_bytes()
    file.write_text(card_to_json(_other(card, 1)))
    folders = ("runtime", "benchmarks")
    environment = {**os.environ, "PYTHONPATH": ":".join(str(ROOT / name) for name in folders)}
    command = [sys.executable, "-c", _FULL, str(path), str(file)]
    assert subprocess.run(command, env=environment, check=False).returncode == 3
    assert path.read_bytes() == before
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != len(before) + 100


def test_the_command_that_repeats_a_card(card: Card) -> None:
    assert repeat_command(card) == "pocketrec bench films.bundle --interactions TABLE"
    settings = replace(
        card.results[0].settings, scenario="server", division="uncached", backend="llama",
        weights="Q8_0", cache="float16", threads=2, target_qps=2500.0, seconds=120.0,
        queries_from="popularity",
    )  # fmt: skip
    result = replace(card.results[0], settings=settings)
    assert repeat_command(replace(card, results=(result,) * 5)) == (
        "pocketrec bench films.bundle --scenario server --division uncached --backend llama "
        "--cache float16 --threads 2 --seconds 120 --replicate 5 --target-qps 2500"
    )
