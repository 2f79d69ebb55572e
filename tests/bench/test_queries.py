"""Histories that are drawn, and held-out ones."""

import re
from collections import Counter

import pytest

from pocketrec_bench.queries import Queries, drawn, held_out
from pocketrec_runtime import read_bundle
from pocketrec_runtime.errors import InputError


@pytest.fixture
def catalogue(tiny_bundle):
    return read_bundle(tiny_bundle).contents.catalogue


def test_items_are_drawn_by_their_popularity(catalogue) -> None:
    found = drawn(catalogue, count=4000, events=3, seed=7)
    assert len(found) == 4000
    assert {len(history) for history in found.histories} == {3}
    counts = Counter(item for history in found.histories for item in history)
    # Popularity .4 .3 .1 .15 .05; four standard errors of 12,000 draws are below .018.
    for item, share in enumerate((0.4, 0.3, 0.1, 0.15, 0.05)):
        assert counts[item] / 12_000 == pytest.approx(share, abs=0.018)


def test_a_seed_decides_what_is_drawn(catalogue) -> None:
    first, again, other = (drawn(catalogue, count=9, events=4, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("histories", "targets", "message"),
    [
        ([], [], "no histories"),
        ([[1], []], [2, 2], "one is empty"),
        ([[1], [2]], [3], "2 histories have 1 held-out items"),
    ],
)
def test_wrong_queries_are_refused(histories, targets, message) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        held_out(histories, targets)


@pytest.mark.parametrize(
    "queries",
    [held_out([[0, 5]], [1]), held_out([[0]], [5]), Queries(((-1,),), None, "popularity")],
)
def test_items_outside_the_catalogue_are_refused(queries) -> None:
    with pytest.raises(InputError, match="outside of 0 to 4"):
        queries.check_fit(5)


def test_the_first_keep_their_targets() -> None:
    queries = held_out([[0, 1], [2], [3]], [4, 1, 0])
    assert queries.first(2) == held_out([[0, 1], [2]], [4, 1])
    assert queries.first(9) == queries
    queries.check_fit(5)
