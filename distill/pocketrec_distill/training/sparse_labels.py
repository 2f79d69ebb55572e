"""Teacher scores of a few candidates per position: what a large catalogue, or a reranker, gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models.base import Floats, History, PositionScorer
from pocketrec_distill.progress import progress
from pocketrec_distill.spread import Spread, here
from pocketrec_distill.training.labels import (
    TeacherLabels,
    label_counts,
    label_mask,
    write_labels,
)

NO_CANDIDATE = -1
# Teacher scores held at once while labelling: 160 MB.
_MAX_SCORES = 40_000_000
_FLOAT16_MAX = 65504.0


@dataclass(frozen=True)
class SparseBatch:
    """Sparse labels of some positions.

    Attributes:
        candidates: Item indices int64 (positions, candidates); NO_CANDIDATE where there is none.
        logits: Teacher's scores float32 of the same shape; -inf where there is no candidate.
        rest: Teacher's log sum of exp over all other items, float32 (positions,); -inf if unknown.
    """

    candidates: Tensor
    logits: Tensor
    rest: Tensor

    def __len__(self) -> int:
        return len(self.candidates)

    def __getitem__(self, positions: slice) -> "SparseBatch":
        """The same at some positions."""
        return SparseBatch(self.candidates[positions], self.logits[positions], self.rest[positions])

    def to(self, device: torch.device) -> "SparseBatch":
        """The same on a device."""
        parts = (self.candidates, self.logits, self.rest)
        return SparseBatch(*(part.to(device) for part in parts))

    def first(self, count: int) -> "SparseBatch":
        """The best `count` candidates of each position; the others join the rest."""
        if count >= self.candidates.shape[1]:
            return self
        others = torch.cat((self.rest[:, None], self.logits[:, count:]), dim=1)
        return SparseBatch(
            self.candidates[:, :count], self.logits[:, :count], others.logsumexp(dim=1)
        )

    def without(self, items: Tensor) -> "SparseBatch":
        """The same without any mass on some items of each position, int64 (positions, columns)."""
        return self.only(~(self.candidates[:, :, None] == items[:, None, :]).any(dim=-1))

    def only(self, kept: Tensor) -> "SparseBatch":
        """The same without any mass on the other candidates, bool (positions, candidates)."""
        return SparseBatch(
            self.candidates.masked_fill(~kept, NO_CANDIDATE),
            self.logits.masked_fill(~kept, -torch.inf),
            self.rest,
        )


@dataclass(frozen=True)
class SparseTeacherLabels:
    """Teacher scores of candidates, at the newest positions of each training sequence.

    Attributes:
        candidates: Item indices int32 (labelled positions, candidates), best first;
            NO_CANDIDATE where a position has fewer.
        logits: Teacher's scores of them, float16, the same shape; ignored without candidate.
        rest: Teacher's log sum of exp over all other items, float32 (labelled positions,); -inf
            where the teacher scored the candidates only.
        offsets: int64 (sequences + 1,), as in `TeacherLabels`.
    """

    candidates: NDArray[np.int32]
    logits: NDArray[np.float16]
    rest: NDArray[np.float32]
    offsets: NDArray[np.int64]

    def __post_init__(self) -> None:
        rows = int(self.offsets[-1])
        if self.candidates.shape != self.logits.shape or len(self.candidates) != rows:
            raise ConfigError(
                f"sparse labels have candidates {self.candidates.shape} and logits "
                f"{self.logits.shape} for {rows} positions; write them again"
            )
        if self.rest.shape != (rows,):
            raise ConfigError(
                f"sparse labels have rest {self.rest.shape}; it must be ({rows},): write them again"
            )

    @classmethod
    def open(cls, folder: Path) -> "SparseTeacherLabels":
        """Open what `save` or `write_sparse_labels` wrote; the arrays stay on disk."""
        parts = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS)
        return cls(*parts)

    def save(self, folder: Path) -> None:
        """Write the arrays as .npy files into `folder`."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", np.ascontiguousarray(getattr(self, name)))

    def batch(self, sequences: NDArray[np.int64], lengths: Tensor) -> tuple[Tensor, SparseBatch]:
        """Labels of some sequences; see `TeacherLabels.batch` for the mask."""
        starts, ends = self.offsets[sequences], self.offsets[sequences + 1]
        mask = label_mask(ends - starts, lengths)
        rows = np.concatenate([np.arange(a, b) for a, b in zip(starts, ends, strict=True)])
        candidates = torch.from_numpy(self.candidates[rows].astype(np.int64))
        logits = torch.from_numpy(self.logits[rows].astype(np.float32))
        logits = logits.masked_fill(candidates == NO_CANDIDATE, -torch.inf)
        return mask, SparseBatch(candidates, logits, torch.from_numpy(self.rest[rows]))


_ARRAYS = ("candidates", "logits", "rest", "offsets")


def best_candidates(
    scores: Floats, count: int
) -> tuple[NDArray[np.int32], NDArray[np.float16], NDArray[np.float32]]:
    """The best `count` items of each row, best first, their scores, and the log sum of the others.

    Args:
        scores: Teacher's scores float32 (positions, items); more items than `count`. An item of
            score -inf is no candidate.
        count: Candidates per position.
    """
    known = torch.from_numpy(np.ascontiguousarray(scores, dtype=np.float32))
    best = known.topk(count, dim=1)
    rest = known.scatter(1, best.indices, -torch.inf).logsumexp(dim=1)
    # Beyond float16 a logit would become infinite, and the loss NaN.
    logits = best.values.clamp(-_FLOAT16_MAX, _FLOAT16_MAX).numpy()
    return best.indices.numpy().astype(np.int32), logits.astype(np.float16), rest.numpy()


def write_sparse_labels(
    teacher: PositionScorer,
    sequences: Sequence[History],
    items: int,
    folder: Path,
    *,
    candidates: int,
    max_bytes: int,
    spread: Spread = here,
) -> None:
    """Label the newest positions with the teacher's best candidates, as many as `max_bytes` holds.

    At no time are scores of more than a few sequences in memory.
    """
    count = min(candidates, items - 1)
    # A candidate takes 6 bytes, the budget counts 2 for each column.
    counts = label_counts([len(s) - 1 for s in sequences], 3 * count + 2, max_bytes)
    newest = int(counts.max())
    offsets = np.concatenate(([0], np.cumsum(counts)))
    found = _on_disk(folder, offsets, count)
    labelled = np.flatnonzero(counts)
    batch = max(1, _MAX_SCORES // (newest * items))
    with progress(total=len(labelled), label="teacher labels", unit="sequence") as bar:
        chunks = [labelled[start : start + batch] for start in range(0, len(labelled), batch)]
        inputs = [[sequences[i][:-1] for i in chunk] for chunk in chunks]
        scored = spread(partial(teacher.position_scores, newest=newest), inputs)
        for chunk, scores in zip(chunks, scored, strict=True):
            rows = slice(offsets[chunk[0]], offsets[chunk[-1] + 1])
            best, logits, rest = best_candidates(scores, count)
            found.candidates[rows], found.logits[rows], found.rest[rows] = best, logits, rest
            bar.update(len(chunk))


def _on_disk(folder: Path, offsets: NDArray[np.int64], count: int) -> SparseTeacherLabels:
    """Empty labels whose arrays are the files themselves."""
    rows = int(offsets[-1])
    np.save(folder / "offsets.npy", offsets)

    def array(name: str, kind: type[np.generic], *shape: int) -> NDArray[Any]:
        path = folder / f"{name}.npy"
        return np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)

    return SparseTeacherLabels(
        array("candidates", np.int32, rows, count),
        array("logits", np.float16, rows, count),
        array("rest", np.float32, rows),
        offsets,
    )


def label(
    teacher: PositionScorer,
    sequences: Sequence[History],
    items: int,
    folder: Path,
    max_bytes: int,
    candidates: int = 0,
    spread: Spread = here,
) -> None:
    """Write dense labels, or sparse ones where `candidates` is above 0."""
    if not candidates:
        write_labels(teacher, sequences, items, folder, max_bytes, spread)
        return
    write_sparse_labels(
        teacher, sequences, items, folder, candidates=candidates, max_bytes=max_bytes, spread=spread
    )


def open_labels(folder: Path) -> TeacherLabels | SparseTeacherLabels:
    """Labels of either kind, by what stands in `folder`."""
    sparse = (folder / "candidates.npy").is_file()
    return SparseTeacherLabels.open(folder) if sparse else TeacherLabels.open(folder)
