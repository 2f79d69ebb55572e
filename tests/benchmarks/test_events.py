"""The script that times `record` keeps every event and says what it found."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "events" / "record.py"


def test_every_kind_is_timed_and_read_back(tmp_path) -> None:
    out = tmp_path / "record.json"
    command = [sys.executable, str(SCRIPT), "--events", "40", "--processes", "3"]
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
