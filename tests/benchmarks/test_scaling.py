"""The cost of distillation by size: which events a share takes, the fit, the table."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from .conftest import BENCHMARKS, script


@pytest.fixture(scope="module")
def scaling() -> Iterator[ModuleType]:
    with script("distillation/scaling.py") as module:
        yield module


def test_a_share_takes_whole_users_and_holds_the_smaller_ones(scaling: ModuleType) -> None:
    users = np.array([3, 0, 3, -1, 1, 2, 0, 5, 5, 5, 4, 6, 7])
    taken = [scaling.rows_of_users(users, share, seed=1) for share in (0.25, 0.5, 1.0)]
    assert [len(np.unique(users[rows])) for rows in taken] == [2, 4, 8]
    for rows in taken:
        assert rows.tolist() == np.flatnonzero(np.isin(users, users[rows])).tolist()
    assert set(taken[0]) < set(taken[1]) < set(taken[2])
    assert taken[2].tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert len(np.unique(users[scaling.rows_of_users(users, 0.01, seed=1)])) == 1


def test_the_exponent_is_that_of_a_power(scaling: ModuleType) -> None:
    sizes = [100, 200, 400]
    assert scaling.exponent(sizes, [3.0, 6.0, 12.0]) == pytest.approx(1.0)
    assert scaling.exponent(sizes, [1.0, 4.0, 16.0]) == pytest.approx(2.0)
    assert scaling.exponent(sizes, [7.0, 7.0, 7.0]) == pytest.approx(0.0)
    # x = -1, 0, 1 and y = 0, 0, 2 in powers of two: the slope is 2 / 2.
    assert scaling.exponent(sizes, [1.0, 1.0, 4.0]) == pytest.approx(1.0)
    assert scaling.exponent([100, 100], [1.0, 2.0]) is None
    assert scaling.exponent(sizes, [0.0, 1.0, 2.0]) is None


def rows() -> list[dict[str, Any]]:
    """Two sizes: the teacher doubles, the item states stay, the larger alone has a gate."""
    return [
        {"interactions": 1000, "seconds": {"item-states": 5.0, "teacher": 10.0}},
        {"interactions": 2000, "seconds": {"item-states": 5.0, "teacher": 20.0, "gate": 3.0}},
    ]


def test_sums_by_hand(scaling: ModuleType) -> None:
    found = {name: line["seconds"] for name, line in scaling.growth(rows()).items()}
    assert found == {
        "item-states": [5.0, 5.0], "teacher": [10.0, 20.0], "gate": [0.0, 3.0],
        "by item, together": [5.0, 5.0], "all but those by item": [10.0, 23.0],
        "in all": [15.0, 28.0], "in all, per 1,000 interactions": [15.0, 14.0],
    }  # fmt: skip


def test_the_table_has_a_line_per_stage(scaling: ModuleType) -> None:
    lines = scaling.table(rows()).splitlines()
    assert lines[0] == "| Seconds | 1,000 interactions | 2,000 interactions | Exponent |"
    assert lines[2:5] == [
        "| item-states (by item) | 5.0 | 5.0 | 0.00 |",
        "| teacher | 10.0 | 20.0 | 1.00 |",
        "| gate | 0.0 | 3.0 |  |",
    ]
    # log2(28 / 15) = 0.9005, one less per interaction.
    assert lines[-2:] == [
        "| in all | 15.0 | 28.0 | 0.90 |",
        "| in all, per 1,000 interactions | 15.0 | 14.0 | -0.10 |",
    ]


def test_the_readme_has_the_marks(scaling: ModuleType) -> None:
    page = (BENCHMARKS / "distillation" / "README.md").read_text(encoding="utf-8")
    assert page.count(f"{scaling.BEGIN}\n") == page.count(scaling.END) == 1
