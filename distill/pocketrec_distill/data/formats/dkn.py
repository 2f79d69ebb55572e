"""DKN's news clicks (Wang et al., WWW 2018): user, title, 0 or 1, entities; no time, no header."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pocketrec_distill.data.formats.published import Published
from pocketrec_distill.data.formats.text import cut, read_lines, table_of
from pocketrec_distill.data.impressions import Ids, Impressions
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.errors import DataError

TRAIN, TEST = "raw_train.txt", "raw_test.txt"
# Rows held out for validation where the set has no test file.
HELD_OUT_SHARE = 0.2
_NAMES = ("user", "title", "label", "entities")

Rows = Sequence[tuple[str, str, int]]


def dkn(folder: Path, settings: DataSettings) -> Published:
    """Read DKN's click sample; a title is its own id.

    Each row is an impression of one candidate. Rows of a user are not in order of time (most
    non-clicks stand before the clicks), so a history holds all other titles that the user clicked
    in the training part, and never the candidate's own. `raw_test.txt` is the valid part; without
    it a seeded fifth of the rows is.

    Raises:
        DataError: A file is missing or malformed.
    """
    path = folder / TRAIN
    if not path.is_file():
        raise DataError(f"no {TRAIN} in {str(folder)!r}; DKN's clicks stand there")
    notes: list[str] = []
    entities: dict[str, str] = {}
    train = _rows(path, settings.encoding, notes, entities)
    if (folder / TEST).is_file():
        valid = _rows(folder / TEST, settings.encoding, notes, entities)
    else:
        train, valid = _held_out(train)
        notes.append(f"DKN: no {TEST}; {len(valid):,} rows, chosen at random, are the valid part")
    clicked = _clicked(train)
    notes.append("DKN: no times; histories are the other titles clicked in the training part")
    parts = {"train": _impressions(train, clicked), "valid": _impressions(valid, clicked)}
    pairs = [(user, title) for user, titles in clicked.items() for title in titles]
    columns = replace(settings, user="user_id", item="item_id", item_id="item_id", title="title")
    items = [(title, title, _names_of(entities[title])) for title in entities]
    return Published(
        "dkn",
        table_of(("user_id", "item_id"), pairs),
        table_of(("item_id", "title", "entities"), items),
        columns,
        parts,
        tuple(notes),
    )


def _rows(path: Path, encoding: str, notes: list[str], entities: dict[str, str]) -> Rows:
    """(user, title, label) of each line; the entities of new titles are kept."""
    lines, note = read_lines(path, encoding)
    notes.extend(filter(None, [note]))
    found = []
    for number, (user, title, label, named) in enumerate(cut(path, lines, "\t", _NAMES), 1):
        if label not in ("0", "1") or not user or not title.strip():
            raise DataError(
                f"{path.name}, line {number}: user {user!r}, title {title[:40]!r} and label "
                f"{label!r}; give a user, a title, and 0 or 1"
            )
        entities.setdefault(title, named)
        found.append((user, title, int(label)))
    return found


def _names_of(entities: str) -> str | None:
    """`36136:Tautog;331:Bruce Springsteen` as names, `|` between them."""
    names = (entity.partition(":")[2].strip() for entity in entities.split(";"))
    return "|".join(filter(None, names)) or None


def _held_out(rows: Rows) -> tuple[Rows, Rows]:
    """Most rows, and a seeded share of them."""
    order = np.random.default_rng(0).permutation(len(rows))
    chosen = set(order[: round(len(rows) * HELD_OUT_SHARE)].tolist())
    kept = [row for place, row in enumerate(rows) if place not in chosen]
    return kept, [row for place, row in enumerate(rows) if place in chosen]


def _clicked(rows: Rows) -> dict[str, Ids]:
    """Titles that each user clicked, each once, in the order of the file."""
    titles: dict[str, dict[str, None]] = {}
    for user, title, label in rows:
        if label:
            titles.setdefault(user, {})[title] = None
    return {user: tuple(found) for user, found in titles.items()}


def _impressions(rows: Rows, clicked: dict[str, Ids]) -> Impressions:
    histories = (
        tuple(title for title in clicked.get(user, ()) if title != candidate)
        for user, candidate, _ in rows
    )
    return Impressions(
        tuple(user for user, _, _ in rows),
        np.full(len(rows), np.nan),
        tuple(histories),
        tuple((title,) for _, title, _ in rows),
        tuple(np.array([label], dtype=np.int8) for _, _, label in rows),
    )
