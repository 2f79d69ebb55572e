"""New items stand where they are shown as often as they would be if they were known."""

from dataclasses import replace

import numpy as np
import pytest

from pocketrec_distill.evaluation.metrics import ndcg_at
from pocketrec_distill.training.new_items import TOP, Audience, Level, _Lists, unchanged

QUERIES, ITEMS, WIDTH = 300, 90, 6
ROWS = np.arange(0, ITEMS, 5)


def audience(seed: int = 0, raised: float = 0.0) -> Audience:
    rng = np.random.default_rng(seed)
    # All users have something in common, so that there is a direction that raises for all.
    users = (rng.normal(size=(QUERIES, WIDTH)) * 0.5 + [2, 0, 0, 0, 0, 0]).astype(np.float32)
    table = rng.normal(size=(ITEMS, WIDTH)).astype(np.float32)
    histories = [rng.permutation(ITEMS)[:4].astype(np.int32) for _ in range(QUERIES)]
    left = [np.setdiff1d(np.arange(ITEMS), history) for history in histories]
    targets = np.array([rng.choice(items) for items in left])
    bias = np.full(ITEMS, raised, np.float32)
    return Audience(users, table, bias, histories, targets)


def lists_of(made: Audience, level: Level, vectors: np.ndarray) -> tuple[float, float]:
    """Share of the places that ROWS take, and NDCG@10: the long way."""
    table = made.table.copy()
    table[ROWS] = level.apply(vectors)
    scores = made.users @ table.T
    known = np.setdiff1d(np.arange(ITEMS), ROWS)
    scores[:, known] += made.bias[known]
    ranks = []
    for row, (history, target) in enumerate(zip(made.histories, made.targets, strict=True)):
        scores[row, history] = -np.inf
        ranks.append(int((scores[row] >= scores[row, target]).sum()))
    shown = np.isin(np.argsort(-scores, axis=1)[:, :TOP], ROWS).mean()
    return float(shown), float(ndcg_at(np.array(ranks)).mean())


@pytest.mark.parametrize("factor", [0.3, 1.0, 2.5])
def test_short_vectors_are_raised_and_long_ones_lowered(factor: float) -> None:
    """Noisy vectors of another length end up with the share of the trained ones."""
    made = audience()
    rng = np.random.default_rng(1)
    vectors = factor * (made.table[ROWS] + 0.3 * rng.normal(size=(len(ROWS), WIDTH)))
    vectors = vectors.astype(np.float32)
    trained, _ = lists_of(made, Level(1.0, np.zeros(WIDTH, np.float32)), made.table[ROWS])
    before, _ = lists_of(made, unchanged(ROWS, vectors), vectors)
    level = made.level(ROWS, vectors)
    after, _ = lists_of(made, level, vectors)
    assert after == pytest.approx(trained, abs=0.01)
    assert abs(before - trained) > 0.01 or factor == 1.0
    assert (level.scale > 1) == (factor < 1) or factor == 1.0


def test_known_items_stand_where_their_bias_puts_them() -> None:
    """New items have no bias, and are measured against those that do."""
    made = audience(raised=1.5)
    vectors = 0.3 * made.table[ROWS]
    trained, _ = lists_of(made, Level(1.0, np.zeros(WIDTH, np.float32)), made.table[ROWS])
    after, _ = lists_of(made, made.level(ROWS, vectors), vectors)
    assert after == pytest.approx(trained, abs=0.01)
    without = replace(made, bias=np.zeros(ITEMS, np.float32))
    misplaced, _ = lists_of(made, without.level(ROWS, vectors), vectors)
    assert abs(misplaced - trained) > 0.01


def test_what_decides_the_lists_is_what_full_ranking_says() -> None:
    made = audience(2)
    vectors = 0.5 * made.table[ROWS]
    lists: _Lists = made._lists(ROWS, vectors)
    raising = made._raising()
    heights = made.users @ raising
    assert abs(float(heights.mean()) - 1) < 0.1
    for scale, shift in ((1.0, 0.0), (2.0, 0.4), (0.7, -0.6)):
        level = Level(scale, np.float32(shift) * raising)
        shown, ndcg = lists_of(made, level, vectors)
        found = lists.share_shown(np.float32(scale) * lists.new + shift * heights[:, None])
        assert found == pytest.approx(shown, abs=1e-6)
        assert lists.ndcg(scale, shift * heights) == pytest.approx(ndcg, abs=1e-6)


def test_items_that_nobody_is_shown_stay_as_they_are() -> None:
    made = audience()
    table = made.table.copy()
    table[ROWS] = 0
    table[ROWS, 0] = -9
    vectors = table[ROWS] + 1
    level = replace(made, table=table).level(ROWS, vectors)
    np.testing.assert_array_equal(level.apply(vectors), vectors)


def test_without_a_user_nothing_is_moved() -> None:
    nobody = replace(
        audience(), users=np.zeros((0, WIDTH), np.float32), histories=[], targets=np.zeros(0, int)
    )
    vectors = np.ones((3, WIDTH), np.float32)
    np.testing.assert_array_equal(nobody.level(ROWS[:3], vectors).apply(vectors), vectors)
