"""Click data: shapes are held, and users never stand on both sides of a split."""

import numpy as np
import pytest

from pocketrec_distill.data import Impressions
from pocketrec_distill.errors import DataError


def made(**changes: object) -> Impressions:
    fields: dict[str, object] = {
        "users": ("a", "b", "a"),
        "times": np.array([1.0, np.nan, 3.0]),
        "histories": (("x", "y", "x"), (), ("x", "y", "x")),
        "candidates": (("p", "q"), ("q",), ("x", "r", "s")),
        "labels": tuple(np.array(row, dtype=np.int8) for row in ([0, 1], [1], [0, 1, 1])),
    }
    return Impressions(**{**fields, **changes})  # type: ignore[arg-type]


def test_counts_and_items() -> None:
    impressions = made()
    assert (len(impressions), impressions.shown, impressions.clicks) == (3, 6, 4)
    assert impressions.item_ids() == ("x", "y", "p", "q", "r", "s")


def test_take_keeps_the_order_asked_for() -> None:
    taken = made().take([2, 0])
    assert taken.users == ("a", "a")
    assert taken.times.tolist() == [3.0, 1.0]
    assert taken.candidates == (("x", "r", "s"), ("p", "q"))
    assert taken.labels[1].tolist() == [0, 1]


@pytest.mark.parametrize("seed", range(4))
def test_a_user_stands_on_one_side(seed: int) -> None:
    kept, held_out = made().split_users(0.5, seed)
    assert {kept.users, held_out.users} == {("a", "a"), ("b",)}


def test_a_split_needs_two_sides() -> None:
    with pytest.raises(DataError, match=r"0.1 of 2 users is 0"):
        made().split_users(0.1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"histories": ((), ())}, "histories has 2 entries for 3"),
        ({"times": np.array([1.0, np.inf, 2.0])}, "infinite"),
        ({"candidates": (("p", "p"), ("q",), ("x", "r", "s"))}, "impression 0 .* twice"),
        ({"candidates": (("p", "q"), (), ("x", "r", "s"))}, "impression 1 shows no candidate"),
        ({"labels": (np.array([0, 2]), np.array([1]), np.array([0, 1, 1]))}, r"labels \[0, 2\]"),
        ({"labels": (np.array([0]), np.array([1]), np.array([0, 1, 1]))}, "2 candidates"),
    ],
)
def test_what_is_off_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(DataError, match=said):
        made(**changes)
