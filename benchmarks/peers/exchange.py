"""Histories and answers between two environments: plain arrays in .npz, NumPy alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
K = 10
# Stands in an answer where the model had nothing more to recommend.
NOTHING = -1


@dataclass(frozen=True)
class Histories:
    """Item indices of many histories, oldest first, end to end.

    Attributes:
        items: int64 (events,).
        offsets: int64 (histories + 1,): history h lies between offsets[h] and offsets[h + 1].
    """

    items: Ints
    offsets: Ints

    @classmethod
    def of(cls, histories: Sequence[NDArray[np.integer]]) -> "Histories":
        """The same histories in one array."""
        lengths = [len(history) for history in histories]
        return cls(
            np.concatenate([*histories, []]).astype(np.int64),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def one(self, place: int) -> Ints:
        """Item indices of one history."""
        return self.items[self.offsets[place] : self.offsets[place + 1]]

    def owners(self) -> Ints:
        """History of each event, int64 (events,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def places(self) -> Ints:
        """Place of each event in its history, from 0, int64 (events,)."""
        return np.arange(len(self.items)) - self.offsets[:-1][self.owners()]


@dataclass(frozen=True)
class Exchange:
    """What a peer learns from and is asked; the targets of the test stay with who asks.

    Attributes:
        train: Training histories.
        validation: What came before each validation target.
        targets: Validation targets, int64 (queries,).
        test: What came before each test target.
    """

    train: Histories
    validation: Histories
    targets: Ints
    test: Histories

    def write(self, path: Path) -> None:
        """All of it as one .npz file."""
        arrays = {"targets": self.targets}
        for name in ("train", "validation", "test"):
            histories: Histories = getattr(self, name)
            arrays |= {f"{name}_items": histories.items, f"{name}_offsets": histories.offsets}
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **arrays)

    @classmethod
    def read(cls, path: Path) -> "Exchange":
        """What `write` wrote."""
        with np.load(path) as arrays:
            train, validation, test = (
                Histories(arrays[f"{name}_items"], arrays[f"{name}_offsets"])
                for name in ("train", "validation", "test")
            )
            return cls(train, validation, arrays["targets"], test)


def ranks_in(answers: Ints, targets: Ints) -> Ints:
    """Rank (1 = best) of each target in its row of `answers` (queries, K); K + 1 outside it."""
    hits = answers == targets[:, None]
    found: Ints = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, answers.shape[1] + 1)
    return found


def ndcg(ranks: Ints) -> float:
    """Mean NDCG@10 with one relevant item."""
    return float(np.where(ranks <= K, 1 / np.log2(ranks + 1.0), 0.0).mean())


def check_answers(answers: Ints, histories: Histories, items: int) -> None:
    """Hold a peer to its task: every answer is of different items that the history lacks.

    Raises:
        ValueError: A row repeats an item, names a seen one or one outside 0 to items - 1.
    """
    if answers.shape != (len(histories), K):
        raise ValueError(f"answers are {answers.shape}; {(len(histories), K)} was asked")
    for place, row in enumerate(answers):
        given = row[row != NOTHING]
        seen = np.isin(given, histories.one(place))
        if len(np.unique(given)) < len(given) or seen.any():
            raise ValueError(f"answer {place}, {row.tolist()}, repeats an item or has a seen one")
        if ((given < 0) | (given >= items)).any():
            raise ValueError(f"answer {place}, {row.tolist()}, has no item of 0 to {items - 1}")
