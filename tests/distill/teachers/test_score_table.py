"""A table of scores from a server: what is read, what is refused, what stays unknown."""

from pathlib import Path

import numpy as np
import pytest

from pocketrec_distill.errors import ConfigError, DataError
from pocketrec_distill.models.base import PADDING
from pocketrec_distill.teachers import Context, ScoreTable

ITEM_IDS = ("a", "b", "007", "d")
ALL = np.arange(4, dtype=np.int32)[None, :]
NAN = np.nan


def written(path: Path, *rows: str, header: str = "user,item,score") -> Path:
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def asked(table: ScoreTable, user: str, events: int = 1) -> list[float]:
    context = Context(np.array([0], np.int32), user, position=events)
    return table.candidate_logits([context], ALL)[0].tolist()


def test_a_score_is_found_and_what_is_missing_is_not_zero(tmp_path: Path) -> None:
    rows = ("u2,d,0.5", "u1,007,-2", "u1,a,0", "u2,b,3", "u1,zzz,9")
    table = ScoreTable.open(written(tmp_path / "s.csv", *rows), ITEM_IDS)
    np.testing.assert_equal(asked(table, "u1"), [0.0, NAN, -2.0, NAN])
    np.testing.assert_equal(asked(table, "u2"), [NAN, 3.0, NAN, 0.5])
    np.testing.assert_equal(asked(table, "nobody"), [NAN] * 4)
    # Without positions a score holds at every moment.
    np.testing.assert_equal(asked(table, "u2", events=5), [NAN, 3.0, NAN, 0.5])
    assert table.coverage.as_dict() == {
        "rows": 5,
        "rows_of_unknown_items": 1,
        "users": 2,
        "positions": 2,
        "items": 4,
        "catalogue": 4,
    }
    assert str(table.coverage).startswith("4 of 5 scores used (1 are of items outside")


def test_positions_tell_moments_apart(tmp_path: Path) -> None:
    header = "user_id,item_id,position,score"
    rows = ("u,a,2,1", "u,b,2,2", "u,a,10,3", "v,a,2,4", "u,007,1,5")
    table = ScoreTable.open(written(tmp_path / "s.csv", *rows, header=header), ITEM_IDS)
    np.testing.assert_equal(asked(table, "u", events=2), [1, 2, NAN, NAN])
    np.testing.assert_equal(asked(table, "u", events=10), [3, NAN, NAN, NAN])
    np.testing.assert_equal(asked(table, "u", events=1), [NAN, NAN, 5, NAN])
    np.testing.assert_equal(asked(table, "u", events=3), [NAN] * 4)
    np.testing.assert_equal(asked(table, "v", events=2), [4, NAN, NAN, NAN])
    assert (table.coverage.users, table.coverage.positions) == (2, 4)


def test_probabilities_become_logits(tmp_path: Path) -> None:
    path = written(tmp_path / "s.csv", "u,a,0.5", "u,b,0.8", "u,007,1", "u,d,0")
    found = asked(ScoreTable.open(path, ITEM_IDS, "probability"), "u")
    sure = np.log((1 - 1e-5) / 1e-5)
    np.testing.assert_allclose(found, [0, np.log(4), sure, -sure], rtol=1e-5)


def test_parquet_with_integer_ids_reads_the_same(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table({"user": [7, 7, 8], "item": [3, 1, 3], "score": [1.5, -1.0, 0.25]})
    parquet.write_table(table, tmp_path / "s.parquet")
    found = ScoreTable.open(tmp_path / "s.parquet", ("1", "2", "3", "4"))
    np.testing.assert_equal(asked(found, "7"), [-1.0, NAN, 1.5, NAN])
    np.testing.assert_equal(asked(found, "8"), [NAN, NAN, 0.25, NAN])


def test_proposals_are_the_best_that_it_knows_and_the_user_has_not_seen(tmp_path: Path) -> None:
    path = written(tmp_path / "s.csv", "u,a,9", "u,b,1", "u,007,2", "u,d,2")
    table = ScoreTable.open(path, ITEM_IDS)
    context = Context(np.array([0], np.int32), "u")
    assert table.proposals([context], 2).tolist() == [[2, 3]]
    assert table.proposals([context], 4).tolist() == [[2, 3, 1, PADDING]]


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("user,item,score", ["u,a,1", "u,b,x"], "no finite score in row 2 and 0 more"),
        ("user,item,score", ["u,a,", "u,b,inf"], "no finite score in row 1 and 1 more"),
        ("user,item,score", ["u,a,1", ",b,2"], "has no user in row 2"),
        ("user,item,score", ["u,,1"], "has no item in row 1"),
        ("user,item,score", ["u,a,1", "u,b,2", "u,a,1"], "scores item 'a' of user 'u' twice"),
        ("user,item,score", ["u,zzz,1", "u,zzz,1"], "scores item 'zzz' of user 'u' twice"),
        (
            "user,item,score,position",
            ["u,a,1,3", "u,a,2,3"],
            "item 'a' of user 'u' at position 3 twice",
        ),
        ("user,item,score", ["u,zzz,1"], "no score of a catalogue item; its items look like zzz"),
        ("user,item,score", ["u,a,1e5"], "beyond 10000 in size in row 1"),
        ("user,item,rating", ["u,a,1"], "columns user, item, rating; one named score is needed"),
        ("user,score", ["u,1"], "no item column"),
        ("user,item,score,position", ["u,a,1,0"], "a position that is no whole number from 1"),
        ("user,item,score,position", ["u,a,1,1.5"], "a position that is no whole number from 1"),
        ("user,item,score,position", ["u,a,1,"], "a position that is no whole number from 1"),
    ],
)
def test_a_table_that_is_not_sound_is_refused(
    tmp_path: Path, header: str, rows: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        ScoreTable.open(written(tmp_path / "s.csv", *rows, header=header), ITEM_IDS)


def test_a_scale_that_is_not_meant_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "s.csv", "u,a,0.4", "u,b,1.7")
    with pytest.raises(DataError, match="a probability outside 0 to 1 in row 2"):
        ScoreTable.open(path, ITEM_IDS, "probability")
    with pytest.raises(ConfigError, match="scale of scores is 'percent'; choose logit or prob"):
        ScoreTable.open(path, ITEM_IDS, "percent")
