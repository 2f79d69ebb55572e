"""Exact top-k against brute force in whole numbers, on catalogues made to be hard."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pocketrec_runtime.errors import InputError
from pocketrec_runtime.scan import Scan, integer

pytestmark = pytest.mark.usefixtures("blocks")

KINDS = (
    "plain", "duplicates", "zeros", "subnormal", "huge", "mixed", "biased", "extreme bias", "ties",
    "float", "float huge",
)  # fmt: skip
SLOW = settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def same(found, expected):
    assert found.indices.tolist() == expected[0]
    assert found.scores.tolist() == expected[1]
    assert found.indices.dtype == np.int64
    assert found.scores.dtype == np.float32


@SLOW
@given(data=st.data(), kind=st.sampled_from(KINDS), seed=st.integers(0, 2**32))
def test_top_k_is_brute_force(hard, reference, data, kind, seed):
    n = data.draw(st.sampled_from([1, 2, 33, 64, 97, 200, 320]), "n")
    width = data.draw(st.sampled_from([1, 3, 16, 63, 64, 65]), "width")
    catalogue = hard(kind, n, width, seed)
    rng = np.random.default_rng(seed)
    query = rng.normal(size=width).astype(np.float32)
    k = data.draw(st.sampled_from([1, 2, 3, 5, n - 1, n, n + 7]).filter(bool), "k")
    allow, exclude = None, frozenset()
    if data.draw(st.booleans(), "filtered"):
        allow = rng.random(n) < data.draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), "share")
    if data.draw(st.booleans(), "excluded"):
        exclude = frozenset(rng.integers(0, n, data.draw(st.sampled_from([1, 5, n]))).tolist())
    found = Scan(catalogue, direct_rows=0).top_k(query, k, exclude=exclude, allow=allow)
    same(found, reference.top_k(catalogue, query, k, exclude, allow))
    assert len(found.indices) <= found.rescored <= n


@pytest.mark.parametrize("kind", KINDS)
def test_many_rows_are_ranked_as_their_scores_sort(hard, kind):
    catalogue = hard(kind, 5000, 24, seed=6)
    scan = Scan(catalogue, direct_rows=0)
    rng = np.random.default_rng(0)
    exclude = frozenset(rng.integers(0, 5000, 40).tolist())
    for allow in (None, rng.random(5000) < 0.7, rng.random(5000) < 0.01):
        query = rng.normal(size=24).astype(np.float32)
        scores = scan.scores(query).astype(np.float64)
        scores[list(exclude)] = -np.inf
        if allow is not None:
            scores[~allow] = -np.inf
        scores[~np.isfinite(scores)] = -np.inf
        expected = np.lexsort((np.arange(5000), -scores))[:10]
        expected = expected[np.isfinite(scores[expected])]
        found = scan.top_k(query, 10, exclude=exclude, allow=allow)
        same(found, (expected.tolist(), scores[expected].tolist()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_scored_as_its_queries_alone(hard, catalogue_of, kind):
    catalogue = hard(kind, 3000, 65, seed=3)
    if kind == "float":
        catalogue = catalogue_of(catalogue.rows, bias=np.arange(3000))
    scan = Scan(catalogue, direct_rows=0)
    queries = np.random.default_rng(4).normal(size=(5, 65)).astype(np.float32)
    queries[3] = np.nan
    found = scan.scores_batch(queries)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [scan.scores(query) for query in queries])
    assert np.isnan(found[3]).all()
    assert not np.isnan(found[[0, 1, 2, 4]]).any()
    assert scan.scores_batch([]).shape == (0, 3000)
    with pytest.raises(InputError, match=r"give \(65,\)"):
        scan.scores_batch(queries[:, 1:])


def test_rows_whose_coarse_order_is_wrong(catalogue_of):
    # The second component is below half a step of the query: the coarse scan does not see it,
    # and row 0's block looks as good as the one of the true best, far behind it.
    rows = np.zeros((320, 2), np.int8)
    rows[:, 0] = 100
    rows[300, 1] = 127
    rows[7, 1] = -127
    scan = Scan(catalogue_of(rows, np.ones(320)), direct_rows=0)
    query = np.array([1, 0.4 / 64], np.float32)
    found = scan.top_k(query, 3)
    assert found.indices.tolist() == [300, 0, 1]
    assert found.rescored == 320  # nothing could be left out with certainty


def test_the_best_may_be_excluded(hard):
    # What is left out had the highest lower bounds, which then promise nothing.
    catalogue = hard("plain", 5000, 24, seed=6)
    scan = Scan(catalogue, direct_rows=0)
    query = np.random.default_rng(0).normal(size=24).astype(np.float32)
    order = np.lexsort((np.arange(5000), -scan.scores(query)))
    for count in (5, 40):
        assert scan.top_k(query, 5, exclude=order[:count]).indices.tolist() == (
            order[count : count + 5].tolist()
        )


def test_ties_between_blocks_that_are_opened_one_after_the_other(catalogue_of):
    rows = np.zeros((320, 2), np.int8)
    rows[[3, 165, 170]] = [100, 0]
    # Not allowed, but their blocks look best and are opened first.
    rows[[160, 192, 224]] = [127, 127]
    allow = np.ones(320, bool)
    allow[[160, 192, 224]] = False
    scan = Scan(catalogue_of(rows, np.ones(320)), direct_rows=0)
    found = scan.top_k(np.array([1, 1], np.float32), 2, allow=allow)
    assert found.indices.tolist() == [3, 165]
    # Of the other blocks that look alike at their rows of 0 all are opened at once.
    assert found.rescored == (4 * 32 - 3 if scan.coarse.block == 32 else 317)


def test_few_rows_are_rescored(hard):
    catalogue = hard("plain", 20_000, 64, seed=9)
    scan = Scan(catalogue, direct_rows=0)
    query = np.random.default_rng(1).normal(size=64).astype(np.float32)
    assert 10 * scan.coarse.block <= scan.top_k(query, 10).rescored <= 2000
    half = np.random.default_rng(2).random(20_000) < 0.5
    assert scan.top_k(query, 10, allow=half).rescored <= 2000


def test_float_rows_are_certified_too(hard):
    catalogue = hard("float", 5000, 32, seed=9)
    query = np.random.default_rng(1).normal(size=32).astype(np.float32)
    assert 10 <= Scan(catalogue, direct_rows=0).top_k(query, 10).rescored <= 20


def test_all_filtered_is_an_empty_answer(hard):
    scan = Scan(hard("plain", 100, 8, seed=1), direct_rows=0)
    query = np.ones(8, np.float32)
    for found in (
        scan.top_k(query, 2, allow=np.zeros(100, bool)),
        scan.top_k(query, 2, exclude=range(100)),
        scan.top_k(np.array([np.nan, *query[1:]], np.float32), 2),
        scan.top_k(np.array([np.inf, *query[1:]], np.float32), 2),
    ):
        assert found.indices.tolist() == found.scores.tolist() == []


def test_masks_are_left_as_they_were(hard):
    scan = Scan(hard("plain", 400, 8, seed=1), direct_rows=0)
    allow = np.random.default_rng(0).random(400) < 0.5
    allow.setflags(write=False)
    exclude = np.array([3, 5])
    before = allow.copy()
    scan.top_k(np.ones(8, np.float32), 2, exclude=exclude, allow=allow)
    np.testing.assert_array_equal(allow, before)
    assert exclude.tolist() == [3, 5]


@pytest.mark.parametrize("kind", ["plain", "biased", "mixed", "float"])
def test_batch_equals_single(hard, kind):
    scan = Scan(hard(kind, 3000, 16, seed=2), direct_rows=0)
    rng = np.random.default_rng(3)
    queries = rng.normal(size=(21, 16)).astype(np.float32)
    queries[4, 2] = np.nan
    queries[7] = 0
    queries[9] *= 1e-44
    exclude = [rng.integers(0, 3000, count) for count in range(21)]
    allow = rng.random(3000) < 0.9
    batch = scan.top_k_batch(queries, 5, exclude=exclude, allow=allow)
    assert len(batch) == 21
    for query, without, found in zip(queries, exclude, batch, strict=True):
        single = scan.top_k(query, 5, exclude=without, allow=allow)
        same(found, (single.indices.tolist(), single.scores.tolist()))
    assert scan.top_k_batch(queries[:0], 5) == []


def test_two_threads_answer_as_one(hard):
    catalogue = hard("plain", 5000, 64, seed=1)
    query = np.random.default_rng(0).normal(size=64).astype(np.float32)
    one = Scan(catalogue, direct_rows=0).top_k(query, 7)
    same(
        Scan(catalogue, threads=2, direct_rows=0).top_k(query, 7),
        (one.indices.tolist(), one.scores.tolist()),
    )


def test_bad_arguments_are_refused(hard):
    scan = Scan(hard("plain", 100, 8, seed=1), direct_rows=0)
    query = np.ones(8, np.float32)
    with pytest.raises(InputError, match="k is 0"):
        scan.top_k(query, 0)
    with pytest.raises(InputError, match="vector has shape"):
        scan.top_k(query[:7], 1)
    with pytest.raises(InputError, match="vector has shape"):
        scan.scores(query[:7])
    for mask in (np.ones(99, bool), np.ones(100, np.int8)):
        with pytest.raises(InputError, match="mask"):
            scan.top_k(query, 1, allow=mask)
    for index in (-1, 100):
        with pytest.raises(InputError, match="outside 0 to 99"):
            scan.top_k(query, 1, exclude=[index])
    with pytest.raises(InputError, match="1 exclude for 2 queries"):
        scan.top_k_batch([query, query], 1, exclude=[[]])


@pytest.mark.parametrize(
    ("kind", "width", "rows"), [("plain", 64, 4096), ("plain", 256, 1024), ("float", 64, 256)]
)
def test_few_numbers_are_scored_at_once(hard, kind, width, rows):
    assert Scan(hard(kind, rows, width, seed=1)).coarse is None
    more = Scan(hard(kind, rows + 1, width, seed=1))
    assert more.coarse is not None
    query = np.random.default_rng(3).normal(size=width).astype(np.float32)
    assert more.top_k(query, 3).rescored <= rows


def test_large_catalogues_have_larger_blocks(hard):
    many = integer.BLOCKS
    rows = [1, many, many + 1, 3 * many, 25 * many, 100 * many]
    assert [integer.block_rows(count) for count in rows] == [1, 1, 2, 4, 32, 64]
    catalogue = hard("plain", 300_005, 4, seed=1)
    scan = Scan(catalogue, direct_rows=0)
    assert scan.coarse.block == 64
    query = np.array([1, -2, 0.5, 3], np.float32)
    scores = scan.scores(query)
    expected = np.lexsort((np.arange(len(scores)), -scores))[:5]
    same(scan.top_k(query, 5), (expected.tolist(), scores[expected].tolist()))
