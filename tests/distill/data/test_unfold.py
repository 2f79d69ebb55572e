"""Rows that hold several events each are read as one row per event, or refused with what to do."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from pocketrec_distill.data import DataSettings, clean
from pocketrec_distill.data.inputs import catalogue_of, read_inputs
from pocketrec_distill.data.unfold import one_row_per_event
from pocketrec_distill.errors import DataError

DEFAULT = DataSettings()
ITEMS = [["a", "b", "c"], [], None, ["d", None]]
TIMES = [[30, 20, 10], [], None, [5, 6]]


def unfolded(
    columns: dict[str, object], settings: DataSettings = DEFAULT
) -> tuple[list[dict[str, object]], str]:
    table, note = one_row_per_event(pa.table({"user": list("uvwx"), **columns}), settings)
    return table.to_pylist(), note


@pytest.mark.parametrize("kind", [pa.list_, pa.large_list])
def test_lists_of_items_and_times(kind) -> None:
    columns = {"item": pa.array(ITEMS, kind(pa.string())), "time": pa.array(TIMES)}
    rows, note = unfolded(columns)
    assert [tuple(row.values()) for row in rows] == [
        ("u", "a", 30), ("u", "b", 20), ("u", "c", 10), ("x", "d", 5), ("x", None, 6),
    ]  # fmt: skip
    assert note == (
        "column 'item' holds several items per row, each read as one event, time in step with it"
    )


def test_one_time_for_all_items_of_a_row() -> None:
    rows, note = unfolded({"item": ITEMS, "time": [4, 3, 2, 1]})
    assert [(row["item"], row["time"]) for row in rows] == [
        ("a", 4), ("b", 4), ("c", 4), ("d", 1), (None, 1),
    ]  # fmt: skip
    assert note == "column 'item' holds several items per row, each read as one event"


def test_items_that_the_settings_name_and_what_is_left_out() -> None:
    shown = [["p", "q"], ["p"], ["q"], ["p", "q"]]
    columns = {"clicked": ITEMS, "shown": shown, "seen": [{"a": 1}] * 4, "item": [None] * 4}
    rows, note = unfolded(columns, DataSettings(item="clicked"))
    assert [row["clicked"] for row in rows] == ["a", "b", "c", "d", None]
    assert set(rows[0]) == {"user", "clicked", "item"}
    assert note.endswith("each read as one event; shown, seen left out")


@pytest.mark.parametrize("columns", [{"item": list("abcd")}, {"item": [1, 2, 3, 4], "x": ITEMS}])
def test_rows_that_are_events_stay(columns: dict) -> None:
    rows, note = unfolded(columns)
    assert (len(rows), note) == (4, "")


@pytest.mark.parametrize("times", [[[1, 2], [], None, [5, 6]], [{"a": 1}] * 4])
def test_times_that_are_not_in_step_are_refused(times: list) -> None:
    with pytest.raises(DataError, match="'time' does not hold as many values in each row as 'it"):
        unfolded({"item": ITEMS, "time": times})
    assert unfolded({"item": ITEMS, "time": times}, DataSettings(time="none"))[0]


def test_pairs_of_an_item_and_a_time_are_no_items(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps({"u": [[7, 1500000000], [8, 1500000001]], "v": [[7, 1500000002]]}))
    inputs = read_inputs(path, None, DEFAULT)
    with pytest.raises(DataError, match=r"'item_id' of type list.* write one row for each"):
        clean(inputs.interactions, DEFAULT)
    pairs = {"item": [["a", "b"]] * 4}
    assert len(unfolded(pairs)[0]) == 4
    assert len(unfolded(pairs, DataSettings(item="item"))[0]) == 8
    assert len(unfolded(pairs | {"time": [[1, 2]] * 4})[0]) == 8


def test_an_item_that_most_rows_lack_is_asked_about() -> None:
    columns = {"article_id": ["a", None, None, None], "clicked": ITEMS}
    rows, note = unfolded(columns)
    assert len(rows) == 4
    assert note.startswith("column 'article_id' is taken as item and empty in 75% of the rows; if")
    assert "one of clicked, which hold" in note
    assert unfolded(columns, DataSettings(item="article_id"))[1] == ""
    assert unfolded({"article_id": ["a", "b", None, None], "clicked": ITEMS})[1] == ""


def test_events_as_objects_are_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"session": 1, "events": [{"aid": 7, "on": 1}, {"aid": 8}]}))
    with pytest.raises(DataError, match=r"no item column .* \(events\) .* one row per event"):
        read_inputs(path, None, DEFAULT)
    settings = DataSettings(item="events")
    inputs = read_inputs(path, None, settings)
    with pytest.raises(DataError, match=r"'events' of type struct.* holds several values per row"):
        clean(inputs.interactions, settings)


@pytest.mark.parametrize("name", ["log.parquet", "log.jsonl"])
def test_a_table_of_sequences(tmp_path: Path, name: str) -> None:
    rows = [
        {"user_id": f"u{user}", "item_id": [f"i{user + step}" for step in range(3)],
         "timestamp": [30, 10, 20]}
        for user in range(2)
    ]  # fmt: skip
    if name.endswith("jsonl"):
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
    else:
        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / name)
    inputs = read_inputs(tmp_path / name, None, DEFAULT)
    assert inputs.notes == (
        "column 'item_id' holds several items per row, each read as one event, timestamp in step "
        "with it",
    )
    interactions, account = clean(inputs.interactions, DEFAULT)
    items = [interactions.item_ids[code] for code in interactions.items.tolist()]
    assert items == ["i1", "i2", "i0", "i2", "i3", "i1"]
    assert account.rows_read == 6
    assert set(catalogue_of(inputs)[0].item_ids) == {"i0", "i1", "i2", "i3"}
