"""Laws of growth are recovered where they are known; bends too, and only where there is one."""

import numpy as np
import pytest

from pocketrec_bench.scale.fit import at, fit_growth, relative_line

SIZES = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)


def _rounds(costs: np.ndarray, noise: float, seed: int = 0, rounds: int = 7) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    return [(costs * np.exp(rng.normal(0, noise, costs.size))).tolist() for _ in range(rounds)]


def test_a_line_is_recovered_with_its_interval() -> None:
    costs = 4e-5 + 2e-9 * np.array(SIZES)
    fit = fit_growth(SIZES, _rounds(costs, 0.03))
    assert fit.fixed.low <= 4e-5 <= fit.fixed.high
    assert fit.each.low <= 2e-9 <= fit.each.high
    assert fit.each.high / fit.each.low < 1.2
    assert fit.bend is None
    assert fit.worst < 0.1
    assert at(fit, 300_000) == pytest.approx(6.4e-4, rel=0.03)


def test_the_slope_tells_proportional_from_constant() -> None:
    sizes = np.array(SIZES)
    for power in (0.0, 1.0, 2.0):
        fit = fit_growth(SIZES, _rounds(1e-9 * sizes**power, 0.01))
        assert fit.slope.low - 0.01 <= power <= fit.slope.high + 0.01


def test_a_bend_is_found_where_caches_end() -> None:
    sizes = np.array(SIZES, float)
    # 2 ns an item up to 100,000, 8 ns beyond.
    costs = 1e-5 + 2e-9 * np.minimum(sizes, 1e5) + 8e-9 * np.maximum(sizes - 1e5, 0)
    fit = fit_growth(SIZES, _rounds(costs, 0.01))
    assert fit.bend is not None
    assert fit.bend.size == 100_000
    assert fit.bend.before == pytest.approx(2e-9, rel=0.1)
    assert fit.bend.after == pytest.approx(8e-9, rel=0.1)


@pytest.mark.parametrize("seed", range(20))
def test_noise_has_no_bend(seed: int) -> None:
    costs = 1e-4 + 1e-12 * np.array(SIZES)
    assert fit_growth(SIZES, _rounds(costs, 0.1, seed)).bend is None


def test_a_cost_that_falls_has_no_negative_part() -> None:
    assert relative_line([1, 2, 3], [3.0, 2.0, 1.0])[1] == 0.0
    fixed, each = relative_line([1, 10, 100], [0.5, 9.0, 101.0])
    assert fixed == 0.0
    assert each > 0


@pytest.mark.parametrize(
    ("sizes", "rounds", "said"),
    [
        ((1, 2), [[1.0, 2.0]] * 2, "three or more"),
        ((1, 3, 2), [[1.0, 2.0, 3.0]] * 2, "ascending"),
        ((1, 2, 3), [[1.0, 2.0, 3.0]], "two rounds"),
        ((1, 2, 3), [[1.0, 2.0]] * 2, "one per size"),
        ((1, 2, 3), [[1.0, 0.0, 3.0]] * 2, "positive"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    sizes: tuple[int, ...], rounds: list[list[float]], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        fit_growth(sizes, rounds)
