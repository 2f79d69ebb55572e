"""What a student is trained on: the real sequences first, then as many synthetic ones as fit."""

import numpy as np
import pytest

from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.pipeline.corpus import Corpus, real_corpus, with_synthetic
from pocketrec_distill.training.synthetic import Neighbours

from .making import made_dataset

NEAR = Neighbours.from_weights(1 - np.eye(4, dtype=np.float32), np.arange(4), items=4)
REAL = Corpus(
    [np.array([0, 1, 2], np.int32), np.array([3, 0], np.int32)],
    [np.ones(3, np.float32), np.full(2, 2.0, np.float32)],
)


def test_events_count_the_logarithm_of_their_weight() -> None:
    nobody = QuerySet([], np.zeros(0, np.int64))
    history, weights = np.array([0, 1, 2, 3], np.int32), np.array([1, 3, 7, 0], np.float32)
    data = made_dataset("abcd", [history], nobody, train_weights=[weights])
    corpus = real_corpus(data, window=2)
    assert [s.tolist() for s in corpus.sequences] == [[1, 2, 3], [0, 1]]
    assert [w.tolist() for w in corpus.weights] == [[2, 3, 0], [1, 2]]
    assert corpus.positions == 3


def test_synthetic_ones_fill_up_and_are_no_targets() -> None:
    grown = with_synthetic(REAL, NEAR, 40, window=3, seed=0)
    assert 40 <= grown.positions < 43
    assert [s.tolist() for s in grown.sequences[:2]] == [[0, 1, 2], [3, 0]]
    assert [w.tolist() for w in grown.weights[:2]] == [[1, 1, 1], [2, 2]]
    assert all(not w.any() for w in grown.weights[2:])
    assert [len(w) for w in grown.weights] == [len(s) for s in grown.sequences]


@pytest.mark.parametrize("positions", [0, 1, 3])
def test_enough_real_ones_stay_alone(positions: int) -> None:
    assert with_synthetic(REAL, NEAR, positions, window=3, seed=0) is REAL


def test_nothing_to_learn_from_stays_nothing() -> None:
    nothing = Corpus([], [])
    assert with_synthetic(nothing, NEAR, 10, window=3, seed=0) is nothing
