"""The coarse scans never claim more than is true: bounds against exact scores of every row."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pocketrec_runtime.scan import ItemRows
from pocketrec_runtime.scan.blas import FloatCoarse
from pocketrec_runtime.scan.fixed import fix
from pocketrec_runtime.scan.integer import STEPS, IntegerCoarse, _quantize

pytestmark = pytest.mark.usefixtures("blocks")

WIDTHS = (1, 3, 63, 64, 65, 256)
INTEGER_KINDS = ("plain", "duplicates", "zeros", "subnormal", "mixed", "biased", "ties")


def check(catalogue, coarse, query):
    """Every block's best exact score lies within its bounds; True where there were bounds."""
    (bounds,) = coarse.bounds([fix(query)])
    if bounds is None:
        return False
    rows = ItemRows(catalogue.rows, catalogue.scales, catalogue.bias)
    exact = rows.scores(fix(query))
    highest = np.maximum.reduceat(exact, np.arange(0, len(exact), coarse.block))
    assert bounds.lower.shape == bounds.upper.shape == highest.shape
    assert (bounds.lower <= highest).all()
    assert (highest <= bounds.upper).all()
    return True


@settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(
    kind=st.sampled_from(INTEGER_KINDS),
    n=st.sampled_from([1, 31, 32, 33, 100, 257]),
    width=st.sampled_from(WIDTHS),
    seed=st.integers(0, 2**32),
    exponent=st.sampled_from([-140, -120, -30, 0, 10, 60]),
)
def test_integer_bounds_hold(hard, kind, n, width, seed, exponent):
    catalogue = hard(kind, n, width, seed)
    coarse = IntegerCoarse(catalogue.rows, catalogue.scales, catalogue.bias)
    query = np.random.default_rng(seed).standard_t(2, width) * 2.0**exponent
    check(catalogue, coarse, query.astype(np.float32))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    n=st.integers(1, 60),
    width=st.sampled_from(WIDTHS),
    seed=st.integers(0, 2**32),
    exponent=st.sampled_from([-140, -30, 0, 60]),
    biased=st.booleans(),
)
def test_float_bounds_hold(catalogue_of, n, width, seed, exponent, biased):
    rng = np.random.default_rng(seed)
    rows = (rng.standard_t(2, (n, width)) * 2.0 ** rng.integers(-140, 50, (n, 1))).astype("f4")
    catalogue = catalogue_of(rows, bias=rng.normal(size=n) * biased)
    query = (rng.normal(size=width) * 2.0**exponent).astype(np.float32)
    check(catalogue, FloatCoarse(rows, catalogue.bias), query)


@pytest.mark.parametrize("kind", ["plain", "biased", "ties"])
def test_ordinary_numbers_have_bounds(hard, kind):
    catalogue = hard(kind, 500, 64, seed=8)
    coarse = IntegerCoarse(catalogue.rows, catalogue.scales, catalogue.bias)
    assert check(catalogue, coarse, np.random.default_rng(0).normal(size=64).astype(np.float32))


def test_numbers_that_would_overflow_have_none(hard):
    for kind, size in (("huge", 1), ("extreme bias", 1), ("plain", 1e36), ("plain", 1e-44)):
        catalogue = hard(kind, 70, 8, seed=1)
        coarse = IntegerCoarse(catalogue.rows, catalogue.scales, catalogue.bias)
        assert not check(catalogue, coarse, np.full(8, size, np.float32)), (kind, size)


def test_a_wide_row_of_extremes_is_summed_exactly(catalogue_of):
    # The largest sums there can be: 4096 times 127 times 64, beyond float32's whole numbers.
    rows = np.full((64, 4096), 127, np.int8)
    rows[::2] = -127
    catalogue = catalogue_of(rows, np.ones(64))
    coarse = IntegerCoarse(rows, catalogue.scales, catalogue.bias)
    for query in (np.ones(4096, np.float32), -np.ones(4096, np.float32)):
        assert check(catalogue, coarse, query)
        (bounds,) = coarse.bounds([fix(query)])
        assert bounds.upper.max() < 1.0001 * 127 * 4096


def test_rounding_of_a_large_bias_is_part_of_the_bound(catalogue_of):
    # The score 2^24 + 1.79 rounds up to 2^24 + 2; the coarse one, 2^24 + 1, down to 2^24.
    catalogue = catalogue_of(np.full((2, 2), [1, 127], np.int8), [1, 1], [2**24, 0])
    query = np.array([1, 0.4 / 64], np.float32)
    coarse = IntegerCoarse(catalogue.rows, catalogue.scales, catalogue.bias)
    assert check(catalogue, coarse, query)


def test_codes_keep_pairs_of_products_within_16_bits():
    for query in np.random.default_rng(0).standard_t(1, (200, 64)).astype(np.float32):
        codes = _quantize(fix(query)).codes
        assert codes.min() >= 0
        assert codes.max() <= 2 * STEPS
        assert 2 * int(codes.max()) * 127 < 2**15


def test_bounds_are_close_enough_to_be_of_use(hard):
    catalogue = hard("plain", 4096, 64, seed=3)
    coarse = IntegerCoarse(catalogue.rows, catalogue.scales, catalogue.bias)
    query = np.random.default_rng(0).normal(size=64).astype(np.float32)
    (bounds,) = coarse.bounds([fix(query)])
    exact = ItemRows(catalogue.rows, catalogue.scales, catalogue.bias).scores(fix(query))
    assert np.median(bounds.upper - bounds.lower) < 0.3 * exact.std()


def test_shards_and_chunks_are_seams_that_do_not_show(hard):
    catalogue = hard("biased", 1000, 16, seed=4)
    arrays = (catalogue.rows, catalogue.scales, catalogue.bias)
    whole = IntegerCoarse(*arrays)
    parts = IntegerCoarse(*arrays, chunk_rows=64, shard_bytes=16 * 200)
    assert len(parts._sessions) == 6
    query = fix(np.random.default_rng(0).normal(size=16).astype(np.float32))
    for one, other in zip(whole.bounds([query]), parts.bounds([query]), strict=True):
        np.testing.assert_array_equal(one.upper, other.upper)
        np.testing.assert_array_equal(one.lower, other.lower)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's own account")
def test_one_packed_copy_of_the_rows_is_kept():
    rows = np.random.default_rng(0).integers(-127, 128, (400_000, 64), dtype=np.int8)
    before = resident_bytes()
    coarse = IntegerCoarse(rows, np.ones(400_000, np.float32), np.zeros(400_000, np.float32))
    assert resident_bytes() - before < 1.5 * rows.nbytes
    assert coarse.block == 64


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
