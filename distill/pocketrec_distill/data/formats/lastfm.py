"""HetRec Last.fm-2K (Cantador, Brusilovsky and Kuflik, 2011): play counts, and tags by month.

It has no listening time. `hetrec_lastfm` therefore holds out random artists of each user, and
`hetrec_lastfm_tags` takes the dated tags as events instead.
"""

import hashlib
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pocketrec_distill.data.columns import listed
from pocketrec_distill.data.formats.published import Published
from pocketrec_distill.data.formats.text import read_headed
from pocketrec_distill.data.settings import DataSettings, DropRule
from pocketrec_distill.data.tables import arrow
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

FILES = ("artists.dat", "user_artists.dat")
_TAG_FILES = ("tags.dat", "user_taggedartists.dat")
# A tag that one user alone gave may say that this user listens to the artist.
LEAST_TAGGERS = 2
MOST_TAGS = 10
# Last.fm's tags began in 2005; a few rows lie decades before.
FIRST_YEAR = 2005

_LISTENS = {
    "artists.dat": ("id", "name"),
    "user_artists.dat": ("userID", "artistID", "weight"),
    "tags.dat": ("tagID", "tagValue"),
    "user_taggedartists.dat": ("userID", "artistID", "tagID", "day", "month", "year"),
}


def hetrec_lastfm(folder: Path, settings: DataSettings) -> Published:
    """Listened artists with play counts as weights, in a random order that never changes.

    Artists' text is their name and the tags that two or more users gave.

    Raises:
        DataError: A file is malformed, or a column is missing.
    """
    notes: list[str] = []
    artists = _table(folder, "artists.dat", settings, notes)
    listens = _table(folder, "user_artists.dat", settings, notes)
    pa = arrow()
    users, heard = (listens.column(name).to_pylist() for name in ("userID", "artistID"))
    order = [float(_place(user, artist)) for user, artist in zip(users, heard, strict=True)]
    listens = listens.append_column("position", pa.array(order))
    notes.append(
        "HetRec Last.fm has no listening times: the order of a user's artists is random, drawn "
        "from a hash of the two ids, so that the artists held out are random ones"
    )
    if all((folder / name).is_file() for name in _TAG_FILES):
        artists = artists.append_column("tags", _tags_of(artists, folder, settings, notes))
    else:
        notes.append(f"no {' and '.join(_TAG_FILES)}: artists have no text but their names")
    columns = replace(settings, user="userID", item="artistID", weight="weight", time="position",
                      item_id="id", title="name")  # fmt: skip
    timeless = "HetRec Last.fm has no listening times; format hetrec-lastfm-tags has months of tags"
    return Published(
        "hetrec-lastfm", listens, artists, columns, notes=tuple(notes), timeless=timeless
    )


def hetrec_lastfm_tags(folder: Path, settings: DataSettings) -> Published:
    """Tagged artists, dated to the month; all of a user's month are one basket.

    Artists' text is their name alone: their tags are the events.

    Raises:
        DataError: A file is malformed, or a column is missing.
    """
    notes: list[str] = []
    artists = _table(folder, "artists.dat", settings, notes)
    tagged = _table(folder, "user_taggedartists.dat", settings, notes)
    parts = (tagged.column(name).to_pylist() for name in ("year", "month", "day"))
    moments = [f"{y}-{m.zfill(2)}-{d.zfill(2)}" for y, m, d in zip(*parts, strict=True)]
    tagged = tagged.append_column("date", arrow().array(moments, arrow().string()))
    notes.append("events are tags given to artists, dated to the month; a user's month is a basket")
    columns = replace(
        settings,
        user="userID",
        item="artistID",
        time="date",
        item_id="id",
        title="name",
        baskets=True,
        drop=(DropRule("year", "<", FIRST_YEAR), *settings.drop),
    )
    return Published("hetrec-lastfm-tags", tagged, artists, columns, notes=tuple(notes))


def _table(folder: Path, name: str, settings: DataSettings, notes: list[str]) -> "pa.Table":
    """One of the files, with the columns that are used only; links to pictures describe nothing."""
    if not (folder / name).is_file():
        raise DataError(f"no {name} in {str(folder)!r}; HetRec's Last.fm set has it")
    table = read_headed(folder / name, settings.encoding, notes)
    if missing := [column for column in _LISTENS[name] if column not in table.column_names]:
        raise DataError(
            f"{name} has no column {missing[0]} among {listed(table.column_names)}; HetRec's has "
            f"{', '.join(_LISTENS[name])}"
        )
    return table.select(list(_LISTENS[name]))


def _place(user: str, artist: str) -> int:
    """A random 48-bit number that depends on the two ids only."""
    digest = hashlib.blake2b(f"{user}\t{artist}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big")


def _tags_of(
    artists: "pa.Table", folder: Path, settings: DataSettings, notes: list[str]
) -> "pa.Array":
    """Tags of each artist that enough users gave, most given first."""
    names = _table(folder, "tags.dat", settings, notes)
    spelt = dict(zip(*(names.column(n).to_pylist() for n in ("tagID", "tagValue")), strict=True))
    given = _table(folder, "user_taggedartists.dat", settings, notes)
    rows = zip(*(given.column(n).to_pylist() for n in ("userID", "artistID", "tagID")), strict=True)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for _, artist, tag in dict.fromkeys(rows):
        if tag in spelt:
            counts[artist][tag] += 1
    pa = arrow()
    chosen = []
    for artist in artists.column("id").to_pylist():
        often = sorted(counts[artist].items(), key=lambda entry: (-entry[1], entry[0]))
        shared = [spelt[tag] for tag, users in often if users >= LEAST_TAGGERS]
        chosen.append(shared[:MOST_TAGS] or None)
    return pa.array(chosen, pa.list_(pa.string()))
