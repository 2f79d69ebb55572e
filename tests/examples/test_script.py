"""The plain script, run as its page says."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "examples" / "script.py"


def run(*arguments: object) -> list[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return done.stdout.decode().splitlines()


def test_the_script_goes_on_where_it_ended(tiny_bundle, tmp_path) -> None:
    first = run(tiny_bundle, "--store", tmp_path, "漢字", "50")
    assert [line.split("\t")[0] for line in first] == [
        *("181", "عنصر", "x,y"),
        "device: ranked by the user tower on this device",
    ]
    assert first[0] == "181\t0.731\tReturn of the Jedi"
    again = run(tiny_bundle, "--store", tmp_path, "181")
    assert [line.split("\t")[0] for line in again[:2]] == ["x,y", "عنصر"]
    other = run(tiny_bundle, "--store", tmp_path, "--user", "you")
    assert other[-1].startswith("popularity")
