"""Pairs to learn from: what is liked, and what a negative may never be."""

import numpy as np
import pytest

from pocketrec_distill.errors import DataError
from pocketrec_distill.teachers.examples import Examples, sampled_examples
from pocketrec_distill.teachers.protocol import Context

HISTORIES = [np.array(h, np.int32) for h in ([0, 1, 2, 3], [4], [5, 0, 5])]
# Items 3 and 6 read alike.
TEXTS = ("a", "b", "c", "same", "e", "f", "same", "h")


def drawn(**changed) -> Examples:
    settings = {"window": 2, "negatives": 3, "most": 1000, "rng": np.random.default_rng(0)}
    settings |= {"histories": HISTORIES, "texts": TEXTS} | changed
    return sampled_examples(**settings)


def test_every_event_with_a_past_is_liked_after_it() -> None:
    pairs = drawn()
    liked = [
        (c.history.tolist(), c.events, int(item))
        for c, item, label in zip(pairs.contexts, pairs.candidates, pairs.labels, strict=True)
        if label
    ]
    assert liked == [([0], 1, 1), ([0, 1], 2, 2), ([1, 2], 3, 3), ([5], 1, 0), ([5, 0], 2, 5)]
    assert pairs.labels.tolist() == [1.0, 0.0, 0.0, 0.0] * 5


def test_a_negative_is_never_of_the_user_nor_reads_like_it() -> None:
    seen = set()
    for seed in range(30):
        pairs = drawn(rng=np.random.default_rng(seed))
        starts = np.flatnonzero(pairs.labels)
        assert len(starts) == 5
        for event, row in enumerate(np.split(pairs.candidates, starts[1:])):
            negatives = set(row[1:].tolist())
            assert negatives <= ({4, 5, 7} if event < 3 else {1, 2, 3, 4, 6, 7})
            assert len({TEXTS[item] for item in negatives}) == len(row) - 1 >= 2
            seen |= negatives
    assert seen == {1, 2, 3, 4, 5, 6, 7}


def test_popular_items_are_drawn_more_often() -> None:
    histories = [np.array([0, 1], np.int32)] + [np.array([2, 3], np.int32)] * 200
    first = [
        int(drawn(histories=histories, negatives=1, rng=np.random.default_rng(seed)).candidates[1])
        for seed in range(60)
    ]
    # 201 ** 0.75 = 53 against 1: of items 2 to 7 the last four share a thirtieth.
    assert sum(item in (2, 3) for item in first) > 50


def test_at_most_so_many_events_of_all_users() -> None:
    pairs = drawn(most=3)
    assert pairs.labels.tolist() == [1.0, 0.0, 0.0, 0.0] * 3
    later = drawn(most=3, rng=np.random.default_rng(5))
    assert pairs.candidates.tolist() != later.candidates.tolist()
    assert drawn(most=3).candidates.tolist() == pairs.candidates.tolist()


def test_a_user_with_nearly_all_items_gets_fewer_negatives() -> None:
    histories = [np.array([0, 1, 2, 3, 4, 5], np.int32)]
    pairs = sampled_examples(
        histories, TEXTS, window=1, negatives=3, most=9, rng=np.random.default_rng(0)
    )
    # Item 6 reads like item 3: only item 7 is left.
    assert pairs.candidates[pairs.labels == 0].tolist() == [7] * 5


def test_no_pair_of_events_is_refused() -> None:
    with pytest.raises(DataError, match="no user has two training events"):
        sampled_examples(
            [HISTORIES[1]], TEXTS, window=1, negatives=1, most=1, rng=np.random.default_rng(0)
        )


def test_pairs_are_taken_with_all_that_belongs_to_them() -> None:
    pairs = drawn()
    part = pairs.take(np.array([4, 0]))
    assert part.candidates.tolist() == [2, 1]
    assert [c.events for c in part.contexts] == [2, 1]
    with pytest.raises(DataError, match="1 contexts, 2 candidates and 2 labels"):
        Examples([Context(HISTORIES[0])], np.zeros(2, np.int32), np.zeros(2, np.float32))
