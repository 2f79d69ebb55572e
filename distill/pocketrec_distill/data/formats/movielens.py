"""MovieLens (Harper and Konstan, 2015) in its three layouts."""

from dataclasses import replace
from pathlib import Path

from pocketrec_distill.data.formats.published import Published
from pocketrec_distill.data.formats.text import (
    cut,
    read_headed,
    read_headless,
    read_lines,
    table_of,
)
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.tables import arrow
from pocketrec_distill.errors import DataError, SourceError
from pocketrec_distill.sources.movielens import film_rows

_RATINGS = ("user_id", "item_id", "rating", "timestamp")
_FILMS = ("item_id", "title", "genres")
_NO_GENRE = "(no genres listed)"


def _named(settings: DataSettings) -> DataSettings:
    return replace(settings, user="user_id", item="item_id", rating="rating", time="timestamp",
                   item_id="item_id", title="title")  # fmt: skip


def movielens_100k(folder: Path, settings: DataSettings) -> Published:
    """MovieLens-100K: `u.data` in tabs, `u.item` in bars with a flag per genre.

    Raises:
        DataError: A file is malformed.
    """
    notes: list[str] = []
    ratings = read_headless(folder / "u.data", "\t", _RATINGS, settings.encoding, notes)
    lines, note = read_lines(folder / "u.item", settings.encoding)
    notes.extend(filter(None, [note]))
    try:
        rows = [row.rstrip("\n").split("\t") for row in film_rows("\n".join(lines))]
    except SourceError as error:
        raise DataError(f"{error}; MovieLens-100K has 24, separated by |") from error
    films = table_of(("item_id", "title", "release_year", "genres"), rows)
    return Published("movielens-100k", ratings, films, _named(settings), notes=tuple(notes))


def movielens_dat(folder: Path, settings: DataSettings) -> Published:
    """MovieLens-1M and 10M: `ratings.dat` and `movies.dat`, with `::` between values.

    Raises:
        DataError: A file is malformed.
    """
    notes: list[str] = []
    ratings = read_headless(folder / "ratings.dat", "::", _RATINGS, settings.encoding, notes)
    lines, note = read_lines(folder / "movies.dat", settings.encoding)
    notes.extend(filter(None, [note]))
    rows = cut(folder / "movies.dat", lines, "::", _FILMS)
    films = table_of(_FILMS, [(film, title, _genres(genres)) for film, title, genres in rows])
    return Published("movielens-1m", ratings, films, _named(settings), notes=tuple(notes))


def movielens_csv(folder: Path, settings: DataSettings) -> Published:
    """MovieLens small, 20M, 25M, 32M: `ratings.csv` and `movies.csv` with a header.

    Tags are left out: a tag stands on a film because somebody saw it, also after a split's moment.

    Raises:
        DataError: A file is malformed, or a column is missing.
    """
    notes: list[str] = []
    tables = {}
    for name in ("ratings", "movies"):
        path = next(folder / file for file in (f"{name}.csv", f"{name}.csv.gz")
                    if (folder / file).is_file())  # fmt: skip
        tables[name] = read_headed(path, settings.encoding, notes)
    films = tables["movies"]
    wanted = {"ratings": ("userId", "movieId", "rating", "timestamp"),
              "movies": ("movieId", "title", "genres")}  # fmt: skip
    for name, needed in wanted.items():
        if missing := [column for column in needed if column not in tables[name].column_names]:
            raise DataError(
                f"{name}.csv has no column {missing[0]}; MovieLens's has {', '.join(needed)}"
            )
    genres = [_genres(text) for text in films.column("genres").to_pylist()]
    place = films.column_names.index("genres")
    films = films.set_column(place, "genres", arrow().array(genres, type=arrow().string()))
    columns = replace(settings, user="userId", item="movieId", rating="rating", time="timestamp",
                      item_id="movieId", title="title")  # fmt: skip
    return Published("movielens", tables["ratings"], films, columns, notes=tuple(notes))


def _genres(text: str) -> str | None:
    return None if text == _NO_GENRE else text
