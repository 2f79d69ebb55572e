"""Parquet in parts: folders that Spark, Dask and polars write are one table."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from pocketrec_distill.data import read_table
from pocketrec_distill.data.inputs import read_inputs
from pocketrec_distill.data.parquet import is_folder_of_parts
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.errors import DataError

SPARK = ("part-00000-5b1c.c000.snappy.parquet", "part-00001-5b1c.c000.snappy.parquet")
DASK = ("part.0.parquet", "part.1.parquet")
POLARS = ("00000000.parquet", "00000001.parquet")


def write(path: Path, **columns: list) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path)


def write_parts(folder: Path, names: tuple[str, str] = SPARK) -> Path:
    write(folder / names[0], user=["u1", "u1"], item=["a", "b"], time=[1, 2])
    write(folder / names[1], user=["u2"], item=["a"], time=[3])
    (folder / "_SUCCESS").touch()
    (folder / f".{names[0]}.crc").write_bytes(b"\x00")
    return folder


def rows(table: pa.Table) -> list[tuple]:
    return list(zip(*(table[name].to_pylist() for name in ("user", "item", "time")), strict=True))


EXPECTED = [("u1", "a", 1), ("u1", "b", 2), ("u2", "a", 3)]


@pytest.mark.parametrize("names", [SPARK, DASK, POLARS], ids=["spark", "dask", "polars"])
@pytest.mark.parametrize("name", ["log", "log.parquet"])
def test_a_folder_of_parts_is_a_table(tmp_path: Path, name: str, names: tuple[str, str]) -> None:
    folder = write_parts(tmp_path / name, names)
    assert rows(read_table(folder)) == EXPECTED
    assert rows(read_inputs(folder, None, DataSettings()).interactions) == EXPECTED


def test_values_in_the_names_of_folders_are_columns(tmp_path: Path) -> None:
    for day, user in (("2026-01-30", "u1"), ("2026-01-31", "u2")):
        write(tmp_path / f"log/day={day}/part-0.parquet", user=[user], item=["a"])
    table = read_table(tmp_path / "log")
    assert table["day"].to_pylist() == ["2026-01-30", "2026-01-31"]
    assert table["user"].to_pylist() == ["u1", "u2"]


def test_parts_of_like_types_fit_together(tmp_path: Path) -> None:
    """A part without a value of a column has no type for it, and none may be narrower."""
    write(tmp_path / "log/part-0.parquet", user=["u1"], item=pa.array([1], pa.int32()), note=[None])
    write(tmp_path / "log/part-1.parquet", user=["u2"], item=[2**40], note=["x"], more=["y"])
    table = read_table(tmp_path / "log")
    assert table["item"].to_pylist() == [1, 2**40]
    assert table["note"].to_pylist() == [None, "x"]
    assert table["more"].to_pylist() == [None, "y"]


def test_parts_of_unlike_types_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "log/part-0.parquet", user=["u1"], item=["a"])
    write(tmp_path / "log/part-1.parquet", user=["u2"], item=[3])
    with pytest.raises(DataError, match=r"parts of log do not fit together.*item.*one type"):
        read_table(tmp_path / "log")


def test_a_part_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = write_parts(tmp_path / "log")
    (folder / SPARK[1]).write_bytes(b"PAR1 cut short")
    with pytest.raises(DataError, match="log cannot be read"):
        read_table(folder)


@pytest.mark.parametrize("names", [("interactions", "items"), ("interactions.parquet", "items.pq")])
def test_a_folder_may_hold_its_tables_in_parts(tmp_path: Path, names: tuple[str, str]) -> None:
    write_parts(tmp_path / names[0])
    write(tmp_path / names[1] / "part-0.parquet", item_id=["a", "b"], title=["A", "B"])
    found = read_inputs(tmp_path, None, DataSettings())
    assert found.format == "tables"
    assert rows(found.interactions) == EXPECTED
    assert found.items is not None
    assert found.items["title"].to_pylist() == ["A", "B"]


NUMBERED = ("train-00000-of-00002.parquet", "train-00001-of-00002.parquet")


def test_numbered_parts_are_a_table_if_none_is_missing(tmp_path: Path) -> None:
    folder = write_parts(tmp_path / "data", NUMBERED)
    assert rows(read_inputs(folder, None, DataSettings()).interactions) == EXPECTED
    (folder / NUMBERED[1]).rename(folder / "test-00000-of-00001.parquet")
    assert not is_folder_of_parts(folder), "two tables"
    (folder / "test-00000-of-00001.parquet").unlink()
    assert not is_folder_of_parts(folder), "half of one"
    with pytest.raises(DataError, match="the parts of one joined to one file, or Parquet's alone"):
        read_inputs(folder, None, DataSettings())


def test_other_folders_are_no_table(tmp_path: Path) -> None:
    folder = write_parts(tmp_path / "log")
    (folder / "notes.txt").touch()
    assert not is_folder_of_parts(folder)
    assert not is_folder_of_parts(tmp_path / "absent")
    (tmp_path / "empty.parquet").mkdir()
    assert not is_folder_of_parts(tmp_path / "empty.parquet")
    write(tmp_path / "tables/interactions.parquet", user=["u"], item=["a"])
    assert not is_folder_of_parts(tmp_path / "tables")
    with pytest.raises(DataError, match="no file at"):
        read_table(folder)
