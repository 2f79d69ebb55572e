"""Cold items: nothing of them is left to learn from, and nobody is asked about the future."""

import numpy as np
import pyarrow as pa
import pytest

from pocketrec_distill.data import DataSettings, Interactions, clean
from pocketrec_distill.data.cold import hold_out_items
from pocketrec_distill.errors import DataError


def interactions_of(rows: list[tuple[str, str, float]]) -> Interactions:
    users, items, times = (list(column) for column in zip(*rows, strict=True))
    table = pa.table({"user": users, "item": items, "time": pa.array(times, pa.float64())})
    return clean(table, DataSettings())[0]


ROWS = [
    ("x", "a", 1.0), ("x", "b", 2.0), ("x", "c", 3.0), ("x", "b", 4.0), ("x", "d", 5.0),
    ("y", "b", 1.0), ("y", "a", 2.0), ("y", "e", 2.0),
    ("z", "a", 1.0), ("z", "b", 1.0), ("z", "e", 0.5),
]  # fmt: skip


def asked(cold: str, data: Interactions) -> list[tuple[str, str, str]]:
    """(user, history, target) of the queries, where the seed happens to draw this item."""
    for seed in range(100):
        warm, queries = hold_out_items(data, 0.2, seed)
        if data.item_ids[queries.items[0]] == cold:
            assert not np.isin(warm.items, queries.items).any()
            return [
                (data.user_ids[user], "".join(data.item_ids[i] for i in history),
                 data.item_ids[target])
                for user, history, target in zip(
                    queries.users, queries.histories, queries.targets, strict=True
                )
            ]  # fmt: skip
    raise AssertionError(f"no seed draws {cold}")


def test_first_meetings_with_what_came_before() -> None:
    data = interactions_of(ROWS)
    # x met b twice; y's first event has nothing before it; z's a stands in the basket of b.
    assert asked("b", data) == [("x", "a", "b"), ("z", "e", "b")]
    assert asked("d", data) == [("x", "abcb", "d")]


def test_the_warm_rest_is_untouched() -> None:
    data = interactions_of(ROWS)
    warm, queries = hold_out_items(data, 0.4, 3)
    assert len(queries.items) == 2
    kept = ~np.isin(data.items, queries.items)
    assert len(warm) == int(kept.sum())
    for name in ("users", "items", "times", "weights", "events"):
        assert getattr(warm, name).tolist() == getattr(data, name)[kept].tolist()
    assert (warm.user_ids, warm.item_ids) == (data.user_ids, data.item_ids)


def test_histories_hold_no_cold_item() -> None:
    rng = np.random.default_rng(0)
    rows = [(f"u{u}", f"i{rng.integers(20)}", float(t)) for u in range(12) for t in range(15)]
    data = interactions_of(rows)
    _, queries = hold_out_items(data, 0.3, 0)
    assert len(queries) > 20
    assert len({*zip(queries.users.tolist(), queries.targets.tolist(), strict=True)}) == len(
        queries
    )
    for history, target in zip(queries.histories, queries.targets, strict=True):
        assert not np.isin(history, queries.items).any()
        assert target in queries.items


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_a_share_that_leaves_one_side_empty(share: float) -> None:
    with pytest.raises(DataError, match="at least one item must be cold"):
        hold_out_items(interactions_of(ROWS), share, 0)


def test_no_query() -> None:
    data = interactions_of([("x", "a", 1.0), ("y", "b", 1.0)])
    with pytest.raises(DataError, match="none of the 1 cold items has a user"):
        hold_out_items(data, 0.5, 0)
