"""The one score: by hand, in whole numbers, and in any order of summation."""

import numpy as np
import pytest

from pocketrec_runtime.scan import ItemRows
from pocketrec_runtime.scan.fixed import fix


def test_by_hand():
    rows = ItemRows(
        np.array([[1, -2], [3, 0], [0, 127]], np.int8),
        np.array([0.5, 2, 0], np.float32),
        np.array([0, 1, -1], np.float32),
    )
    # <1,-2|4,1.5> = 1, halved; <3,0|4,1.5> = 12, doubled and 1; nothing and -1.
    assert rows.scores(fix(np.array([4, 1.5], np.float32))).tolist() == [0.5, 25, -1]


def test_float_rows_by_hand():
    rows = ItemRows(np.array([[0.5, 2, 1]], np.float32), None, np.array([0.25], np.float32))
    assert rows.scores(fix(np.array([2, 3, -1], np.float32))).tolist() == [6.25]


def test_float_rows_are_folded_in_one_order():
    rows = ItemRows(np.array([[2**54, 1, -(2**54), 1]], np.float32), None, np.zeros(1, np.float32))
    # (2^54 - 2^54) + (1 + 1); any other order loses a 1.
    assert rows.scores(fix(np.ones(4, np.float32))).tolist() == [2]


def test_fixed_point_keeps_24_bits_and_rounds_the_smallest():
    query = fix(np.array([1.0, 2**-8 + 2**-31, 2**-33, 3 * 2**-33], np.float32))
    assert query.exponent == -31
    assert query.integers.tolist() == [2.0**31, 2.0**23 + 1, 0, 1]  # 0.25 and 0.75 of a step
    assert fix(np.array([1, np.nan], np.float32)) is None
    assert fix(np.array([1, -np.inf], np.float32)) is None
    assert fix(np.zeros(3, np.float32)).values.tolist() == [0, 0, 0]


@pytest.mark.parametrize("kind", ["plain", "subnormal", "huge", "mixed", "biased", "float"])
def test_scores_are_those_of_whole_numbers(hard, reference, kind):
    catalogue = hard(kind, 40, 65, seed=5)
    rows = ItemRows(catalogue.rows, catalogue.scales, catalogue.bias)
    query = np.random.default_rng(1).normal(size=65).astype(np.float32)
    np.testing.assert_array_equal(rows.scores(fix(query)), reference.scores(catalogue, query))
    some = np.array([7, 3, 3, 39])
    np.testing.assert_array_equal(rows.scores(fix(query), some), rows.scores(fix(query))[some])


def test_no_order_of_summation_changes_a_score(hard):
    catalogue = hard("biased", 3000, 256, seed=2)
    query = np.random.default_rng(3).normal(size=256).astype(np.float32)
    order = np.random.default_rng(4).permutation(256)
    there = ItemRows(catalogue.rows, catalogue.scales, catalogue.bias).scores(fix(query))
    back = ItemRows(catalogue.rows[:, order], catalogue.scales, catalogue.bias)
    np.testing.assert_array_equal(back.scores(fix(query[order])), there)
    # The same cannot be said of a float32 product, or this test would show nothing.
    floats = catalogue.rows.astype(np.float32)
    assert (floats @ query != floats[:, order] @ query[order]).any()


def test_score_beyond_float32_is_infinite():
    rows = ItemRows(np.array([[127]], np.int8), np.array([3e38], np.float32), np.zeros(1, "f4"))
    assert rows.scores(fix(np.array([2], np.float32))).tolist() == [np.inf]
