"""What the sequence models of a run are trained on: real sequences, and synthetic ones beside."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.models.base import History
from pocketrec_distill.pipeline.dataset import Dataset
from pocketrec_distill.training import training_windows
from pocketrec_distill.training.synthetic import Neighbours, synthetic_histories


@dataclass(frozen=True)
class Corpus:
    """Training sequences and what their events count as targets.

    Attributes:
        sequences: Item indices, oldest first, at most window + 1 each.
        weights: float32 in the same shape; 0 for events that are no targets.
    """

    sequences: Sequence[History]
    weights: Sequence[NDArray[np.float32]]

    @property
    def positions(self) -> int:
        """Events but the last of each sequence."""
        return sum(len(sequence) - 1 for sequence in self.sequences)


def real_corpus(data: Dataset, window: int) -> Corpus:
    """The training histories, cut to windows; an event counts log2(1 + weight).

    The logarithm is that of implicit feedback (Hu, Koren and Volinsky, ICDM 2008): a song played
    a thousand times says more than one played once, but not a thousand times more.
    """
    counts = [np.log2(1 + weights) for weights in data.train_weights]
    return Corpus(training_windows(data.train, window), training_windows(counts, window))


def with_synthetic(
    corpus: Corpus, neighbours: Neighbours, positions: int, window: int, seed: int
) -> Corpus:
    """The corpus, filled up to so many positions with synthetic histories.

    Their events are no targets. A corpus that has as many positions, or none, stays as it is.
    """
    positions -= corpus.positions
    if positions <= 0 or not corpus.sequences:
        return corpus
    rng = np.random.default_rng(seed)
    made = synthetic_histories(corpus.sequences, neighbours, positions, window, rng)
    nothing = [np.zeros(len(history), dtype=np.float32) for history in made]
    return Corpus([*corpus.sequences, *made], [*corpus.weights, *nothing])
