"""The ceiling of new items: what is asked about a user is never learned from them."""

from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest

from pocketrec_distill.evaluation.queries import ColdItems, QuerySet

from .conftest import script

KNOWN, COMMON, RARE = 4, 4, 5
TEXTS = ["ant", "bee", "cow", "dog", "elk", "fox"]


@pytest.fixture(scope="module")
def ceiling() -> Iterator[ModuleType]:
    with script("distillation/cold_ceiling.py") as module:
        yield module


def test_others_events_are_learned_from_and_ones_own_are_not(ceiling: ModuleType) -> None:
    """Twenty users go from item 0 to the common new item; one alone from item 1 to the rare one."""
    events = {f"u{n}": np.array([0, COMMON], np.int32) for n in range(20)}
    events["alone"] = np.array([1, RARE], np.int32)
    events |= {f"v{n}": np.array([1, 2], np.int32) for n in range(5)}
    queries = QuerySet(
        [np.array([0], np.int32), np.array([1], np.int32)],
        np.array([COMMON - KNOWN, RARE - KNOWN]),
        users=("u3", "alone"),
    )
    cold = ColdItems(("elk", "fox"), TEXTS[KNOWN:], queries)
    found = ceiling.fold_ranks(cold, TEXTS, KNOWN, events, 0)
    assert len(found) == len(ceiling.REGULARIZATION) * len(ceiling.TEXT_SHARES)
    for ranks in found.values():
        assert ranks.among_all.tolist()[0] == 1
        # Nobody else met the rare one: it scores 0, as the common one does, and ties count against.
        assert ranks.among_cold.tolist() == [1, 2]


def test_the_figures_are_paired(ceiling: ModuleType) -> None:
    found = ceiling.figures(np.array([1.0, 1.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0, 0.0]))
    assert found["seen"]["value"] == 0.75
    assert found["seen_over_tfidf"]["value"] == 3.0
