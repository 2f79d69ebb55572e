"""Teacher scores kept on disk, so that the teacher runs once and the student trains many epochs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocketrec_distill.models.base import History, PositionScorer
from pocketrec_distill.progress import progress
from pocketrec_distill.spread import Spread, here

BATCH = 32
_FLOAT16_MAX = 65504.0


@dataclass(frozen=True)
class TeacherLabels:
    """Teacher logits of the newest positions of each training sequence.

    Attributes:
        logits: float16 (labelled positions, items), memory-mapped.
        offsets: int64 (sequences + 1,): rows of sequence `i` are offsets[i] to offsets[i + 1],
            which label its last positions, in order.
    """

    logits: NDArray[np.float16]
    offsets: NDArray[np.int64]

    @classmethod
    def open(cls, folder: Path) -> "TeacherLabels":
        """Open what `write_labels` wrote."""
        return cls(np.load(folder / "logits.npy", mmap_mode="r"), np.load(folder / "offsets.npy"))

    def batch(self, sequences: NDArray[np.int64], lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Labels of some sequences, right-padded to the longest.

        Args:
            sequences: Which sequences.
            lengths: Positions of each, int64 (sequences,).

        Returns:
            A mask bool (sequences, longest) of labelled positions and their logits float32
            (labelled, items), in the order in which the mask selects positions.
        """
        starts, ends = self.offsets[sequences], self.offsets[sequences + 1]
        mask = label_mask(ends - starts, lengths)
        rows = [self.logits[start:end] for start, end in zip(starts, ends, strict=True)]
        return mask, torch.from_numpy(np.concatenate(rows).astype(np.float32))


def label_mask(labelled: NDArray[np.int64], lengths: Tensor) -> Tensor:
    """Which positions have a label, bool (sequences, longest), right-padded.

    Args:
        labelled: How many of the last positions of each sequence have one.
        lengths: Positions of each, int64 (sequences,).
    """
    places = torch.arange(int(lengths.max()))[None, :]
    first = lengths - torch.from_numpy(labelled)
    return (places < lengths[:, None]) & (places >= first[:, None])


def labelled_positions(lengths: Sequence[int], items: int, max_bytes: int) -> int:
    """How many of the newest positions of a sequence fit into `max_bytes` of float16 labels."""
    rows = max_bytes // (2 * items)
    low, high = 1, max(lengths)
    while low < high:
        middle = (low + high + 1) // 2
        fits = sum(min(length, middle) for length in lengths) <= rows
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def label_counts(lengths: Sequence[int], items: int, max_bytes: int) -> NDArray[np.int64]:
    """How many positions of each sequence are labelled, int64 (sequences,), within `max_bytes`.

    The newest positions of all sequences; where not even one of each fits, the newest one of
    sequences spread evenly over all.
    """
    counts = np.minimum(lengths, labelled_positions(lengths, items, max_bytes)).astype(np.int64)
    rows = max(1, max_bytes // (2 * items))
    if counts.sum() > rows:
        chosen = np.linspace(0, len(counts) - 1, rows).astype(np.int64)
        counts[:] = 0
        counts[chosen] = 1
    return counts


def write_labels(
    teacher: PositionScorer,
    sequences: Sequence[History],
    items: int,
    folder: Path,
    max_bytes: int,
    spread: Spread = here,
) -> None:
    """Score the positions of training sequences with the teacher, as many as `max_bytes` holds.

    A sequence of m + 1 events has m positions; position t sees events 0 to t. See `label_counts`
    for which positions are labelled. `spread` says where the teacher scores.
    """
    counts = label_counts([len(sequence) - 1 for sequence in sequences], items, max_bytes)
    newest = int(counts.max())
    offsets = np.concatenate(([0], np.cumsum(counts)))
    logits = np.lib.format.open_memmap(
        folder / "logits.npy", mode="w+", dtype=np.float16, shape=(int(offsets[-1]), items)
    )
    labelled = np.flatnonzero(counts)
    with progress(total=len(labelled), label="teacher labels", unit="sequence") as bar:
        chunks = [labelled[start : start + BATCH] for start in range(0, len(labelled), BATCH)]
        inputs = [[sequences[index][:-1] for index in chunk] for chunk in chunks]
        scored = spread(partial(teacher.position_scores, newest=newest), inputs)
        for chunk, scores in zip(chunks, scored, strict=True):
            # Beyond float16 a logit would become infinite, and the loss NaN.
            limited = np.clip(scores, -_FLOAT16_MAX, _FLOAT16_MAX)
            logits[offsets[chunk[0]] : offsets[chunk[-1] + 1]] = limited
            bar.update(len(chunk))
    logits.flush()
    np.save(folder / "offsets.npy", offsets)
