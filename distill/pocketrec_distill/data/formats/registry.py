"""The known formats by name, and which of them a folder is in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketrec_distill.data.columns import listed
from pocketrec_distill.data.formats.amazon import (
    ENDINGS,
    amazon,
    amazon_files,
    first_fields,
    holds_reviews,
)
from pocketrec_distill.data.formats.dkn import TRAIN, dkn
from pocketrec_distill.data.formats.lastfm import FILES, hetrec_lastfm, hetrec_lastfm_tags
from pocketrec_distill.data.formats.mind import mind, mind_files
from pocketrec_distill.data.formats.movielens import movielens_100k, movielens_csv, movielens_dat
from pocketrec_distill.data.formats.plain import named_files, plain_tables, recbole
from pocketrec_distill.data.formats.published import Published
from pocketrec_distill.data.formats.retail import holds_stock_codes, online_retail, retail_files
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.errors import ConfigError, DataError

# JSON files of a folder of which a message says what they hold.
_SHOWN_JSON = 4

Loader = Callable[[Path, DataSettings], Published]


@dataclass(frozen=True)
class Format:
    """One published format.

    Attributes:
        load: Reads a folder (or, for Online Retail, a file).
        files: What it is told by, for people.
        found: Whether a folder holds it, by the names of its files.
        fits: Whether those files hold it; looked at only where nobody named the format.
        one_file: Whether `load` takes the path of a file.
    """

    load: Loader
    files: str
    found: Callable[[Path], bool]
    one_file: bool = False
    fits: Callable[[Path], bool] = lambda _: True


def _all_there(*names: str) -> Callable[[Path], bool]:
    return lambda folder: all((folder / name).is_file() for name in names)


def _movielens_csv(folder: Path) -> bool:
    """Whether both tables are there, plain or gzip."""
    pairs = (("ratings.csv", "ratings.csv.gz"), ("movies.csv", "movies.csv.gz"))
    return all(any((folder / name).is_file() for name in pair) for pair in pairs)


def _reviews(endings: Sequence[str]) -> Callable[[Path], bool]:
    def found(folder: Path) -> bool:
        return any(path.name.lower().endswith(tuple(endings)) for path in amazon_files(folder)[0])

    return found


_CSV = Format(movielens_csv, "ratings.csv and movies.csv", _movielens_csv)
_DAT = Format(movielens_dat, "ratings.dat and movies.dat", _all_there("ratings.dat", "movies.dat"))

# In this order a folder's format is looked for; the first that fits is taken.
FORMATS: Mapping[str, Format] = {
    "movielens-100k": Format(movielens_100k, "u.data and u.item", _all_there("u.data", "u.item")),
    "movielens-1m": _DAT,
    "movielens": _CSV,
    "hetrec-lastfm": Format(hetrec_lastfm, " and ".join(FILES), _all_there(*FILES)),
    "mind": Format(
        mind,
        "news.tsv and behaviors.tsv, also in train, valid or dev",
        lambda folder: "train" in mind_files(folder)[0],
    ),
    "dkn": Format(dkn, TRAIN, _all_there(TRAIN)),
    "online-retail": Format(
        online_retail,
        "*retail*.csv",
        lambda folder: bool(retail_files(folder)),
        one_file=True,
        fits=holds_stock_codes,
    ),
    "amazon-2018": Format(
        amazon, "NAME.json.gz and meta_NAME.json.gz", _reviews(ENDINGS[:2]), fits=holds_reviews
    ),
    "amazon-2023": Format(
        amazon, "NAME.jsonl.gz and meta_NAME.jsonl.gz", _reviews(ENDINGS[2:]), fits=holds_reviews
    ),
    "recbole": Format(
        recbole, "NAME.inter and NAME.item", lambda folder: any(folder.glob("*.inter"))
    ),
    "tables": Format(
        plain_tables,
        "interactions.* and items.*",
        lambda folder: bool(named_files(folder, "interactions")),
    ),
}
# Formats that no folder is told to be in: other names, and other readings of the same files.
NAMED_ONLY: Mapping[str, Format] = {
    "movielens-10m": _DAT,
    "movielens-small": _CSV,
    "movielens-20m": _CSV,
    "movielens-25m": _CSV,
    "movielens-32m": _CSV,
    "hetrec-lastfm-tags": Format(
        hetrec_lastfm_tags, "artists.dat and user_taggedartists.dat", _all_there(FILES[0])
    ),
}


def detect_format(folder: Path) -> str:
    """Name of the format that a folder's file names say, and for some the names in them.

    Raises:
        DataError: None does; the message lists what was looked for.
    """
    for name, known in FORMATS.items():
        if known.found(folder) and known.fits(folder):
            return name
    looked = "\n".join(f"  {name}: {known.files}" for name, known in FORMATS.items())
    here = listed(sorted(path.name for path in folder.iterdir())) or "nothing"
    raise DataError(
        f"{str(folder)!r} is in no known format; it holds {here}.{_on_json(folder)} Looked for\n"
        f"{looked}\nGive the path of a table instead (a spreadsheet saved as CSV, the parts of one "
        "joined to one file, or Parquet's alone in a folder), or name the format: "
        '[data] format = "..."'
    )


def _on_json(folder: Path) -> str:
    """What the JSON files of a folder hold, where they are not Amazon's."""
    said = []
    for path in amazon_files(folder)[0][:_SHOWN_JSON]:
        try:
            said.append(f"{path.name} has {listed(first_fields(path)) or 'no object'}")
        except DataError as error:
            said.append(str(error))
    if not said:
        return ""
    return (
        f" Its JSON is not Amazon's: {'; '.join(said)}. Give the path of the file of interactions, "
        'and where its names are not known ones [data] user = "..." and item = "...".'
    )


def load_published(path: Path, settings: DataSettings) -> Published:
    """Read a data set in the format that the settings name, or that its folder is told to be in.

    Args:
        path: The folder, or a file in it.
        settings: `format` names it; the columns are the format's own.

    Raises:
        ConfigError: No format has this name.
        DataError: The folder is in no known format, or lacks a file, or one is malformed.
    """
    name = settings.format or detect_format(path)
    known = {**FORMATS, **NAMED_ONLY}.get(name)
    if known is None:
        raise ConfigError(
            f"[data] format is {name!r}; known: {', '.join(sorted({**FORMATS, **NAMED_ONLY}))}"
        )
    if not path.exists():
        raise DataError(f"nothing at {str(path)!r}; give the folder of the data set")
    folder = path if path.is_dir() or known.one_file else path.parent
    if folder.is_dir() and not known.found(folder):
        here = listed(sorted(file.name for file in folder.iterdir())) or "nothing"
        raise DataError(
            f"[data] format is {name}, but {str(folder)!r} holds no {known.files}: {here}"
        )
    return known.load(folder, settings)
