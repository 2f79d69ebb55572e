"""Contents to bundle: complete under a temporary name first, then renamed into place."""

import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from pocketrec_runtime.bundle import archive, codec, names
from pocketrec_runtime.bundle.contents import BundleContents
from pocketrec_runtime.bundle.manifest import Manifest, make_manifest, seal
from pocketrec_runtime.bundle.reader import Bundle, verified_manifest
from pocketrec_runtime.bundle.source import DirectorySource
from pocketrec_runtime.errors import BundleError, InputError

ZIP_SUFFIX = ".zip"


def assemble(contents: BundleContents) -> Bundle:
    """The bundle that `write_bundle` would write, in memory.

    Raises:
        InputError: Something in the contents cannot be written.
    """
    return Bundle(make_manifest(contents, codec.encode(contents)), contents)


def write_bundle(path: str | PathLike[str], contents: BundleContents) -> Manifest:
    """Writes a bundle; at every moment the path holds the old one, nothing, or the new one whole.

    The new bundle is built and flushed to the disk as `.<name>.tmp-<random>` beside the target and
    then renamed. Any failure removes it; only a killed process leaves it behind, and it may then
    be deleted. Missing parent directories are made. Equal contents give equal bytes.

    Args:
        path: A name ending in ".zip" gives a zip bundle, any other a directory bundle. An
            existing bundle of the same kind is replaced.
        contents: What to write; the golden queries must be recorded.

    Raises:
        InputError: The contents cannot be written, or something else than a bundle stands at
            the path.
        BundleError: The system could not write, for example on a full disk.
    """
    if not contents.golden.queries:
        raise InputError("no golden queries; make them with record_golden(contents, histories)")
    blobs = codec.encode(contents)
    manifest = make_manifest(contents, blobs)
    blobs[names.MANIFEST] = manifest.to_bytes()
    blobs[names.SEAL] = seal(blobs[names.MANIFEST])
    # Not resolve(): a link at the path is refused, not followed.
    target = Path(os.path.abspath(path))  # noqa: PTH100
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix.lower() == ZIP_SUFFIX:
            _write_zip(target, blobs)
        else:
            _check_replaceable_directory(target)
            write_folder(target, blobs)
    except OSError as error:
        raise BundleError(f"{target.name} was not written: {error}") from error
    return manifest


def _write_zip(target: Path, blobs: Mapping[str, bytes]) -> None:
    _check_replaceable_zip(target)
    with _temporary(target) as temporary:
        with temporary.open("x+b") as file:
            archive.write_archive(file, blobs)
            _flush(file.fileno())
        temporary.replace(target)
    _flush_directory(target.parent)


def write_folder(target: Path, blobs: Mapping[str, bytes]) -> None:
    """Writes a folder of named files as `write_bundle` does: whole, or not at all.

    What stands at the target is replaced; whether it may be is the caller's to look at.

    Raises:
        OSError: The system could not write.
    """
    with _temporary(target) as temporary:
        (temporary / names.FOLDER).mkdir(parents=True)
        for name, data in blobs.items():
            with (temporary / name).open("xb") as file:
                file.write(data)
                _flush(file.fileno())
        _flush_directory(temporary / names.FOLDER)
        _flush_directory(temporary)
        _swap_in(temporary, target)
    _flush_directory(target.parent)


def _swap_in(temporary: Path, target: Path) -> None:
    if not target.exists():
        temporary.rename(target)
        return
    aside = _free_name(target)
    target.rename(aside)
    try:
        temporary.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """A free name beside the target; whatever stands there at the end is removed."""
    path = _free_name(target)
    try:
        yield path
    finally:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _free_name(target: Path) -> Path:
    return target.with_name(f".{target.name}.tmp-{secrets.token_hex(4)}")


def _check_replaceable_directory(target: Path) -> None:
    mode = _mode(target)
    if mode is None:
        return
    if not stat.S_ISDIR(mode):
        raise InputError(f"{target} is no directory; remove it or choose another path")
    if not any(target.iterdir()):
        return
    try:
        # It lists every file in it, so that nothing but a bundle is ever deleted.
        verified_manifest(DirectorySource(target))
    except BundleError as error:
        raise InputError(
            f"{target} holds something else than a bundle ({error}); remove it or choose "
            "another path"
        ) from error


def _check_replaceable_zip(target: Path) -> None:
    mode = _mode(target)
    if mode is not None and not (stat.S_ISREG(mode) and archive.is_sealed(target)):
        raise InputError(f"{target} is no zip bundle; remove it or choose another path")


def _mode(path: Path) -> int | None:
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None


def _flush(descriptor: int) -> None:
    os.fsync(descriptor)


def _flush_directory(path: Path) -> None:
    if os.name != "posix":  # Windows opens no directory, and flushes names by itself.
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _flush(descriptor)
    finally:
        os.close(descriptor)
