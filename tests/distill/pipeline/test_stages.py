"""Stages: kept when finished, made again when their key changes, never half there."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketrec_distill.pipeline import stages
from pocketrec_distill.pipeline.stages import RunDirectory, digest_of


def run_directory(root: Path) -> tuple[RunDirectory, list[str]]:
    lines: list[str] = []
    return RunDirectory(root, lines.append), lines


class Maker:
    """Writes one file, and counts how often it was asked to."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, folder: Path) -> None:
        assert not list(folder.iterdir())
        self.calls += 1
        (folder / "result.txt").write_text(f"made {self.calls}")


def left(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_a_finished_stage_is_not_made_again(tmp_path: Path) -> None:
    make = Maker()
    first, lines = run_directory(tmp_path / "run")
    folder = first.stage("encode", {"layer": 3}, make)
    assert (folder / "result.txt").read_text() == "made 1"
    again, more_lines = run_directory(tmp_path / "run")
    assert again.stage("encode", {"layer": 3}, make) == folder
    assert make.calls == 1
    assert lines[0].startswith("encode: ")
    assert more_lines == ["encode: kept from an earlier run"]
    # What it cost is what it cost when it ran.
    assert again.seconds == first.seconds
    assert again.peak_memory == first.peak_memory
    assert first.peak_memory["encode"] > 1_000_000
    assert first.seconds["encode"] >= 0


def test_a_changed_key_makes_it_again_and_keeps_the_other(tmp_path: Path) -> None:
    make = Maker()
    run, _ = run_directory(tmp_path)
    folders = [run.stage("encode", key, make) for key in ({"a": 1}, {"a": 2}, {"b": 1}, {"a": 1})]
    assert make.calls == 3
    assert folders[0] == folders[3]
    assert len(set(folders)) == 3
    assert [(folder / "result.txt").read_text() for folder in folders[:3]] == [
        "made 1",
        "made 2",
        "made 3",
    ]


def test_a_stage_of_one_value_keeps_it_in_a_file(tmp_path: Path) -> None:
    made: list[dict[str, object]] = []

    def make() -> dict[str, object]:
        made.append({"weights": (0.5, 2), "name": "漢字"})
        return made[-1]

    run, _ = run_directory(tmp_path)
    found = [run.value("blend", {"a": 1}, "choice.json", make) for _ in range(2)]
    assert found == [{"weights": [0.5, 2], "name": "漢字"}] * 2
    assert len(made) == 1
    (folder,) = tmp_path.glob("blend-*")
    assert folder == run.stage("blend", {"a": 1}, pytest.fail)
    kept = (folder / "choice.json").read_text(encoding="utf-8")
    assert kept == '{"weights": [0.5, 2], "name": "\\u6f22\\u5b57"}\n'


def test_another_name_is_another_stage(tmp_path: Path) -> None:
    make = Maker()
    run, _ = run_directory(tmp_path)
    assert run.stage("teacher", {}, make) != run.stage("student", {}, make)
    assert make.calls == 2


def test_another_version_of_the_code_makes_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Maker()
    run, _ = run_directory(tmp_path)
    run.stage("encode", {}, make)
    monkeypatch.setattr(stages, "VERSION", "999.0")
    run.stage("encode", {}, make)
    assert make.calls == 2


@pytest.mark.parametrize(
    "error", [RuntimeError("broken"), KeyboardInterrupt(), OSError(errno.ENOSPC, "disk is full")]
)
def test_a_failure_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    def fail(folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        raise error

    run, lines = run_directory(tmp_path)
    with pytest.raises(type(error)):
        run.stage("encode", {}, fail)
    assert left(tmp_path) == []
    assert (run.seconds, lines) == ({}, [])
    make = Maker()
    run.stage("encode", {}, make)
    assert make.calls == 1


def test_a_killed_run_leaves_nothing_that_counts(tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import os, signal, sys
        from pathlib import Path
        from pocketrec_distill.pipeline.stages import RunDirectory

        run = RunDirectory(Path({str(tmp_path)!r}), lambda line: None)
        run.stage("first", {{}}, lambda folder: (folder / "result.txt").write_text("whole"))

        def die(folder):
            (folder / "result.txt").write_text("ha")
            (folder / "stage.json").write_text('{{"seconds": 0, "peak_memory_bytes": 0}}')
            os.kill(os.getpid(), signal.SIGKILL)

        run.stage("second", {{}}, die)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    make = Maker()
    run, lines = run_directory(tmp_path)
    assert (run.stage("first", {}, make) / "result.txt").read_text() == "whole"
    assert make.calls == 0
    folder = run.stage("second", {}, make)
    assert make.calls == 1
    assert (folder / "result.txt").read_text() == "made 1"
    assert lines[0] == "first: kept from an earlier run"


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    died = subprocess.Popen([sys.executable, "-c", ""])
    died.wait()
    temporary: list[Path] = []
    run, _ = run_directory(tmp_path)
    run.stage("encode", {}, temporary.append)
    stem = temporary[0].name.removesuffix(str(os.getpid()))
    assert stem != temporary[0].name
    abandoned, in_use = (tmp_path / f"{stem}{process}" for process in (died.pid, os.getppid()))
    elsewhere = tmp_path / f".encode-0.tmp-anothermachine-{died.pid}"
    for folder in (abandoned, in_use, elsewhere):
        folder.mkdir()
        (folder / "big.npy").write_bytes(b"x")
    run.stage("another", {}, Maker())
    assert not abandoned.exists()
    # A process that runs, or whose life cannot be known from here, may be at work.
    assert in_use.exists()
    assert elsewhere.exists()


def test_a_stage_may_ask_for_another(tmp_path: Path) -> None:
    run, _ = run_directory(tmp_path)

    def outer(folder: Path) -> None:
        (folder / "result.txt").write_text("outer")
        assert (run.stage("inner", {}, Maker()) / "result.txt").read_text() == "made 1"

    assert (run.stage("outer", {}, outer) / "result.txt").read_text() == "outer"
    assert list(run.seconds) == ["inner", "outer"]


def test_the_time_of_a_stage_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = run_directory(tmp_path)
    now = 0.0
    monkeypatch.setattr(stages.time, "perf_counter", lambda: now)

    def inner(_folder: Path) -> None:
        nonlocal now
        now += 3

    def outer(_folder: Path) -> None:
        nonlocal now
        now += 1
        run.stage("inner", {}, inner)
        now += 4

    for _ in range(2):  # kept stages take no time, and are shown with what they took
        with run.timed("all"):
            run.stage("outer", {}, outer)
            now += 10
        assert run.seconds == {"inner": 3, "outer": 5, "all": 10}


def test_a_stage_that_another_run_finished_first_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs over one directory: the second to finish takes what is there."""
    ours, lines = run_directory(tmp_path)

    def race(folder: Path) -> None:
        theirs, _ = run_directory(tmp_path)
        with monkeypatch.context() as other_process:
            other_process.setattr(os, "getpid", lambda: 1)
            theirs.stage("encode", {}, lambda f: (f / "result.txt").write_text("theirs"))
        (folder / "result.txt").write_text("ours")

    folder = ours.stage("encode", {}, race)
    assert (folder / "result.txt").read_text() == "theirs"
    assert left(tmp_path) == [folder.name]
    assert len(lines) == 1


def test_a_stage_run_every_time_is_timed(tmp_path: Path) -> None:
    run, lines = run_directory(tmp_path)
    with run.timed("verify"):
        pass
    assert 0 <= run.seconds["verify"] < 10
    assert run.peak_memory["verify"] > 1_000_000
    assert lines[0].startswith("verify: 0.")


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        ({"x": 1, "y": 2}, {"y": 2, "x": 1}, True),
        ({"x": (1, 2)}, {"x": [1, 2]}, True),
        ({"x": 1}, {"x": 1.5}, False),
        ({"x": "1"}, {"x": 1}, False),
        ({"x": {"y": 1}}, {"x": {"z": 1}}, False),
        ({"x": "漢"}, {"x": "\\u6f22"}, False),
        ({}, {"x": None}, False),
    ],
)
def test_digests_tell_values_apart(a: dict[str, object], b: dict[str, object], equal: bool) -> None:
    assert (digest_of(a) == digest_of(b)) is equal
    assert len(digest_of(a)) == 16


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, Path("x")])
def test_a_value_without_a_canonical_form_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        digest_of({"x": value})


def test_peak_memory_grows_with_use(tmp_path: Path) -> None:
    run, _ = run_directory(tmp_path)

    def allocate(size: int) -> Callable[[Path], None]:
        return lambda _folder: bytearray(b"x" * size) and None

    run.stage("large", {}, allocate(150_000_000))
    run.stage("small", {}, allocate(1))
    assert run.peak_memory["large"] > run.peak_memory["small"] - 1_000_000
    if Path("/proc/self/clear_refs").exists():
        assert run.peak_memory["large"] > run.peak_memory["small"] + 100_000_000
