"""Training sequences and batches of them."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)

# Sequences are sorted by length within pools of this many batches: little padding, still shuffled.
POOL_BATCHES = 16


def training_windows(histories: Sequence[NDArray[Value]], window: int) -> list[NDArray[Value]]:
    """Cut histories, or what stands beside their events, into sequences of `window + 1` at most.

    Sequences of one user overlap by one event, so that every event but a user's first is the
    target of exactly one position. Histories of a single event have no target and are left out.
    """
    sequences = []
    for history in histories:
        end = len(history)
        while end > 1:
            sequences.append(history[max(0, end - window - 1) : end])
            end -= window
    return sequences


def sequences_holding(lengths: Sequence[int], positions: int) -> int:
    """Sequences that hold so many positions on average, at least one.

    Args:
        lengths: Events of each sequence there is; it has one position less.
        positions: That they are to hold.
    """
    return max(1, round(positions / (np.mean(lengths) - 1)))


def pass_sequences(lengths: Sequence[int], positions: int) -> int:
    """Sequences of one pass: as many as hold so many positions on average, all for 0.

    Args:
        lengths: Events of each sequence; it has one position less.
        positions: Of one pass, see `TrainSettings.pass_positions`.
    """
    if not positions or not len(lengths):
        return len(lengths)
    return min(len(lengths), sequences_holding(lengths, positions))


def shuffled_batches(
    lengths: Sequence[int], batch: int, rng: np.random.Generator, most: int = 0
) -> Iterator[np.ndarray]:
    """Indices of each batch of one epoch: random, but with similar lengths together.

    Args:
        lengths: Length of each sequence.
        batch: Sequences per batch.
        rng: Source of the order.
        most: Sequences of one epoch at most; 0 takes all.
    """
    sizes = np.asarray(lengths)
    order = rng.permutation(len(sizes))[: most or None]
    for start in range(0, len(order), batch * POOL_BATCHES):
        pool = order[start : start + batch * POOL_BATCHES]
        pool = pool[np.argsort(sizes[pool], kind="stable")]
        batches = [pool[cut : cut + batch] for cut in range(0, len(pool), batch)]
        for place in rng.permutation(len(batches)):
            yield batches[place]
