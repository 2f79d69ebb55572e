"""The scripts that time `record` and `recommend` keep every event and say what they found."""

import json
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "benchmarks" / "events"


def test_every_kind_is_timed_and_read_back(tmp_path) -> None:
    out = tmp_path / "record.json"
    command = [sys.executable, str(FOLDER / "record.py"), "--events", "40", "--processes", "3"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path), "--out", str(out)],
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in (0, 1), done.stderr.decode()  # 1 says that p99 was above the limit
    figures = json.loads(out.read_text())["record"]
    assert next(iter(figures)) == "pocketrec"
    assert [figure["wall"]["runs"] for figure in figures.values()] == [40, 40, 40, 4, 4, 39, 39]
    assert len(done.stdout.decode().splitlines()) == 7
    assert done.stderr == b""


def test_a_tap_and_its_answer_are_timed(tiny_bundle) -> None:
    command = [sys.executable, str(FOLDER / "tap.py"), str(tiny_bundle), "--taps", "20"]
    done = subprocess.run(
        [*command, "--events", "3", "9"], capture_output=True, check=True, timeout=120
    )
    rows = [line.split()[:3] for line in done.stdout.decode().splitlines()]
    assert rows == [
        ["5", "items"],
        *(["3", "events,", "record"], ["3", "events,", "recommend"]),
        *(["9", "events,", "record"], ["9", "events,", "recommend"]),
    ]
