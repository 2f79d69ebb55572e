"""Intervals: by hand, against SciPy, and how often they are wrong."""

import math

import numpy as np
import pytest
import scipy.stats

from pocketrec_bench.compare.intervals import (
    ratio_of_pairs,
    ratio_of_replicates,
    ratio_of_stretches,
    t_quantile,
)


@pytest.mark.parametrize("degrees", [1, 2, 4, 7.5, 8, 29, 30, 31.3, 60, 1e6])
def test_quantiles_of_student_are_scipys(degrees: float) -> None:
    assert t_quantile(degrees) == pytest.approx(scipy.stats.t.ppf(0.975, degrees), rel=2e-3)


def test_no_degree_of_freedom_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        t_quantile(0.5)


def test_replicates_are_scipys_welch_interval() -> None:
    first, second = [1.0, 1.1, 1.05, 0.98], [1.2, 1.35, 1.28]
    found = ratio_of_replicates(first, second)
    expected = scipy.stats.ttest_ind(np.log(second), np.log(first), equal_var=False)
    low, high = expected.confidence_interval(0.95)
    assert found.low == pytest.approx(math.exp(low), rel=1e-3)
    assert found.high == pytest.approx(math.exp(high), rel=1e-3)
    means = (1.2 * 1.35 * 1.28) ** (1 / 3), (1.0 * 1.1 * 1.05 * 0.98) ** (1 / 4)
    assert found.ratio == pytest.approx(means[0] / means[1])


def test_pairs_are_scipys_paired_interval() -> None:
    # The machine slows to twice its time; the ratio stays near 1.1.
    first, second = [1.0, 1.5, 2.0, 1.2], [1.1, 1.68, 2.16, 1.32]
    found = ratio_of_pairs(first, second)
    expected = scipy.stats.ttest_rel(np.log(second), np.log(first))
    low, high = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high)), rel=1e-3)
    assert ratio_of_replicates(first, second).spread > 10 * found.spread


@pytest.mark.parametrize("second", [[1.0, 1.0], [1.0] * 4, [1.0, 0.0, 1.0]])
def test_what_is_no_pair_is_refused(second: list[float]) -> None:
    with pytest.raises(ValueError, match=r"no pairs|above 0"):
        ratio_of_pairs([1.0] * min(3, len(second)), second)


def test_a_single_run_varies_as_the_other_sides_runs() -> None:
    first = [1.0, 1.1, 1.21]  # logarithms 0, 1, 2 times log 1.1: standard deviation log 1.1
    found = ratio_of_replicates(first, [1.21])
    half = 4.3027 * math.log(1.1) * math.sqrt(1 / 3 + 1)
    assert found.ratio == pytest.approx(1.1)
    assert found.high == pytest.approx(1.1 * math.exp(half), rel=1e-3)


def test_runs_that_do_not_vary_have_a_point() -> None:
    found = ratio_of_replicates([2.0, 2.0], [3.0, 3.0])
    assert (found.low, found.ratio, found.high) == pytest.approx((1.5, 1.5, 1.5))
    assert found.spread == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("first", "second"), [([], [1.0, 1]), ([0.0, 1], [1.0]), ([1.0], [1.0])])
def test_figures_that_give_no_interval_are_refused(first: list[float], second: list[float]) -> None:
    with pytest.raises(ValueError, match=r"figures must|one run a side"):
        ratio_of_replicates(first, second)
    with pytest.raises(ValueError, match=r"figures must|too few"):
        ratio_of_stretches(first, second)


def test_neighbouring_stretches_that_are_alike_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    alike = np.repeat(np.exp(rng.normal(0, 0.5, 12)), 5)
    mixed = rng.permutation(alike)
    base = np.exp(rng.normal(0, 0.001, 60))
    assert ratio_of_stretches(base, alike).spread > 1.5 * ratio_of_stretches(base, mixed).spread


def test_one_run_a_side_is_as_unsure_as_runs_that_just_agree() -> None:
    same = [1.0] * 20
    found = ratio_of_stretches(same, same)
    # 1.95996 * sqrt(2) * 0.05 / 2.326 = 0.05958
    assert (found.low, found.ratio, found.high) == pytest.approx(
        (math.exp(-0.05958), 1.0, math.exp(0.05958)), rel=1e-4
    )


def test_the_interval_of_stretches_is_the_same_each_time() -> None:
    values = np.exp(np.random.default_rng(0).normal(0, 0.05, 40)).tolist()
    assert ratio_of_stretches(values, values[::-1]) == ratio_of_stretches(values, values[::-1])


@pytest.mark.parametrize("runs", [2, 5])
def test_the_interval_of_replicates_is_wrong_as_often_as_it_says(runs: int) -> None:
    rng = np.random.default_rng(runs)
    wrong = 0
    for _ in range(2000):
        first = np.exp(rng.normal(0, 0.03, runs))
        second = 1.2 * np.exp(rng.normal(0, 0.03, runs))
        found = ratio_of_replicates(first.tolist(), second.tolist())
        wrong += not found.low <= 1.2 <= found.high
    assert wrong / 2000 < 0.065
