"""Candidate teachers of a teacher folder: packed from a run, opened from verified bytes."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pocketrec_distill.config import section_from_mapping
from pocketrec_distill.errors import SourceError
from pocketrec_distill.models.base import Floats
from pocketrec_distill.placement import CPU
from pocketrec_distill.serving.contents import GoldenScores, RefinerPart
from pocketrec_distill.serving.golden import dump_golden, parse_golden
from pocketrec_distill.teachers.pairs import PAIR_TEACHERS, PairSettings, PairTeacher
from pocketrec_distill.teachers.protocol import CandidateTeacher, Context
from pocketrec_distill.teachers.refine import Refiner, Say
from pocketrec_distill.teachers.settings import ClassifierSettings, YesNoSettings
from pocketrec_runtime.bundle.strict_json import Fields
from pocketrec_runtime.errors import BundleFormatError

_SETTINGS: Mapping[str, type[PairSettings]] = {
    "classifier": ClassifierSettings,
    "yes_no": YesNoSettings,
}
_GOLDEN = "golden.json"

Question = tuple[tuple[int, ...], tuple[int, ...]]
"""A made-up history, and the items that are asked about."""


def packed(
    teacher: PairTeacher,
    candidates: int,
    say: Say,
    texts: Sequence[str],
    questions: Sequence[Question],
) -> RefinerPart:
    """A candidate teacher as a part of a folder.

    Args:
        teacher: It, trained.
        candidates: Items of one history that it is asked about.
        say: How much it is believed.
        texts: Of the items.
        questions: What its golden scores answer, in float32.

    Raises:
        ConfigError: Its adapter cannot be merged.
    """
    with tempfile.TemporaryDirectory(prefix="pocketrec-") as name:
        folder = Path(name)
        teacher.save_whole(folder)
        files = {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.is_file()}
    # Where it lay before is of no use to anybody.
    settings = replace(teacher.settings, path="", base="")
    part = RefinerPart(candidates, say, settings, files)
    exact = opened(part, texts, "fp32", CPU).teacher
    golden = tuple(
        GoldenScores(history, items, logits_of(exact, history, items))
        for history, items in questions
    )
    return replace(part, golden=golden)


def opened(
    part: RefinerPart, texts: Sequence[str], precision: str, device: torch.device
) -> Refiner:
    """A part's candidate teacher, ready to be asked.

    Transformers reads folders, so the verified bytes are written to one of their own, for as long
    as it reads: what is loaded is what was verified.

    Args:
        part: See `RefinerPart`.
        texts: Of the items.
        precision: "auto", "fp32" or "bf16".
        device: Where it computes.

    Raises:
        BundleFormatError: It cannot be loaded.
    """
    # Windows does not let go of a file that is still mapped.
    with tempfile.TemporaryDirectory(prefix="pocketrec-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for file, data in part.files.items():
            (folder / file).write_bytes(data)
        settings = replace(part.settings, precision=precision)
        try:
            teacher: PairTeacher = PAIR_TEACHERS[part.kind].open(folder, texts, settings, device)
        except SourceError as error:
            raise BundleFormatError(f"{part.kind}: {error}") from error
    return Refiner(teacher, part.candidates, part.say)


def logits_of(
    teacher: CandidateTeacher, history: tuple[int, ...], items: tuple[int, ...]
) -> Floats:
    """What a candidate teacher says of some items after a history, float32 (items,)."""
    context = Context(np.array(history, np.int32))
    logits: Floats = teacher.candidate_logits([context], np.array([items], np.int32))[0]
    return logits


def file_of(kind: str, name: str) -> str:
    """Where a file of a refiner lies in the folder, whose names are flat and in lower case."""
    return f"{kind}_{name.lower().replace('-', '_')}"


def files_of(part: RefinerPart) -> dict[str, bytes]:
    """Everything of a part that is no value of the manifest."""
    files = {file_of(part.kind, name): data for name, data in part.files.items()}
    return {**files, file_of(part.kind, _GOLDEN): dump_golden(part.golden, _GOLDEN)}


def described(part: RefinerPart) -> dict[str, Any]:
    """A part's values in the manifest."""
    return {
        "kind": part.kind,
        "candidates": part.candidates,
        **asdict(part.say),
        "settings": asdict(part.settings),
        "files": sorted(part.files),
    }


def decoded(value: object, blobs: Mapping[str, bytes], items: int) -> RefinerPart:
    """The part that `described` and `files_of` wrote.

    Raises:
        BundleFormatError: The values are none of a part.
        ConfigError: A value is out of its bounds.
        KeyError: A file is not there.
    """
    fields = Fields(value, "refiners")
    kind = fields.text("kind")
    if kind not in _SETTINGS:
        raise BundleFormatError(f"refiner {kind[:60]!r} is not known to this version")
    listed = fields.array("files")
    if not all(isinstance(name, str) for name in listed):
        raise BundleFormatError(f"files of {kind} are {listed}")
    return RefinerPart(
        candidates=fields.integer("candidates"),
        say=Say(fields.number("base"), fields.number("own")),
        settings=section_from_mapping(_SETTINGS[kind], fields.mapping("settings"), kind),
        files={name: blobs[file_of(kind, name)] for name in listed},
        golden=parse_golden(blobs[file_of(kind, _GOLDEN)], f"golden scores of {kind}", items),
    )
