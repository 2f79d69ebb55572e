"""`Interactions` refuses what is out of order."""

from dataclasses import replace

import numpy as np
import pytest

from pocketrec_distill.data import Interactions
from pocketrec_distill.errors import DataError

GOOD = Interactions(
    user_ids=("u", "v", "idle"),
    item_ids=("a", "b"),
    users=np.array([0, 0, 1], dtype=np.int32),
    items=np.array([1, 0, 1], dtype=np.int32),
    times=np.array([5.0, 5.0, 2.0]),
    weights=np.array([1.0, 0.5, 2.0], dtype=np.float32),
    events=np.zeros(3, dtype=np.int16),
)


def test_histories() -> None:
    offsets, items = GOOD.histories()
    assert offsets.tolist() == [0, 2, 3, 3]
    assert items.tolist() == [1, 0, 1]
    assert len(GOOD) == 3
    assert offsets.dtype == np.int64


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"items": [1, 0]}, "items has 2 entries; users has 3"),
        ({"times": [5.0] * 4}, "times has 4 entries"),
        ({"items": [1, 0, 2]}, "items holds a code outside 0 to 1"),
        ({"items": [1, -1, 0]}, "items holds a code outside 0 to 1"),
        ({"users": [0, 0, 3]}, "users holds a code outside 0 to 2"),
        ({"events": [0, 0, 1]}, "events holds a code outside 0 to 0"),
        ({"times": [5.0, np.nan, 2.0]}, "NaN or infinity"),
        ({"weights": [1.0, np.inf, 2.0]}, "NaN or infinity"),
        ({"times": [5.0, 4.0, 2.0]}, "not sorted by user and time"),
        ({"users": [1, 0, 0]}, "not sorted by user and time"),
        ({"weights": [1.0, 0.0, 2.0]}, "weights must be above 0"),
        ({"user_ids": ("u", "u", "v")}, "users: an id or name stands twice"),
        ({"item_ids": ("a", "a")}, "items: an id or name stands twice"),
    ],
    ids=str,
)
def test_what_is_refused(change: dict, said: str) -> None:
    values = {
        key: value if isinstance(value, tuple) else np.array(value) for key, value in change.items()
    }
    with pytest.raises(DataError, match=said):
        replace(GOOD, **values)
