"""The teacher opened for serving: histories in, scores of the whole catalogue out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from pocketrec_distill.checks import at_least, not_negative, one_of
from pocketrec_distill.llm.base import compute_dtype
from pocketrec_distill.models.base import Floats
from pocketrec_distill.placement import placed_on
from pocketrec_distill.serving.contents import LINEAR_PARTS, GoldenScores, TeacherContents
from pocketrec_distill.serving.folder import read_teacher
from pocketrec_distill.serving.recall import Recalling
from pocketrec_distill.serving.refiners import logits_of, opened
from pocketrec_distill.serving.slots import Claim, HistorySlots, WindowPolicy
from pocketrec_distill.serving.tower import CachedTower
from pocketrec_distill.teachers.protocol import Context
from pocketrec_distill.teachers.refine import Refiner
from pocketrec_runtime import Catalogue
from pocketrec_runtime.errors import SelfTestError

Precision = Literal["auto", "fp32", "bf16"]

MAX_BATCH = 64
"""Histories of one run; more are read in several."""

# Of the largest golden score: what rounding in the tower's numbers may change.
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 5e-2}
# The same for models that read texts: all 30 blocks of an LM round (SmolLM2: log odds .12 off).
_TEXT_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.25}


@dataclass(frozen=True)
class ServingSettings:
    """How a teacher is run.

    Attributes:
        precision: Numbers of the towers; "auto" takes bfloat16 where the device multiplies it in
            hardware.
        histories: Histories whose keys and values, and candidates' logits, are kept, MAX_BATCH at
            least.
        window: See `HistorySlots`; "newest" gives the pipeline's own scores.
        reuse: Whether they are kept from request to request.
        threads: Threads of one run; 0 takes torch's own number.
        device: Where the models are: see `placed_on`.
        refine: Whether candidate teachers are asked; the blend alone answers sooner.
    """

    precision: Precision = "auto"
    histories: int = 512
    window: WindowPolicy = "newest"
    reuse: bool = True
    threads: int = 0
    device: str = "auto"
    refine: bool = True

    def __post_init__(self) -> None:
        one_of("", self, get_args(Precision), "precision")
        one_of("", self, get_args(WindowPolicy), "window")
        at_least("", self, MAX_BATCH, "histories")
        not_negative("", self, "threads")


class ServedTeacher:
    """The blend of a run, or a part of it, refined by its candidate teachers; ready to rank.

    Not for several threads at once; what it answers does not depend on what it was asked before.

    Args:
        contents: What a teacher folder holds.
        fingerprint: The folder's.
        settings: How it is run; None for the defaults.
    """

    def __init__(
        self, contents: TeacherContents, fingerprint: str, settings: ServingSettings | None = None
    ) -> None:
        self.settings = settings or ServingSettings()
        # The files of candidate teachers, once these are open, would be their models once more.
        self._contents = replace(contents, refiners=(), texts=())
        self._fingerprint = fingerprint
        self.device = placed_on(self.settings.device)
        self.dtype = compute_dtype(self.settings.precision, self.device)
        self._slots = HistorySlots(self.settings.histories, contents.window, self.settings.window)
        self._towers = {
            name: CachedTower(
                part, contents.window, self.settings.histories, self.dtype, self.device
            )
            for name, part in contents.towers.items()
        }
        parts = contents.refiners if self.settings.refine else ()
        self._refiners = [
            self._recalling(opened(part, contents.texts, self.settings.precision, self.device))
            for part in parts
        ]
        self._refiners_golden = [part.golden for part in parts]
        self.computed_positions = self.reused_positions = 0
        if self.settings.threads:
            torch.set_num_threads(self.settings.threads)

    @property
    def catalogue(self) -> Catalogue:
        """The items that it ranks."""
        return self._contents.catalogue

    @property
    def fingerprint(self) -> str:
        """Identity of model and catalogue, 64 hexadecimal digits."""
        return self._fingerprint

    def scores(self, histories: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Scores of the whole catalogue, float32 (histories, items).

        Args:
            histories: Item indices, oldest first, each of at least one event and any length.
        """
        asked = [tuple(history) for history in histories]
        distinct = list(dict.fromkeys(asked))
        found = [
            self._refined(distinct[start : start + MAX_BATCH])
            for start in range(0, len(distinct), MAX_BATCH)
        ]
        rows = {history: row for row, history in enumerate(distinct)}
        return np.concatenate(found)[[rows[history] for history in asked]]

    def self_test(self) -> None:
        """Answer the golden histories, the blend and each candidate teacher its own.

        Raises:
            SelfTestError: A score is further from the recorded one than rounding explains.
        """
        for golden in self._contents.golden:
            scores = self._blended([golden.history])[0, list(golden.items)]
            _hold(golden, scores, _TOLERANCE[self.dtype])
        for refiner, recorded in zip(self._refiners, self._refiners_golden, strict=True):
            for golden in recorded:
                logits = logits_of(refiner.teacher, golden.history, golden.items)
                _hold(golden, logits, _TEXT_TOLERANCE[self.dtype])

    def _recalling(self, refiner: Refiner) -> Refiner:
        if not self.settings.reuse:
            return refiner
        return replace(refiner, teacher=Recalling(refiner.teacher, self.settings.histories))

    def _refined(self, histories: Sequence[tuple[int, ...]]) -> Floats:
        scores = self._blended(histories)
        contexts = [Context(np.array(history, np.int32)) for history in histories]
        for refiner in self._refiners:
            scores = refiner.refined(scores, contexts)
        return scores

    def _blended(self, histories: Sequence[tuple[int, ...]]) -> Floats:
        parts: dict[str, Floats] = {}
        if self._towers:
            parts |= self._tower_scores(histories)
        if (linear := self._contents.linear) is not None:
            parts["linear"] = linear.scores([np.array(h, dtype=np.int32) for h in histories])
        total = np.tile(self.catalogue.bias, (len(histories), 1))
        for part in self._contents.parts:
            scores = parts["linear" if part.name in LINEAR_PARTS else part.name]
            if part.name == "log_linear":
                scores = np.log(np.maximum(scores, 0) + np.float32(part.floor))
            total += np.float32(part.weight) * scores
        return total

    def _tower_scores(self, histories: Sequence[tuple[int, ...]]) -> dict[str, Floats]:
        if not self.settings.reuse:
            self._slots.clear()
        claims: list[Claim] = []
        try:
            claims += map(self._slots.claim, histories)
            scores = {
                name: tower.scores(tower.read(claims)).cpu().numpy()
                for name, tower in self._towers.items()
            }
        except BaseException:
            for claim in claims:
                self._slots.drop(claim)
            raise
        for claim in claims:
            self._slots.keep(claim)
            self.computed_positions += claim.new
            self.reused_positions += claim.cached
        return scores


def _hold(golden: GoldenScores, scores: Floats, tolerance: float) -> None:
    """Raise a SelfTestError where `scores` are none of the recorded ones."""
    allowed = tolerance * max(1.0, float(np.abs(golden.scores).max()))
    worst = float(np.abs(scores - golden.scores).max())
    if not worst <= allowed:
        raise SelfTestError(
            f"a golden history is answered {worst:.3g} away from what was recorded; at most "
            f"{allowed:.3g} is allowed: export the teacher again"
        )


def open_teacher(
    path: str | PathLike[str], settings: ServingSettings | None = None
) -> ServedTeacher:
    """Opens a teacher folder: verifies every byte, builds the towers, answers golden histories.

    Raises:
        BundleError: As `read_teacher`, or the teacher fails its self-test.
    """
    contents, fingerprint = read_teacher(path)
    teacher = ServedTeacher(contents, fingerprint, settings)
    teacher.self_test()
    return teacher
