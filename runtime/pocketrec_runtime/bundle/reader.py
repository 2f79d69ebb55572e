"""Bundle to contents: seal, manifest, lengths and hashes first, parsers last."""

import hashlib
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from pocketrec_runtime import limits
from pocketrec_runtime.bundle import codec, names
from pocketrec_runtime.bundle.archive import ArchiveSource
from pocketrec_runtime.bundle.contents import BundleContents
from pocketrec_runtime.bundle.manifest import FileEntry, Manifest, parse_manifest, seal
from pocketrec_runtime.bundle.source import DirectorySource, Source
from pocketrec_runtime.errors import (
    BundleError,
    BundleFormatError,
    BundleIntegrityError,
    BundleNotFoundError,
)


@dataclass(frozen=True, eq=False)
class Bundle:
    """A verified bundle.

    Attributes:
        manifest: What it is, with every file's length and hash.
        contents: What it holds.
    """

    manifest: Manifest
    contents: BundleContents


def read_bundle(path: str | PathLike[str]) -> Bundle:
    """Reads and verifies a bundle; the order of checks is that of docs/bundle-format.md.

    The bytes that are hashed are the bytes that are parsed. The model files stay bytes: opening
    them, and the golden self-test, is `Engine.open`.

    Args:
        path: A directory bundle, or a zip bundle of any name.

    Raises:
        BundleNotFoundError: Nothing stands there.
        BundleFormatError: It breaks the format.
        BundleIntegrityError: Its bytes are not the sealed bytes.
        BundleVersionError: Another major version of the format.
        BundleError: The system could not read it.
    """
    path = Path(path)
    try:
        source = _open_source(path)
        manifest = verified_manifest(source)
        blobs = dict(verified_files(source, manifest.files))
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
    return Bundle(manifest, codec.decode(manifest, blobs))


def verify_files(path: str | PathLike[str]) -> Manifest:
    """Checks the seal, the manifest and every file's length and hash; decodes nothing.

    One file is in memory at a time (the whole of a zip).

    Raises:
        BundleError: As `read_bundle`.
    """
    path = Path(path)
    try:
        source = _open_source(path)
        manifest = verified_manifest(source)
        for _ in verified_files(source, manifest.files):
            pass
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
    return manifest


def verified_manifest(source: Source) -> Manifest:
    """The manifest of a source, once its seal holds and it lists exactly the files there.

    Raises:
        BundleError: As `read_bundle`.
    """
    manifest = parse_manifest(sealed_manifest(source))
    check_listing(source, manifest.files)
    return manifest


def sealed_manifest(source: Source) -> bytes:
    """The bytes of a source's manifest, once its seal holds.

    Raises:
        BundleFormatError: Manifest or seal is missing, or too large.
        BundleIntegrityError: The manifest is not what was sealed.
    """
    for name in (names.SEAL, names.MANIFEST):
        if name not in source.sizes:
            raise BundleFormatError(f"{name} is missing; this is no bundle")
        if source.sizes[name] > limits.MAX_MANIFEST_BYTES:
            raise BundleFormatError(
                f"{name} has {source.sizes[name]} bytes; the limit is {limits.MAX_MANIFEST_BYTES}"
            )
    data = source.read(names.MANIFEST)
    if source.read(names.SEAL) != seal(data):
        raise BundleIntegrityError(
            f"{names.MANIFEST} is not what {names.SEAL} sealed; obtain the bundle again"
        )
    return data


def verified_files(source: Source, files: Mapping[str, FileEntry]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every listed file, each once its length and hash hold.

    Raises:
        BundleIntegrityError: A file has another length or hash than the manifest says.
    """
    for name, entry in files.items():
        if source.sizes[name] != entry.size_bytes:
            raise BundleIntegrityError(
                f"{name} has {source.sizes[name]} bytes; the manifest says {entry.size_bytes}; "
                "obtain the bundle again"
            )
    for name, entry in files.items():
        data = source.read(name)
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise BundleIntegrityError(f"{name} is not what was sealed; obtain the bundle again")
        yield name, data


def check_listing(source: Source, files: Mapping[str, FileEntry]) -> None:
    """Returns where a source holds the listed files, manifest and seal, and nothing else.

    Raises:
        BundleIntegrityError: A listed file is missing.
        BundleFormatError: There is another file.
    """
    present = set(source.sizes) - {names.MANIFEST, names.SEAL}
    missing, unlisted = set(files) - present, present - set(files)
    if missing:
        raise BundleIntegrityError(f"missing files: {', '.join(sorted(missing))}")
    if unlisted:
        raise BundleFormatError(
            f"files that the manifest does not list: {', '.join(sorted(unlisted))}; remove them"
        )


def _open_source(path: Path) -> Source:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise BundleNotFoundError(f"no bundle at {str(path)!r}") from error
    if stat.S_ISDIR(mode):
        return DirectorySource(path)
    if not stat.S_ISREG(mode):
        raise BundleFormatError(f"{path} is neither a directory nor a file")
    return ArchiveSource(path.resolve())
