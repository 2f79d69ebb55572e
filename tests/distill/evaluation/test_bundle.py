"""`evaluate`: the split of the bundle's report where it is known, a word where it is another."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from pocketrec_distill.data import DataSettings
from pocketrec_distill.errors import DataError
from pocketrec_distill.evaluation.bundle import difference_from_report, evaluate_bundle
from pocketrec_runtime import Engine, read_bundle, write_bundle

GOLDEN = Path(__file__).parents[2] / "golden" / "v1_0" / "rings"
SHIPPED = {"split": "leave-one-out", "test": {"shipped": {"users": 119}}}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Three users; the third has one basket of two items alone, so that nothing is before it."""
    path = tmp_path / "events.csv"
    rows = ["u,0-1,1", "u,0-2,2", "u,0-3,3", "u,0-4,4", "v,1-1,1", "v,1-2,2", "v,1-3,3", "v,1-4,3",
            "w,2-1,7", "w,2-2,7"]  # fmt: skip
    path.write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n", encoding="utf-8")
    return path


def bundle(folder: Path, metrics: dict[str, object]) -> Path:
    path = folder / "bundle"
    write_bundle(path, dataclasses.replace(read_bundle(GOLDEN).contents, metrics=metrics))
    return path


def measured(
    path: Path, table: Path, split: str | None = None, *, baskets: bool = False
) -> dict[str, Any]:
    return evaluate_bundle(Engine.open(path), table, split, DataSettings(baskets=baskets))


def test_settings_of_the_run_measure_what_its_report_did(table: Path, tmp_path: Path) -> None:
    """What was held out in baskets is not the last events; without the setting it is said."""
    unknown = bundle(tmp_path / "a", {})
    users = measured(unknown, table, baskets=True)["users"]
    reported = bundle(tmp_path / "b", {**SHIPPED, "test": {"shipped": {"users": users}}})
    assert measured(reported, table, baskets=True)["differs_from_report"] is None
    plain = measured(reported, table)
    assert plain["users"] != users
    assert plain["differs_from_report"] == (
        f"the report of this bundle measured {users} test users, this is of {plain['users']}"
    )
    assert measured(unknown, table)["differs_from_report"] is None


def test_the_split_of_the_report_is_taken_where_none_is_asked_for(tmp_path: Path) -> None:
    table = tmp_path / "events.csv"
    walks = [f"u{user},{user % 3}-{step},{step}" for user in range(6) for step in range(10)]
    table.write_text("\n".join(["user_id,item_id,timestamp", *walks]) + "\n", encoding="utf-8")
    path = bundle(tmp_path, {"split": "temporal"})
    assert measured(path, table)["split"] == "temporal"
    asked = measured(path, table, "leave-one-out")
    assert asked["split"] == "leave-one-out"
    assert asked["differs_from_report"] == (
        "the report of this bundle is of a temporal split, this is of leave-one-out"
    )
    assert measured(GOLDEN, table)["split"] == "leave-one-out"


def test_the_column_whose_items_the_bundle_knows_is_measured(table: Path, tmp_path: Path) -> None:
    """A log that was distilled beside an items table has other ids of items, too."""
    path = tmp_path / "more.csv"
    header, *rows = table.read_text(encoding="utf-8").splitlines()
    lines = [header.replace("item_id", "asin,parent_asin")]
    lines += [row.replace(",", ",another,", 1) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    cleaning = measured(GOLDEN, path)["cleaning"]
    assert cleaning["columns"]["item"] == "parent_asin"


@pytest.mark.parametrize(
    ("last", "said"), [(",position", "'position' holds positions"), ("", "no time column; name it")]
)
def test_a_temporal_split_needs_times(tmp_path: Path, last: str, said: str) -> None:
    table = tmp_path / "events.csv"
    walks = [f"u{user},{user % 3}-{step},{step}" for user in range(6) for step in range(10)]
    rows = [row if last else row.rpartition(",")[0] for row in walks]
    table.write_text("\n".join([f"user_id,item_id{last}", *rows]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=f"a temporal split needs times, but .*{said}"):
        measured(GOLDEN, table, "temporal")
    assert measured(GOLDEN, table, "leave-one-out")["users"] == 6


@pytest.mark.parametrize(
    "metrics",
    [{}, {"task": "update", "new": {}}, {"split": 7, "test": []}, {"test": {"shipped": None}},
     {"split": "leave-one-out", "test": {"shipped": {"users": "119"}}}, {"split": "random"}],
)  # fmt: skip
def test_free_metrics_that_tell_nothing_say_nothing(metrics: dict[str, object]) -> None:
    assert difference_from_report(metrics, "leave-one-out", 120) is None
    assert difference_from_report(SHIPPED, "leave-one-out", 119) is None
