"""Teacher scores kept on disk, so that the teacher runs once and the student trains many epochs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocketrec_distill.models.base import History, PositionScorer
from pocketrec_distill.progress import progress

BATCH = 32


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
        labelled = torch.from_numpy(ends - starts)
        places = torch.arange(int(lengths.max()))[None, :]
        mask = (places < lengths[:, None]) & (places >= (lengths - labelled)[:, None])
        rows = [self.logits[start:end] for start, end in zip(starts, ends, strict=True)]
        return mask, torch.from_numpy(np.concatenate(rows).astype(np.float32))


def labelled_positions(lengths: Sequence[int], items: int, max_bytes: int) -> int:
    """How many of the newest positions of a sequence fit into `max_bytes` of float16 labels."""
    rows = max_bytes // (2 * items)
    low, high = 1, max(lengths)
    while low < high:
        middle = (low + high + 1) // 2
        fits = sum(min(length, middle) for length in lengths) <= rows
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def write_labels(
    teacher: PositionScorer,
    sequences: Sequence[History],
    items: int,
    folder: Path,
    max_bytes: int,
) -> None:
    """Score the positions of every training sequence with the teacher.

    A sequence of m + 1 events has m positions; position t sees events 0 to t. Beyond `max_bytes`
    only the newest positions of each sequence are labelled.
    """
    lengths = [len(sequence) - 1 for sequence in sequences]
    newest = labelled_positions(lengths, items, max_bytes)
    offsets = np.cumsum([0, *(min(length, newest) for length in lengths)]).astype(np.int64)
    logits = np.lib.format.open_memmap(
        folder / "logits.npy", mode="w+", dtype=np.float16, shape=(int(offsets[-1]), items)
    )
    with progress(total=len(sequences), label="teacher labels", unit="sequence") as bar:
        for start in range(0, len(sequences), BATCH):
            inputs = [sequence[:-1] for sequence in sequences[start : start + BATCH]]
            end = start + len(inputs)
            logits[offsets[start] : offsets[end]] = teacher.position_scores(inputs, newest)
            bar.update(len(inputs))
    logits.flush()
    np.save(folder / "offsets.npy", offsets)
