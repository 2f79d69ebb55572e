"""The best of given scores: hand-computed cases, and brute force on hard ones."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketrec_runtime import scan
from pocketrec_runtime.errors import InputError


def test_best_first_with_ties_by_index():
    indices, scores = scan.best(np.array([2, 3.5, 4, 2], np.float32), 3)
    assert (indices.tolist(), scores.tolist()) == ([2, 1, 0], [4, 3.5, 2])
    assert indices.dtype == np.int64
    assert scores.dtype == np.float32


def test_k_above_n_is_n():
    assert scan.best(np.array([2, 3.5], np.float32), 99)[0].tolist() == [1, 0]
    assert scan.best(np.empty(0, np.float32), 3)[0].size == 0


def test_nan_and_infinity_never_win():
    scores = np.array([np.nan, 1, np.inf, 2, -np.inf], np.float32)
    assert scan.best(scores, 5)[0].tolist() == [3, 1]


def test_leave_out():
    scores = np.array([1, 2, 3], np.float32)
    scan.leave_out(scores, np.array([False, True, False]))
    assert scores.tolist() == [-np.inf, 2, -np.inf]


@pytest.mark.parametrize("k", [0, -1, 1.0, "3", None])
def test_bad_k_is_refused(k):
    with pytest.raises(InputError, match="k is"):
        scan.best(np.ones(4, np.float32), k)


def test_bad_masks_are_refused():
    for mask in (np.ones(3, bool), np.ones(4, np.int8)):
        with pytest.raises(InputError, match="mask"):
            scan.leave_out(np.ones(4, np.float32), mask)


def brute_force(scores, k):
    ranked = sorted(
        (i for i, score in enumerate(scores) if math.isfinite(score)),
        key=lambda i: (-scores[i], i),
    )
    return ranked[:k]


# Few distinct values, so that most examples hold ties at the k-th place.
SCORE = st.sampled_from([-1.5, -0.0, 0.0, 0.25, 2.0, math.nan, math.inf, -math.inf])


@settings(deadline=None, derandomize=True)
@given(st.lists(SCORE, min_size=1, max_size=12), st.integers(1, 15))
def test_best_is_brute_force(scores, k):
    indices, values = scan.best(np.array(scores, np.float32), k)
    assert indices.tolist() == brute_force(scores, k)
    assert values.tolist() == [scores[i] for i in indices]
