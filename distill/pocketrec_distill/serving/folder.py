"""The teacher folder: written whole or not at all, and read as carefully as a bundle.

manifest.json        format, fingerprint, length and SHA-256 of every file, window, parts, shapes
manifest.sha256      seals the manifest
catalogue/           ids.json, columns.json, popularity.f32, as in a bundle
catalogue/bias.f32   float32 (items,): the trend, added to the blend (since format 4)
teacher.safetensors  the LLM's tower, adapters merged, and its item vectors
control.safetensors  the small text-fed tower and its item vectors
sasrec.safetensors   SASRec on ids (since format 3)
linear.safetensors   `weights` (dense, dense) and `dense`, the catalogue index of each
*_2.safetensors ...  more of the same, where one file would be larger than a gibibyte
golden.json          made-up histories and the pipeline's own scores for them

Where candidate teachers refine the blend (since format 2):
classifier_*, yes_no_*  a whole model in Hugging Face's layout, and its own golden scores
catalogue/texts.json    the items' texts
"""

import os
from collections.abc import Mapping
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models.floors import ItemItem
from pocketrec_distill.models.llama import TowerShape
from pocketrec_distill.serving.contents import TeacherContents, WeightedPart
from pocketrec_distill.serving.golden import dump_golden, parse_golden
from pocketrec_distill.serving.refiners import decoded, described, files_of
from pocketrec_distill.serving.tower_parts import TowerPart
from pocketrec_distill.serving.weights import dump_weights, load_weights
from pocketrec_runtime import Catalogue
from pocketrec_runtime.bundle import codec, manifest, names, strict_json
from pocketrec_runtime.bundle.reader import check_listing, sealed_manifest, verified_files
from pocketrec_runtime.bundle.source import DirectorySource
from pocketrec_runtime.bundle.strict_json import Fields
from pocketrec_runtime.bundle.writer import write_folder
from pocketrec_runtime.errors import (
    BundleError,
    BundleFormatError,
    BundleNotFoundError,
    BundleVersionError,
    InputError,
)
from pocketrec_runtime.limits import MAX_ITEMS

FORMAT, FORMAT_VERSION = "pocketrec-teacher", 4
_LINEAR, _GOLDEN, _TEXTS = "linear", "golden.json", "catalogue/texts.json"
_FLOAT32 = np.dtype("<f4")


def write_teacher(path: str | PathLike[str], contents: TeacherContents) -> str:
    """Writes a teacher folder; returns its fingerprint. An existing teacher folder is replaced.

    Raises:
        InputError: Something else than a teacher stands at the path.
        BundleError: The system could not write.
    """
    target = Path(os.path.abspath(path))  # noqa: PTH100  (a link is refused, not followed)
    blobs = _encoded(contents)
    entries = manifest.entries_of(blobs)
    fingerprint = manifest.fingerprint(entries)
    values = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "fingerprint": fingerprint,
        "files": {name: asdict(entry) for name, entry in entries.items()},
        "items": len(contents.catalogue),
        "window": contents.window,
        "parts": [asdict(part) for part in contents.parts],
        "towers": {name: _described(tower) for name, tower in contents.towers.items()},
        "linear": None if contents.linear is None else {"decay": contents.linear.decay},
        "refiners": [described(part) for part in contents.refiners],
        "license": contents.license,
        "provenance": dict(contents.provenance or {}),
    }
    blobs[names.MANIFEST] = strict_json.dump(values, names.MANIFEST, indent=2)
    blobs[names.SEAL] = manifest.seal(blobs[names.MANIFEST])
    _check_replaceable(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_folder(target, blobs)
    except OSError as error:
        raise BundleError(f"{target.name} was not written: {error}") from error
    return fingerprint


def read_teacher(path: str | PathLike[str]) -> tuple[TeacherContents, str]:
    """A verified teacher folder and its fingerprint; the bytes that are hashed are parsed.

    Raises:
        BundleNotFoundError: Nothing stands there.
        BundleFormatError: It breaks the format.
        BundleIntegrityError: Its bytes are not the sealed bytes.
        BundleVersionError: Another version of the format.
        BundleError: The system could not read it.
    """
    path = Path(path)
    if not path.is_dir():
        raise BundleNotFoundError(f"no teacher folder at {str(path)!r}")
    try:
        source = DirectorySource(path)
        fields = _manifest(source)
        blobs = dict(verified_files(source, manifest.parse_entries(fields)))
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
    try:
        return _decoded(fields, blobs), fields.text("fingerprint")
    except KeyError as error:
        raise BundleFormatError(f"{names.MANIFEST} does not list {error}") from error
    except (ConfigError, InputError) as error:
        raise BundleFormatError(f"{path.name}: {error}") from error


def is_teacher(path: str | PathLike[str]) -> bool:
    """Whether a sealed teacher manifest stands there; what else stands there is not looked at."""
    try:
        _manifest(DirectorySource(Path(path)))
    except (BundleError, OSError):
        return False
    return True


def _manifest(source: DirectorySource) -> Fields:
    fields = Fields(strict_json.parse(sealed_manifest(source), names.MANIFEST), names.MANIFEST)
    if fields.text("format") != FORMAT:
        raise BundleFormatError(f"format is {fields.text('format')[:60]!r}; expected {FORMAT!r}")
    if not 1 <= (version := fields.integer("format_version")) <= FORMAT_VERSION:
        raise BundleVersionError(
            f"teacher format {version}; this version reads 1 to {FORMAT_VERSION}: export the "
            "teacher again, or update pocketrec"
        )
    files = manifest.parse_entries(fields)
    manifest.check_fingerprint(fields, files)
    check_listing(source, files)
    return fields


def _check_replaceable(target: Path) -> None:
    if not target.exists() and not target.is_symlink():
        return
    if target.is_symlink() or not target.is_dir():
        raise InputError(f"{target} is no directory; remove it or choose another path")
    if any(target.iterdir()) and not is_teacher(target):
        raise InputError(f"{target} holds something else than a teacher; choose another path")


def _encoded(contents: TeacherContents) -> dict[str, bytes]:
    catalogue = contents.catalogue
    blobs = {
        names.IDS: strict_json.dump(list(catalogue.ids), names.IDS),
        names.COLUMNS: codec.encode_columns(catalogue.columns),
        names.POPULARITY: codec.encode_array(catalogue.popularity, _FLOAT32),
        names.BIAS: codec.encode_array(catalogue.bias, _FLOAT32),
        _GOLDEN: dump_golden(contents.golden, _GOLDEN),
    }
    for name, tower in contents.towers.items():
        blobs |= dump_weights(name, tower.tensors)
    if (linear := contents.linear) is not None:
        arrays = {"weights": linear.weights, "dense": linear.dense.astype(np.int64)}
        tensors = {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()}
        blobs |= dump_weights(_LINEAR, tensors)
    for refiner in contents.refiners:
        blobs |= files_of(refiner)
    if contents.texts:
        blobs[_TEXTS] = strict_json.dump(list(contents.texts), _TEXTS)
    return blobs


def _decoded(fields: Fields, blobs: Mapping[str, bytes]) -> TeacherContents:
    items, version = fields.integer("items"), fields.integer("format_version")
    if not 1 <= items <= MAX_ITEMS:
        raise BundleFormatError(f"items is {items}; it must be 1 to {MAX_ITEMS}")
    towers = {
        name: _tower(Fields(value, f"towers: {name}"), load_weights(name, blobs), version)
        for name, value in fields.mapping("towers").items()
    }
    first = next(iter(towers.values()), None)
    rows = np.zeros((items, 1), np.float32) if first is None else first.tensors["items"].numpy()
    catalogue = Catalogue(
        ids=codec.decode_ids(blobs[names.IDS], items),
        rows=rows,
        scales=None,
        bias=codec.decode_array(blobs, names.BIAS, _FLOAT32, (items,))
        if version > 3
        else np.zeros(items, np.float32),
        popularity=codec.decode_array(blobs, names.POPULARITY, _FLOAT32, (items,)),
        columns=codec.decode_columns(blobs[names.COLUMNS]),
    )
    listed = fields.array("refiners") if version > 1 else []
    refiners = tuple(decoded(value, blobs, items) for value in listed)
    return TeacherContents(
        catalogue=catalogue,
        window=fields.integer("window"),
        parts=tuple(_part(value) for value in fields.array("parts")),
        towers=towers,
        linear=None
        if fields.is_null("linear")
        else _linear(fields, load_weights(_LINEAR, blobs), items),
        refiners=refiners,
        texts=_texts(blobs[_TEXTS]) if refiners else (),
        golden=parse_golden(blobs[_GOLDEN], _GOLDEN, items),
        license=fields.text("license"),
        provenance=fields.mapping("provenance"),
    )


def _texts(data: bytes) -> tuple[str, ...]:
    texts = strict_json.parse(data, _TEXTS)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BundleFormatError(f"{_TEXTS} is no list of texts")
    return tuple(texts)


def _described(tower: TowerPart) -> dict[str, Any]:
    return {
        "width": tower.width,
        **{f"inner_{name}": value for name, value in asdict(tower.shape).items()},
        "projected": int(tower.projected),
        "rope_theta": tower.rope_theta,
        "eps": tower.eps,
        "family": tower.family,
    }


def _tower(fields: Fields, tensors: Mapping[str, Tensor], version: int) -> TowerPart:
    sizes = ("width", "blocks", "heads", "kv_heads", "hidden")
    return TowerPart(
        width=fields.integer("width"),
        shape=TowerShape(**{name: fields.integer(f"inner_{name}") for name in sizes}),
        projected=fields.integer("projected") != 0,
        rope_theta=fields.number("rope_theta"),
        eps=fields.number("eps"),
        tensors=tensors,
        family=fields.text("family") if version > 2 else "llama",  # type: ignore[arg-type]
    )


def _linear(fields: Fields, tensors: Mapping[str, Tensor], items: int) -> ItemItem:
    if sorted(tensors) != ["dense", "weights"]:
        raise BundleFormatError(f"{_LINEAR} holds {sorted(tensors)}; expected dense and weights")
    weights, dense = tensors["weights"], tensors["dense"]
    if weights.dtype != torch.float32 or dense.dtype != torch.int64 or dense.ndim != 1:
        raise BundleFormatError(f"{_LINEAR} holds {weights.dtype} weights and {dense.dtype} dense")
    decay = fields.fields("linear").number("decay")
    return ItemItem(weights.numpy(), dense.numpy(), items, decay)


def _part(value: object) -> WeightedPart:
    fields = Fields(value, "parts")
    return WeightedPart(
        name=fields.text("name"),  # type: ignore[arg-type]  # the part checks the value
        weight=fields.number("weight"),
        floor=fields.number("floor"),
    )
