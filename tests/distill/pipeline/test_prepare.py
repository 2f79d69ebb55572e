"""What the first stage refuses and says before anything is learned."""

import json
from pathlib import Path

import pytest

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.data import DataSettings
from pocketrec_distill.errors import ConfigError, DataError
from pocketrec_distill.pipeline.dataset import Dataset
from pocketrec_distill.pipeline.prepare import prepare
from pocketrec_distill.settings import RunSettings

ITEMS = "item,title\n" + "".join(f"{item},Title {item}\n" for item in range(20))


def prepared(
    folder: Path, rows: list[str], items: str = "", split: str = "leave-one-out", time: str = ""
) -> tuple[Dataset, str]:
    """The data of some rows and an items table, and what was said."""
    (folder / "log.csv").write_text("\n".join(rows) + "\n", "utf-8")
    given = folder / "items.csv" if items else None
    if given is not None:
        given.write_text(items, "utf-8")
    said: list[str] = []
    config = DistillConfig(run=RunSettings(split=split), data=DataSettings(time=time))
    found = prepare(folder / "log.csv", given, config, said.append)
    return found, "\n".join(said)


def log(ids: str = "{}", time: bool = True) -> list[str]:
    """Ten users with six events each, ids in a form."""
    head = "user,item,time" if time else "user,item"
    return [
        head,
        *(
            f"u{user},{ids.format((user + step) % 20)}" + (f",{10 * step + user}" if time else "")
            for step in range(6)
            for user in range(10)
        ),
    ]


def test_tables_that_share_no_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, log("00{}"), ITEMS)
    message = str(caught.value)
    for part in ("none of the 15 items", '"000", "001", "002" here', '"0", "1", "2" there',
                 "[data] item ="):  # fmt: skip
        assert part in message


def test_whole_numbers_as_floats_are_the_same_ids(tmp_path: Path) -> None:
    data, said = prepared(tmp_path, log("{}.0"), ITEMS)
    assert data.item_ids == tuple(map(str, range(20)))
    assert "interactions only" not in said


def test_some_items_may_stand_in_interactions_only(tmp_path: Path) -> None:
    data, said = prepared(tmp_path, [*log(), "u0,new,99"], ITEMS)
    assert len(data.item_ids) == 21
    assert "1 of 16 items stand in interactions only, such as 'new'; their id is their text" in said


def test_rows_are_no_calendar(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"split is temporal, .* no time column; name it"):
        prepared(tmp_path, log(time=False), ITEMS, split="temporal")
    assert len(prepared(tmp_path, log(), ITEMS, split="temporal")[0].test)
    assert len(prepared(tmp_path, log(time=False), ITEMS)[0].test) == 10


def test_positions_are_no_calendar(tmp_path: Path) -> None:
    rows = log()
    rows[0] = "user,item,position"
    with pytest.raises(ConfigError, match=r"'position' holds positions, .* among user, item, pos"):
        prepared(tmp_path, rows, ITEMS, split="temporal")
    assert len(prepared(tmp_path, rows, ITEMS)[0].test) == 10
    # Unix times under such a name are times, and so is what the settings name.
    parts = (row.rpartition(",") for row in rows[1:])
    epochs = [rows[0], *(f"{pair},15000000{time:0>2}" for pair, _, time in parts)]
    assert len(prepared(tmp_path, epochs, ITEMS, split="temporal")[0].test)
    assert len(prepared(tmp_path, rows, ITEMS, split="temporal", time="position")[0].test)


def test_events_of_each_user_in_order_are_no_calendar(tmp_path: Path) -> None:
    path = tmp_path / "x.inter.json"
    path.write_text(json.dumps({f"u{user}": list(range(user, user + 6)) for user in range(9)}))
    config = DistillConfig(run=RunSettings(split="temporal"))
    with pytest.raises(ConfigError, match="'position' holds positions, and there is no other"):
        prepare(path, None, config, str)


def test_names_that_are_values_are_noted_where_settings_take_them(tmp_path: Path) -> None:
    rows = log()[1:]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(rows) + "\n", "utf-8")
    with pytest.raises(DataError, match="a column twice: u0, 0, 0; the file seems to have no"):
        prepare(path, None, DistillConfig(), str)
    said: list[str] = []
    path.write_text("\n".join(["u0,7,0", *rows]) + "\n", "utf-8")
    settings = DataSettings(user="u0", item="7", time="0")
    prepare(path, None, DistillConfig(data=settings), said.append)
    assert "log.csv: the file seems to have no header; if it is text, add a first" in said[0]


def test_the_account_names_columns_and_values(tmp_path: Path) -> None:
    data, said = prepared(tmp_path, [*log(), "u0,3,soon"], ITEMS)
    assert "user: user, item: item, time: time" in said
    assert "bad time in 'time' such as \"soon\"" in said
    roles = {"user": "user", "item": "item", "time": "time", "item_id": "item", "title": "title"}
    assert data.account["columns"] == roles
