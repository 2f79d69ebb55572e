"""MovieLens-100K: GroupLens's archive converted, and the real one."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from pocketrec_distill.data import DataSettings, clean, item_table, read_table
from pocketrec_distill.errors import SourceError
from pocketrec_distill.sources import movielens, movielens_100k


def film(number: int, title: str, *genres: int) -> str:
    flags = ["1" if place in genres else "0" for place in range(19)]
    return "|".join([str(number), title, "01-Jan-1995", "", "http://example.org/a", *flags])


FILMS = "\n".join(
    (
        film(1, "Toy Story (1995)", 3, 4, 5),
        film(2, "Braindead (aka Dead\x85Alive) (1992)", 11),
        film(267, "unknown", 0),
        film(4, "Amélie", 8, 14),
        film(5, "(1999)", 1),
    )
)
RATINGS = "196\t4\t3\t881250949\n186\t1\t5\t881250950\n196\t1\t1\t881250000\n"


def test_film_rows() -> None:
    assert list(movielens.film_rows(FILMS + "\n")) == [
        "1\tToy Story\t1995\tAnimation Children's Comedy\n",
        "2\tBraindead (aka Dead\x85Alive)\t1992\tHorror\n",
        "267\tunknown\t\tunknown\n",
        "4\tAmélie\t\tDrama Romance\n",
        "5\t\t1999\tAction\n",
    ]


def test_a_row_of_another_length() -> None:
    with pytest.raises(SourceError, match=r"u.item has a row of 3 fields: '1\|Toy\|x'"):
        list(movielens.film_rows(FILMS + "\n1|Toy|x\n"))


@pytest.fixture
def archive(tmp_path: Path, monkeypatch) -> Path:
    """An archive laid out as GroupLens's, three ratings long, and pinned as if it were theirs."""
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "ml-100k.zip"
    with zipfile.ZipFile(path, "w") as files:
        files.writestr("ml-100k/u.data", RATINGS)
        files.writestr("ml-100k/u.item", FILMS.encode("latin-1"))
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr(movielens, "GROUPLENS_ZIP_MD5", md5)
    return path


def test_the_archive_of_grouplens(archive: Path) -> None:
    tables = movielens_100k(archive)
    interactions, _ = clean(read_table(tables.interactions), DataSettings())
    assert interactions.user_ids == ("196", "186")
    assert [interactions.item_ids[code] for code in interactions.items] == ["1", "4", "1"]
    assert interactions.times.tolist() == [881250000, 881250949, 881250950]
    items, left_out = item_table(read_table(tables.items), DataSettings())
    assert left_out == 0
    assert items.item_ids == ("1", "2", "267", "4", "5")
    assert items.columns["title"][3] == "Amélie"
    assert items.columns["class"][0] == ("Animation", "Children's", "Comedy")
    assert items.columns["release_year"] == ("1995", "1992", None, None, "1999")


def test_converted_files_are_mended_and_nothing_else_is_left(archive: Path) -> None:
    before = movielens_100k(archive).items.read_bytes()
    movielens_100k(archive).items.write_bytes(before[:-3])
    tables = movielens_100k(archive)
    assert tables.items.read_bytes() == before
    names = sorted(path.name for path in tables.items.parent.iterdir())
    assert names == ["ml-100k.inter", "ml-100k.item"]


def test_another_archive_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "ml-100k.zip").write_bytes(b"no zip at all")
    with pytest.raises(SourceError, match=movielens.GROUPLENS_ZIP_MD5):
        movielens_100k(tmp_path / "ml-100k.zip")
    with pytest.raises(
        SourceError, match=r"no file at .*absent\.zip; give the path of GroupLens's"
    ):
        movielens_100k(tmp_path / "absent.zip")
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written(archive: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("POCKETREC_CACHE", str(tmp_path / "file" / "cache"))
    # An error of the disk, not of the source: the command line tells them apart.
    with pytest.raises(NotADirectoryError, match="set POCKETREC_CACHE to a folder") as caught:
        movielens_100k(archive)
    assert not isinstance(caught.value, SourceError)


@pytest.mark.download
def test_the_real_set() -> None:
    tables = movielens_100k()
    interactions, account = clean(read_table(tables.interactions), DataSettings())
    assert account.rows_read == len(interactions) == 100_000
    assert (account.users, account.items) == (943, 1682)
    assert account.notes == [
        "17,480 rows (17%) are rated below 3 in 'rating' and count as any other; "
        "[data] min_rating drops low ones"
    ]
    assert (interactions.times.min(), interactions.times.max()) == (874_724_710, 893_286_638)
    items, left_out = item_table(read_table(tables.items), DataSettings())
    assert (len(items.item_ids), left_out) == (1682, 0)
    assert set(interactions.item_ids) == set(items.item_ids)
    first = items.item_ids.index("1")
    assert items.columns["title"][first] == "Toy Story"
    assert items.columns["release_year"][first] == "1995"
    assert items.columns["class"][first] == ("Animation", "Children's", "Comedy")
