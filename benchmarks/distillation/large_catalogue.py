"""A student over a catalogue too large for scores of all items: memory and time of one epoch.

Made-up histories walk along rings of ten items; a made-up teacher knows the rings. Nothing is read.

    python benchmarks/distillation/large_catalogue.py --items 100000
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pocketrec_distill.models.llama import TowerShape
from pocketrec_distill.models.student import Student
from pocketrec_distill.training import (
    SparseTeacherLabels,
    TrainSettings,
    fit,
    write_sparse_labels,
)
from pocketrec_runtime.memory import peak_memory_bytes, reset_peak_memory

RING, LENGTH, WIDTH = 10, 20, 64


class RingTeacher:
    """Scores 8 for the next item of the ring, 4 for the one after, 0 for all others."""

    def __init__(self, items: int) -> None:
        self.items = items

    def scores(self, histories: Sequence[NDArray[np.int32]]) -> NDArray[np.float32]:
        """Scores after the last event of each history."""
        return self.position_scores(histories, 1)

    def position_scores(
        self, sequences: Sequence[NDArray[np.int32]], newest: int
    ) -> NDArray[np.float32]:
        """Scores after each of the newest events of each sequence."""
        events = np.concatenate([sequence[-newest:] for sequence in sequences])
        found = np.zeros((len(events), self.items), np.float32)
        rows = np.arange(len(events))
        found[rows, following(events, 1)], found[rows, following(events, 2)] = 8, 4
        return found


def following(items: NDArray[np.int32], steps: int) -> NDArray[np.int32]:
    """The item so many steps further along each item's ring."""
    return items - items % RING + (items % RING + steps) % RING


def main() -> None:
    """Label, train an epoch, and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    starts = rng.integers(0, given.items // RING * RING, given.users).astype(np.int32)
    walks = [np.stack([following(s, n) for n in range(LENGTH)]) for s in starts]
    student = Student(given.items, TowerShape(WIDTH, 2, 2, 2, 128), None)
    seconds, steps = {}, iter(range(1, given.epochs + 1))
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        reset_peak_memory()
        write_sparse_labels(
            RingTeacher(given.items), walks, given.items, Path(folder), candidates=100,
            max_bytes=1 << 30,
        )  # fmt: skip
        seconds["labels"] = time.perf_counter() - began
        labelling = peak_memory_bytes()
        reset_peak_memory()
        began = time.perf_counter()
        curve = fit(
            student,
            walks,
            lambda _: float(next(steps)),
            TrainSettings(epochs=given.epochs, patience=given.epochs, learning_rate=4e-3),
            labels=SparseTeacherLabels.open(Path(folder)),
        )
        seconds["epoch"] = (time.perf_counter() - began) / given.epochs
    positions = given.users * (LENGTH - 1)
    report = {
        "items": given.items,
        "positions": positions,
        "seconds": seconds,
        "peak_memory_bytes": {"labels": labelling, "training": peak_memory_bytes()},
        "bytes_of_all_scores_of_a_batch": 64 * (LENGTH - 1) * given.items * 4,
        "bytes_of_dense_labels": positions * given.items * 2,
        "loss": [epoch.loss for epoch in curve],
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
