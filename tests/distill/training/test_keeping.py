"""Which pass is kept: the best, or the last that nobody can tell from it."""

import numpy as np
import pytest

from pocketrec_distill.training.keeping import Kept

QUERIES = 400


def gains(mean: float, seed: int = 0, spread: float = 0.3) -> np.ndarray:
    """NDCG@10 of some queries, of exactly that mean; equal seeds differ by the mean alone."""
    noise = np.random.default_rng(seed).normal(0, spread, QUERIES)
    return mean + noise - noise.mean()


def passes(distilled: bool, *gains: np.ndarray) -> list[int]:
    """The pass that is kept after each."""
    kept = Kept(distilled=distilled)
    found = []
    for epoch, values in enumerate(gains, 1):
        before = kept.epoch
        assert kept.takes(epoch, values) == (kept.epoch != before)
        found.append(kept.epoch)
    return found


def test_of_hard_labels_the_best_pass_is_kept() -> None:
    assert passes(False, gains(0.1, 1), gains(0.2, 2), gains(0.199, 3), gains(0.2, 4)) == [
        1,
        2,
        2,
        2,
    ]


def test_of_a_teachers_labels_the_last_that_is_no_worse_is_kept() -> None:
    # Unlike queries: the standard error of a difference is .3 * sqrt(2 / 400) = .021.
    assert passes(True, gains(0.2, 1), gains(0.19, 2), gains(0.17, 3), gains(0.181, 4)) == [
        1,
        2,
        2,
        4,
    ]


def test_small_losses_do_not_add_up() -> None:
    """Each is compared with the best, not with the one before it."""
    means = [0.2, 0.19, 0.18, 0.17, 0.16]
    found = passes(True, *(gains(mean, seed) for seed, mean in enumerate(means)))
    assert found == [1, 2, 3, 3, 3]


def test_queries_are_compared_in_pairs() -> None:
    """What is worse by as much at every query is worse."""
    assert passes(True, gains(0.2), gains(0.1999)) == [1, 1]


@pytest.mark.parametrize("distilled", [False, True])
def test_a_mean_alone_has_no_error(distilled: bool) -> None:
    means = [np.array([value]) for value in (0.0, 0.3, 0.2999, 0.3, 0.31)]
    assert passes(distilled, *means) == [1, 2, 2, 2, 5]


def overfits(*gains: np.ndarray) -> list[bool]:
    """Whether a training of hard labels is over after each pass."""
    kept = Kept(distilled=False)
    found = []
    for epoch, values in enumerate(gains, 1):
        kept.takes(epoch, values)
        found.append(kept.overfits)
    return found


def test_two_passes_worse_beyond_doubt_are_the_end() -> None:
    # Unlike queries: two standard errors of a difference are .042.
    assert overfits(gains(0.3, 1), gains(0.25, 2), gains(0.25, 3)) == [False, False, True]


def test_passes_worse_by_chance_are_not() -> None:
    falling = [gains(0.3 - 0.01 * seed, seed) for seed in range(5)]
    assert not any(overfits(*falling))


def test_a_pass_between_that_may_be_as_good_goes_on() -> None:
    worse = gains(0.25, 2)
    assert overfits(gains(0.3, 1), worse, gains(0.29, 3), worse, gains(0.31, 4), worse) == (
        [False] * 6
    )


def test_means_alone_are_never_beyond_doubt() -> None:
    assert not any(overfits(*(np.array([value]) for value in (0.9, 0.1, 0.1, 0.1))))
