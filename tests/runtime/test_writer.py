"""The writer leaves the old bundle, nothing, or the new one whole, whatever happens."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pocketrec_runtime as rt
from pocketrec_runtime.errors import BundleError, InputError

RUNTIME = str(Path(rt.__file__).parents[1])

# Rewrites a bundle and dies at the n-th call of a function of os, as a kill -9 would.
KILLED = """
import os, signal, sys
import pocketrec_runtime as rt
from dataclasses import replace
source, target, function, at = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
contents = replace(rt.read_bundle(source).contents, license="new")
real, calls = getattr(os, function), 0
def dying(*args, **kwargs):
    global calls
    calls += 1
    if calls == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **kwargs)
setattr(os, function, dying)
rt.write_bundle(target, contents)
"""

# Rewrites a bundle where no file may grow beyond a limit, as on a full disk.
FULL = """
import resource, sys
import pocketrec_runtime as rt
source, target, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
contents = rt.read_bundle(source).contents
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    rt.write_bundle(target, contents)
except rt.errors.BundleError as error:
    print(type(error).__name__, error)
"""


def run(script, *args):
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, args)],
        env={"PYTHONPATH": RUNTIME},
        capture_output=True,
        text=True,
        check=False,
    )


def leftovers(path: Path) -> list[str]:
    return [p.name for p in path.parent.iterdir() if p.name.startswith(f".{path.name}.tmp-")]


def license_of(path: Path) -> str:
    return rt.read_bundle(path).manifest.license


# A directory bundle flushes 13 files, 2 directories, then, after the rename, their parent.
@pytest.mark.parametrize(
    "case",
    [
        (1, "target", False),
        (7, "target", False),
        (15, "target", False),
        (16, "target", True),
        (1, "target.zip", False),
        (2, "target.zip", True),
    ],
)
def test_killed_at_a_flush(contents, bundle_dir, tmp_path, case):
    flush, name, renamed = case
    target = tmp_path / "place" / name
    for before in (None, "Apache-2.0"):
        if before is not None:
            rt.write_bundle(target, contents)
        killed = run(KILLED, bundle_dir, target, "fsync", flush)
        assert killed.returncode == -9, killed.stderr
        after = license_of(target) if target.exists() else None
        assert after == ("new" if renamed else before)
        assert {p.name for p in target.parent.iterdir()} - {name} == set(leftovers(target))


def test_killed_between_the_renames_keeps_the_old_one_aside(contents, bundle_dir, tmp_path):
    target = tmp_path / "target"
    rt.write_bundle(target, contents)
    assert run(KILLED, bundle_dir, target, "rename", 2).returncode == -9
    assert not target.exists()
    found = sorted(license_of(tmp_path / name) for name in leftovers(target))
    assert found == ["Apache-2.0", "new"]
    rt.write_bundle(target, contents)  # leftovers are in nobody's way
    assert license_of(target) == "Apache-2.0"


@pytest.mark.parametrize("name", ["target", "target.zip"])
@pytest.mark.parametrize("limit", [0, 2000])
def test_full_disk(contents, bundle_dir, tmp_path, name, limit):
    target = tmp_path / "place" / name
    answer = run(FULL, bundle_dir, target, limit)
    assert answer.stdout.startswith("BundleError"), answer
    assert list(target.parent.iterdir()) == []
    rt.write_bundle(target, contents)
    assert run(FULL, bundle_dir, target, limit).stdout.startswith("BundleError")
    assert license_of(target) == "Apache-2.0"
    assert leftovers(target) == []


@pytest.mark.parametrize("name", ["target", "target.zip"])
def test_existing_bundle_is_replaced(contents, tmp_path, name):
    target = tmp_path / name
    rt.write_bundle(target, contents)
    rt.write_bundle(target, dataclasses.replace(contents, license="MIT"))
    assert license_of(target) == "MIT"
    assert leftovers(target) == []


def test_a_failed_swap_puts_the_old_one_back(contents, tmp_path, monkeypatch):
    target = tmp_path / "target"
    rt.write_bundle(target, contents)
    real, calls = Path.rename, []

    def rename(self, to):
        calls.append(to)
        if len(calls) == 2:
            raise OSError(5, "Input/output error")
        return real(self, to)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(BundleError, match="Input/output error"):
        rt.write_bundle(target, dataclasses.replace(contents, license="MIT"))
    assert license_of(target) == "Apache-2.0"
    assert leftovers(target) == []


def test_an_interrupt_removes_the_temporary(contents, tmp_path, monkeypatch):
    def interrupted(_descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    for name in ("target", "target.zip"):
        with pytest.raises(KeyboardInterrupt):
            rt.write_bundle(tmp_path / name, contents)
    assert list(tmp_path.iterdir()) == []


def test_something_else_at_the_target_is_refused(contents, tmp_path, bundle_dir):
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "diary.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "file.zip").write_text("mine")
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "link").symlink_to(bundle_dir)
    (bundle_dir / "diary.txt").write_text("mine")  # a bundle, and a file that is not of it
    for name in ("notes", "file", "file.zip", "folder.zip", "link", "bundle"):
        with pytest.raises(InputError, match="choose another path"):
            rt.write_bundle(tmp_path / name, contents)
    assert (notes / "diary.txt").read_text() == "mine"
    assert (bundle_dir / "diary.txt").read_text() == "mine"
    assert (tmp_path / "file.zip").read_text() == "mine"


def test_empty_directory_is_filled(contents, tmp_path):
    (tmp_path / "target").mkdir()
    rt.write_bundle(tmp_path / "target", contents)
    assert license_of(tmp_path / "target") == "Apache-2.0"


def test_parents_are_made(contents, tmp_path):
    rt.write_bundle(tmp_path / "a" / "b" / "bundle", contents)
    assert license_of(tmp_path / "a" / "b" / "bundle") == "Apache-2.0"


def test_permissions_follow_the_umask(contents, tmp_path):
    rt.write_bundle(tmp_path / "target", contents)
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain.txt").touch()
    mode = (tmp_path / "target").stat().st_mode
    assert mode == (tmp_path / "plain").stat().st_mode
    mode = (tmp_path / "target" / "manifest.json").stat().st_mode
    assert mode == (tmp_path / "plain.txt").stat().st_mode
