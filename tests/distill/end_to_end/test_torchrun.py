"""`torchrun -m pocketrec distill`: all processes train the teacher, the first does the rest."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pocketrec_runtime import Engine

from .conftest import FinishedRun, Workplace, invoke

TORCHRUN = (
    sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
    "--local-addr", "127.0.0.1", "-m", "pocketrec", "distill",
)  # fmt: skip


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TORCHRUN, *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_processes_share_the_teacher_and_one_writes(finished: FinishedRun, tmp_path: Path) -> None:
    place, run_dir = finished.place, tmp_path / "run"
    (kept,) = place.run_dir.glob("teacher-*")
    alone = json.loads((kept / "curve.json").read_text(encoding="utf-8"))
    # Nothing is there yet: most models are one process's own, while another is in the group.
    again = Workplace(place.interactions, place.items, place.config, tmp_path / "bundle", run_dir)
    done = run(*again.arguments(), "--json", "--refit")
    assert done.returncode in (0, 7), done.stderr[-3000:]
    curves = [json.loads(path.read_text("utf-8")) for path in run_dir.glob("teacher-*/curve.json")]
    # The one that is refitted on every event validates nothing.
    whole, shared = sorted(curves, key=lambda curve: curve[0]["ndcg"])
    assert whole[0]["ndcg"] == 0 < shared[0]["ndcg"]
    # Dropout differs between processes, so that losses are near, not equal.
    assert [row["epoch"] for row in shared] == [row["epoch"] for row in alone]
    assert shared[0]["loss"] == pytest.approx(alone[0]["loss"], rel=0.1)
    assert shared[0]["loss"] != alone[0]["loss"]
    assert done.stderr.count("\nteacher: ") == done.stderr.count("\nrefit: teacher: ") == 1
    assert done.stdout.count('"schema": "pocketrec.report/1"') == 1
    Engine.open(again.bundle)
    assert not list(run_dir.glob(".*.tmp-*"))


def test_processes_without_one_run_directory_are_refused(
    finished: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    events = str(finished.place.interactions)
    result = invoke("distill", "--interactions", events, "--out", str(tmp_path / "bundle"))
    assert result.exit_code == 5
    assert "2 processes need one run directory; give --run-dir" in result.stderr
