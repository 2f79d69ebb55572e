"""MIND (Wu et al., ACL 2020): news, and impressions with clicks and non-clicks.

`news.tsv` and `behaviors.tsv` have no header. A folder holds both, or one folder per part
(`train`, `valid` or `dev`, also as `MINDsmall_train`), with one `news.tsv` beside or inside them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.data.columns import has_known_name
from pocketrec_distill.data.dates import dates
from pocketrec_distill.data.formats.published import Published
from pocketrec_distill.data.formats.text import cut, read_lines, table_of
from pocketrec_distill.data.impressions import Ids, Impressions, Labels
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.tables import arrow
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_NEWS = ("id", "category", "subcategory", "title", "abstract", "url", "title entities",
         "abstract entities")  # fmt: skip
_SHOWN = ("news_id", "title", "category", "subcategory", "abstract")
_BEHAVIORS = ("impression", "user", "time", "history", "impressions")
_FILES = ("behaviors.tsv", "news.tsv")
_PARTS = {"train": "train", "valid": "valid", "dev": "valid"}
_CANDIDATE = re.compile(r"(.+)-([01])")


def mind_files(folder: Path) -> tuple[dict[str, Path], list[Path]]:
    """`behaviors.tsv` of each part (train, valid), and every `news.tsv`; empty where none is."""
    places = {"train": folder}
    if not (folder / "behaviors.tsv").is_file():
        subfolders = sorted(path for path in folder.iterdir() if path.is_dir())
        endings = ((path.name.lower().rpartition("_")[2], path) for path in subfolders)
        places = {_PARTS[ending]: path for ending, path in endings if ending in _PARTS}
    behaviors = {part: path / "behaviors.tsv" for part, path in places.items()}
    behaviors = {part: path for part, path in behaviors.items() if path.is_file()}
    news = [path / "news.tsv" for path in (folder, *places.values())]
    return behaviors, [path for path in dict.fromkeys(news) if path.is_file()]


def mind_folder(path: Path) -> Path | None:
    """The data set of a `behaviors.tsv` or `news.tsv` without a header; None for other files."""
    if path.name not in _FILES or not path.is_file():
        return None
    with path.open("rb") as stream:
        first = stream.readline().decode("latin-1").split("\t")
    if has_known_name(first):
        return None
    of_part = path.parent.name.lower().rpartition("_")[2] in _PARTS
    for folder in (path.parent.parent, path.parent) if of_part else (path.parent,):
        behaviors, news = mind_files(folder)
        if "train" in behaviors and news:
            return folder
    return None


def mind(folder: Path, settings: DataSettings) -> Published:
    """Read MIND: items, impressions, and the clicks of the training part as interactions.

    A user's history comes before their first impression, in its own order; MIND gives it no times.

    Raises:
        DataError: A file is missing or malformed, or a candidate has no label.
    """
    behaviors, news_files = mind_files(folder)
    if "train" not in behaviors or not news_files:
        raise DataError(
            f"no MIND data in {str(folder)!r}: looked for news.tsv and behaviors.tsv, there and in "
            "subfolders train, valid, dev or NAME_train, NAME_valid, NAME_dev"
        )
    notes: list[str] = []
    items = news_table(news_files, settings.encoding, notes)
    parts = {
        part: impressions_of(path, settings.encoding, notes) for part, path in behaviors.items()
    }
    notes.append(
        "MIND: interactions are each user's history, then the clicks of the training impressions; "
        "histories have no times and stand one second apart before the first impression"
    )
    columns = replace(settings, user="user_id", item="news_id", time="timestamp",
                      item_id="news_id", title="title")  # fmt: skip
    return Published("mind", clicks(parts["train"]), items, columns, parts, tuple(notes))


def news_table(paths: Sequence[Path], encoding: str, notes: list[str]) -> "pa.Table":
    """Items of `news.tsv` files: news_id, title, category, subcategory, abstract; the first counts.

    Raises:
        DataError: A file is malformed.
    """
    rows: dict[str, list[str]] = {}
    for path in paths:
        for row in _news(path, encoding, notes):
            rows.setdefault(row[0], [row[0], row[3], row[1], row[2], row[4]])
    return table_of(_SHOWN, list(rows.values()))


def _news(path: Path, encoding: str, notes: list[str]) -> list[list[str]]:
    lines, note = read_lines(path, encoding)
    notes.extend(filter(None, [note]))
    count = lines[0].count("\t") + 1
    if count < 5:
        raise DataError(
            f"{path.name} has {count} columns; MIND's has {', '.join(_NEWS)}, without a header"
        )
    return cut(path, lines, "\t", _NEWS[:count] if count <= len(_NEWS) else _NEWS)


def impressions_of(path: Path, encoding: str, notes: list[str]) -> Impressions:
    """The impressions of one `behaviors.tsv`.

    Args:
        path: The file.
        encoding: Its encoding.
        notes: What is left out or assumed is appended.

    Raises:
        DataError: A line is malformed, or a candidate has no label, as in MIND's test part.
    """
    lines, note = read_lines(path, encoding)
    notes.extend(filter(None, [note]))
    rows = cut(path, lines, "\t", _BEHAVIORS)
    times, note = dates(arrow().chunked_array([[row[2] for row in rows]]))
    notes.extend(filter(None, [note]))
    if (unread := int(np.isnan(times).sum())) and unread < len(rows):
        notes.append(f"{path.parent.name}/{path.name}: {unread:,} impressions without a time")
    known: dict[str, Ids] = {}
    histories = tuple(known.setdefault(row[3], tuple(row[3].split())) for row in rows)
    shown = [_candidates(path, number, row[4]) for number, row in enumerate(rows, 1)]
    return Impressions(
        tuple(row[1] for row in rows),
        times,
        histories,
        tuple(ids for ids, _ in shown),
        tuple(labels for _, labels in shown),
    )


def _candidates(path: Path, number: int, text: str) -> tuple[Ids, Labels]:
    """Ids and labels of `N1-0 N2-1`; of an id shown twice, a click counts."""
    found: dict[str, int] = {}
    for word in text.split():
        match = _CANDIDATE.fullmatch(word)
        if match is None:
            raise DataError(
                f"{path.name}, line {number}: candidate {word[:40]!r} has no label -0 or -1; "
                "MIND's test part has none and cannot be used"
            )
        found[match[1]] = max(found.get(match[1], 0), int(match[2]))
    if not found:
        raise DataError(f"{path.name}, line {number}: no candidate was shown; remove the line")
    return tuple(found), np.array(list(found.values()), dtype=np.int8)


@dataclass(frozen=True)
class _Event:
    user: str
    item: str
    time: float


def clicks(impressions: Impressions) -> "pa.Table":
    """Interactions (user_id, news_id, timestamp): each user's history, then their clicks.

    Impressions without a time stand in the order of the log, after those that have one.
    """
    events = list(_events(impressions))
    columns: dict[str, Sequence[str] | NDArray[np.float64]] = {
        "user_id": [event.user for event in events],
        "news_id": [event.item for event in events],
        "timestamp": np.array([event.time for event in events], dtype=np.float64),
    }
    table: pa.Table = arrow().table(columns)
    return table


def _events(impressions: Impressions) -> Iterator[_Event]:
    """Events user by user; of a user's impressions without time the order of the log counts."""
    by_user: dict[str, list[int]] = {}
    for row, user in enumerate(impressions.users):
        by_user.setdefault(user, []).append(row)
    times = np.where(np.isnan(impressions.times), np.inf, impressions.times)
    start = float(times.min()) if np.isfinite(times).any() else float(2**31)
    for user, rows in by_user.items():
        rows.sort(key=lambda row: float(times[row]))
        history = max((impressions.histories[row] for row in rows), key=len)
        for age, item in enumerate(reversed(history), 1):
            yield _Event(user, item, start - age)
        for row in rows:
            labels = impressions.labels[row].tolist()
            moment = float(times[row]) if np.isfinite(times[row]) else start + row
            for item, clicked in zip(impressions.candidates[row], labels, strict=True):
                if clicked:
                    yield _Event(user, item, moment)
