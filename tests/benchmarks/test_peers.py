"""The side-by-side run, for real with our own peer, and what it says about answers and pins."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from .conftest import script

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "benchmarks" / "peers"


@pytest.fixture(scope="module")
def run() -> Iterator[ModuleType]:
    """`run.py`, which sets numbers of threads where it is imported."""
    threads = dict(os.environ)
    with script("peers/run.py") as module:
        yield module
    os.environ.clear()
    os.environ.update(threads)


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> tuple[Path, str]:
    """One short run of our own peer over 300 items: the build folder and what was printed."""
    build = tmp_path_factory.mktemp("peers")
    command = [sys.executable, str(PEERS / "run.py"), "--items", "300", "--peers", "pocketrec"]
    done = subprocess.run(
        [*command, "--rounds", "1", "--build", str(build)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return build, done.stdout


def test_our_rows_are_measured_and_right(measured) -> None:
    build, printed = measured
    record = json.loads((build / "peers.json").read_text())
    rows = record["results"]["300"]
    assert set(rows) == {
        "pocketrec, full prefill + certified top-10",
        "pocketrec, append + certified top-10",
    }
    for name, row in rows.items():
        assert row["overlap"] >= 0.99
        assert 0 < row["median_ms"] <= row["p95_ms"] <= row["p99_ms"]
        assert row["runs"] >= 10
        assert 10 < row["peak_memory_mb"] < 2000
        assert name in printed
    assert rows["pocketrec, append + certified top-10"]["ratio"] == 1
    assert record["device"]["threads"] == 1


def test_a_wrong_answer_stops_the_run(measured, run) -> None:
    folder = measured[0] / "data-300"
    expected = np.load(folder / "expected.npy").tolist()
    row = "pocketrec, append + certified top-10"
    assert run.checked(row, {0: expected[0], 201: expected[1]}, folder) == 1.0
    assert run.checked("RecTools SASRec recommend", {0: expected[0]}, folder) is None
    seen = int(np.load(folder / "histories.npy")[0][3])
    for answer in ([*expected[0][:9], expected[0][0]], [*expected[0][:9], seen], expected[0][:9]):
        with pytest.raises(ValueError, match="not ten unseen items"):
            run.checked("RecTools SASRec recommend", {0: answer}, folder)
    unseen = set(range(300)) - {*np.load(folder / "histories.npy")[0].tolist(), *expected[0]}
    with pytest.raises(ValueError, match=r"overlap .* is 0.000; at least 0\.99"):
        run.checked(row, {0: sorted(unseen)[:10]}, folder)


def test_verdicts_say_what_was_missed(run) -> None:
    rows = {
        run.OURS: {"median_ms": 0.4, "p99_ms": 1.6, "ratio": 1.0},
        "ONNX Runtime full prefill + faiss flat": {"ratio": 2.4},
        "RecTools SASRec recommend": {"ratio": 100.5},
    }
    assert run.verdicts(100_000, rows) == [
        "met: median_ms 0.400, at most 0.5",
        "MISSED: p99_ms 1.600, at most 1.5",
        "MISSED: ONNX Runtime full prefill + faiss flat takes 2.4 times as long, 2.5 asked",
        "met: RecTools SASRec recommend takes 100.5 times as long, 100.0 asked",
    ]
    assert run.verdicts(5, rows) == []


def test_every_pin_is_exact_and_every_file_is_used(run) -> None:
    files = {spec.requirements for spec in run.environments.PEERS.values()} - {None}
    assert {path.name for path in (PEERS / "requirements").iterdir()} == files
    for name in files:
        for line in (PEERS / "requirements" / name).read_text().splitlines():
            assert re.fullmatch(r"[a-z-]+(\[[a-z]+\])?==[0-9.]+", line), line
    pinned = re.search(r'"(torch==[^"]+)"', (ROOT / "pyproject.toml").read_text())[1]
    for name in ("torch.txt", "rectools.txt", "minilm.txt"):
        assert pinned in (PEERS / "requirements" / name).read_text().splitlines()


def test_titles_are_all_different(run) -> None:
    titles = run.data.titles(5000)
    assert len(set(titles)) == 5000
    assert titles[:2] == ["The Silent River 1", "The Golden River 1"]


def test_the_figures_go_between_the_marks(measured, run, tmp_path) -> None:
    page = tmp_path / "README.md"
    page.write_text("above\n<!-- figures -->\nbefore\n<!-- end figures -->\nbelow\n")
    run.write_figures(page, run.figures(json.loads((measured[0] / "peers.json").read_text())))
    text = page.read_text()
    assert text.startswith("above\n<!-- figures -->\n\nCommit ")
    assert text.endswith("\n\n<!-- end figures -->\nbelow\n")
    assert "| pocketrec, append + certified top-10 | " in text
    assert "onnxruntime 1." in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {12}
    assert "before\n" not in text
    page.write_text("no marks")
    with pytest.raises(ValueError, match="lacks"):
        run.write_figures(page, "text")


def test_the_readme_has_the_marks() -> None:
    page = (PEERS / "README.md").read_text(encoding="utf-8")
    assert page.count("<!-- figures -->\n") == page.count("<!-- end figures -->") == 1
