"""Exact top-k: hand-computed cases, and brute force on hard ones."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketrec_runtime import scan
from pocketrec_runtime.errors import InputError

VECTORS = np.array([[1, 0], [0, 1], [2, 0], [1, 0]], np.float32)
BIAS = np.array([0, 0.5, 0, 0], np.float32)
QUERY = np.array([2, 3], np.float32)  # scores 2, 3.5, 4, 2


def ids_and_scores(answer):
    return answer[0].tolist(), answer[1].tolist()


def test_best_first_with_bias_and_ties_by_index():
    assert ids_and_scores(scan.top_k(VECTORS, BIAS, QUERY, 3)) == ([2, 1, 0], [4, 3.5, 2])


def test_k_above_n_is_n():
    indices, scores = scan.top_k(VECTORS, BIAS, QUERY, 99)
    assert indices.tolist() == [2, 1, 0, 3]
    assert indices.dtype == np.int64
    assert scores.dtype == np.float32


def test_mask_leaves_items_out():
    mask = np.array([False, True, False, True])
    assert scan.top_k(VECTORS, BIAS, QUERY, 3, mask)[0].tolist() == [1, 3]
    assert scan.top_k(VECTORS, BIAS, QUERY, 3, np.zeros(4, bool))[0].tolist() == []


def test_one_item():
    assert ids_and_scores(scan.top_k(VECTORS[:1], BIAS[:1], QUERY, 1)) == ([0], [2])


def test_nan_and_infinity_never_win():
    vectors = np.array([[np.nan, 0], [0, 1], [np.inf, 0], [0, 2]], np.float32)
    assert scan.top_k(vectors, np.zeros(4, np.float32), QUERY, 4)[0].tolist() == [3, 1]


def test_no_items():
    empty = np.empty((0, 2), np.float32)
    assert scan.top_k(empty, np.empty(0, np.float32), QUERY, 3)[0].size == 0


@pytest.mark.parametrize("k", [0, -1, 1.0, "3", None])
def test_bad_k_is_refused(k):
    with pytest.raises(InputError, match="k is"):
        scan.top_k(VECTORS, BIAS, QUERY, k)


def test_bad_shapes_are_refused():
    with pytest.raises(InputError, match="query"):
        scan.top_k(VECTORS, BIAS, QUERY[:1], 1)
    for mask in (np.ones(3, bool), np.ones(4, np.int8)):
        with pytest.raises(InputError, match="mask"):
            scan.top_k(VECTORS, BIAS, QUERY, 1, mask)


def brute_force(scores, k):
    ranked = sorted(
        (i for i, score in enumerate(scores) if math.isfinite(score)),
        key=lambda i: (-scores[i], i),
    )
    return ranked[:k]


# Few distinct values, so that most examples hold ties at the k-th place.
SCORE = st.sampled_from([-1.5, -0.0, 0.0, 0.25, 2.0, math.nan, math.inf, -math.inf])


@given(st.lists(SCORE, min_size=1, max_size=12), st.integers(1, 15))
def test_best_is_brute_force(scores, k):
    indices, values = scan.best(np.array(scores, np.float32), k)
    assert indices.tolist() == brute_force(scores, k)
    assert values.tolist() == [scores[i] for i in indices]


@given(st.data())
def test_masked_top_k_is_brute_force(data):
    n = data.draw(st.integers(1, 9))
    grid = st.integers(-2, 2)
    vectors = np.array(
        data.draw(st.lists(st.tuples(grid, grid), min_size=n, max_size=n)), np.float32
    )
    bias = np.array(data.draw(st.lists(grid, min_size=n, max_size=n)), np.float32)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    query = np.array(data.draw(st.tuples(grid, grid)), np.float32)
    k = data.draw(st.integers(1, n + 2))
    # Small integers are exact in float32, so that brute force may sum in any order.
    scores = [
        float(v @ query + b) if ok else -math.inf
        for v, b, ok in zip(vectors, bias, mask, strict=True)
    ]
    assert scan.top_k(vectors, bias, query, k, mask)[0].tolist() == brute_force(scores, k)
