"""The manifest: what a bundle is, and the length and SHA-256 of every file in it."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pocketrec_runtime import limits
from pocketrec_runtime.bundle import names, strict_json
from pocketrec_runtime.bundle.contents import BundleContents
from pocketrec_runtime.bundle.strict_json import Fields
from pocketrec_runtime.errors import (
    BundleFormatError,
    BundleIntegrityError,
    BundleVersionError,
    InputError,
)
from pocketrec_runtime.shape import ItemTowerShape, ModelShape

FORMAT = "pocketrec-bundle"
FORMAT_VERSION = "1.2"
"""The newest version that this runtime writes."""
_MAJOR = 1
_VERSION = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class FileEntry:
    """One file of a bundle.

    Attributes:
        size_bytes: Its length.
        sha256: Its SHA-256, 64 lower-case hexadecimal digits.
    """

    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The verified manifest of a bundle.

    Attributes:
        fingerprint: SHA-256 over the names and hashes of all files: the model's identity.
        files: Name -> length and hash, for every file but the manifest and its seal.
        model: Sizes of the models and of the catalogue.
        metrics: Free JSON: metrics with their split.
        license: The bundle's licence.
        provenance: Free JSON: what the bundle was made from.
        format_version: "major.minor".
    """

    fingerprint: str
    files: Mapping[str, FileEntry]
    model: ModelShape
    metrics: Mapping[str, Any]
    license: str
    provenance: Mapping[str, Any]
    format_version: str

    @property
    def size_bytes(self) -> int:
        """Bytes of all listed files together."""
        return sum(entry.size_bytes for entry in self.files.values())

    def as_dict(self) -> dict[str, Any]:
        """The manifest as it stands in `manifest.json`."""
        return {
            "format": FORMAT,
            "format_version": self.format_version,
            "fingerprint": self.fingerprint,
            "files": {name: asdict(entry) for name, entry in self.files.items()},
            "model": _model_dict(self.model),
            "metrics": dict(self.metrics),
            "license": self.license,
            "provenance": dict(self.provenance),
        }

    def to_bytes(self) -> bytes:
        """The bytes of `manifest.json`.

        Raises:
            InputError: Metrics or provenance are no JSON, or the manifest grows too large.
        """
        data = strict_json.dump(self.as_dict(), names.MANIFEST, indent=2)
        if len(data) > limits.MAX_MANIFEST_BYTES:
            raise InputError(
                f"the manifest has {len(data)} bytes; the limit is {limits.MAX_MANIFEST_BYTES}; "
                "shorten metrics or provenance"
            )
        return data


def seal(manifest: bytes) -> bytes:
    """The bytes of `manifest.sha256`, in the form that `sha256sum -c` reads."""
    return f"{hashlib.sha256(manifest).hexdigest()}  {names.MANIFEST}\n".encode()


def fingerprint(files: Mapping[str, FileEntry]) -> str:
    """SHA-256 over the line "<sha256>  <name>" of every file, sorted by name."""
    lines = "".join(f"{files[name].sha256}  {name}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def lowest_version(contents: BundleContents) -> str:
    """The first version that holds these contents, so that older readers open what they can."""
    if contents.deferral is not None:
        return "1.2"
    model = contents.model
    newer = (
        contents.user_tower_gguf is not None
        or model.rows == "int4"
        or (model.item_tower is not None and model.item_tower.tokenizer == "wordpiece")
        or contents.calibration.curve is not None
    )
    return "1.1" if newer else "1.0"


def entries_of(blobs: Mapping[str, bytes]) -> dict[str, FileEntry]:
    """Length and hash of every file, sorted by name.

    Raises:
        InputError: A file is larger than the format allows.
    """
    for name, data in blobs.items():
        if len(data) > limits.MAX_FILE_BYTES:
            raise InputError(f"{name} has {len(data)} bytes; the limit is {limits.MAX_FILE_BYTES}")
    return {
        name: FileEntry(len(blobs[name]), hashlib.sha256(blobs[name]).hexdigest())
        for name in sorted(blobs)
    }


def make_manifest(contents: BundleContents, blobs: Mapping[str, bytes]) -> Manifest:
    """The manifest of encoded contents.

    Raises:
        InputError: A file is larger than the format allows.
    """
    files = entries_of(blobs)
    return Manifest(
        fingerprint=fingerprint(files),
        files=files,
        model=contents.model,
        metrics=contents.metrics,
        license=contents.license,
        provenance=contents.provenance,
        format_version=lowest_version(contents),
    )


def parse_manifest(data: bytes) -> Manifest:
    """Reads a manifest whose seal was checked. Keys that this version does not know are ignored.

    Raises:
        BundleVersionError: Another major version.
        BundleFormatError: A key is missing or wrong, or a required file is not listed.
        BundleIntegrityError: The fingerprint is not that of the listed files.
    """
    fields = Fields(strict_json.parse(data, names.MANIFEST), names.MANIFEST)
    version = _checked_version(fields)
    files = parse_entries(fields)
    model = _parse_model(fields.fields("model"))
    missing = names.required(model) - set(files)
    if missing:
        raise BundleFormatError(f"{names.MANIFEST} does not list {', '.join(sorted(missing))}")
    check_fingerprint(fields, files)
    return Manifest(
        fingerprint=fields.text("fingerprint"),
        files=files,
        model=model,
        metrics=fields.mapping("metrics"),
        license=fields.text("license"),
        provenance=fields.mapping("provenance"),
        format_version=version,
    )


def parse_entries(fields: Fields) -> dict[str, FileEntry]:
    """The listed files of a manifest.

    Raises:
        BundleFormatError: An entry is missing or wrong.
    """
    files = {name: _parse_entry(name, fields.fields("files")) for name in fields.mapping("files")}
    names.check_count(files)
    return files


def check_fingerprint(fields: Fields, files: Mapping[str, FileEntry]) -> None:
    """Returns where a manifest's fingerprint is that of its files.

    Raises:
        BundleFormatError: There is none.
        BundleIntegrityError: It is that of other files.
    """
    if fields.text("fingerprint") != fingerprint(files):
        raise BundleIntegrityError("the fingerprint is not that of the listed files")


def _checked_version(fields: Fields) -> str:
    if fields.text("format") != FORMAT:
        raise BundleFormatError(f"format is {fields.text('format')[:60]!r}; expected {FORMAT!r}")
    version = fields.text("format_version")
    match = _VERSION.fullmatch(version)
    if match is None:
        raise BundleFormatError(f"format_version is {version[:60]!r}; expected 'major.minor'")
    if int(match[1]) != _MAJOR:
        raise BundleVersionError(
            f"format version {version}; this runtime reads {_MAJOR}.x: "
            + ("update pocketrec" if int(match[1]) > _MAJOR else "make the bundle again")
        )
    return version


def _parse_entry(name: str, files: Fields) -> FileEntry:
    names.check_name(name)
    if name in (names.MANIFEST, names.SEAL):
        raise BundleFormatError(f"{names.MANIFEST} lists {name}, which seals it")
    entry = files.fields(name)
    size_bytes, sha256 = entry.integer("size_bytes"), entry.text("sha256")
    if not 0 <= size_bytes <= limits.MAX_FILE_BYTES:
        raise BundleFormatError(
            f"{name} is listed with {size_bytes} bytes; the limit is {limits.MAX_FILE_BYTES}"
        )
    if not _SHA256.fullmatch(sha256):
        raise BundleFormatError(f"{name} is listed with sha256 {sha256[:80]!r}; expected 64 hex")
    return FileEntry(size_bytes, sha256)


def _parse_model(fields: Fields) -> ModelShape:
    try:
        return ModelShape(
            width=fields.integer("width"),
            blocks=fields.integer("blocks"),
            heads=fields.integer("heads"),
            kv_heads=fields.integer("kv_heads"),
            head_dim=fields.integer("head_dim"),
            window=fields.integer("window"),
            items=fields.integer("items"),
            rows=fields.text("rows"),  # type: ignore[arg-type]  # ModelShape checks the value
            user_tower=fields.text("user_tower"),  # type: ignore[arg-type]
            item_tower=None if fields.is_null("item_tower") else _parse_item_tower(fields),
        )
    except InputError as error:
        raise BundleFormatError(f"{names.MANIFEST}: model: {error}") from error


def _parse_item_tower(model: Fields) -> ItemTowerShape:
    fields = model.fields("item_tower")
    return ItemTowerShape(
        max_tokens=fields.integer("max_tokens"),
        bias=fields.number("bias"),
        # Version 1.0 knew one kind, and said nothing of it.
        tokenizer=fields.text("tokenizer")  # type: ignore[arg-type]  # checked by the shape
        if fields.has("tokenizer")
        else "sentencepiece",
    )


def _model_dict(model: ModelShape) -> dict[str, Any]:
    """The model as it stands in the manifest: what 1.0 did not know is said where it is used."""
    values = asdict(model)
    if model.item_tower is not None and model.item_tower.tokenizer == "sentencepiece":
        del values["item_tower"]["tokenizer"]
    return values
