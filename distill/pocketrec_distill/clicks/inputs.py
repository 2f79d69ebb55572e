"""Click data of a run: impressions by part, and the items that they show."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pocketrec_distill.data.formats import load_published
from pocketrec_distill.data.formats.mind import impressions_of, news_table
from pocketrec_distill.data.impressions import Impressions
from pocketrec_distill.data.items import ItemTable, item_table, on_unlisted
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.tables import read_table
from pocketrec_distill.errors import DataError


@dataclass(frozen=True, eq=False)
class ClickData:
    """What a click run reads.

    Attributes:
        parts: Impressions by part; "train" is there, "valid" may be.
        items: Every item with its text; None where none was given.
        notes: What was assumed or left out.
    """

    parts: Mapping[str, Impressions]
    items: ItemTable | None
    notes: tuple[str, ...]


def read_clicks(impressions: Path, items: Path | None, settings: DataSettings) -> ClickData:
    """Impressions in MIND's format, or a folder of a published set that has some (MIND, DKN).

    Args:
        impressions: A `behaviors.tsv` (its impressions are the part "train"), or a folder.
        items: MIND's `news.tsv` (no header), or a table with one; a folder brings its own.
        settings: Columns and encoding.

    Raises:
        DataError: A file cannot be read, or the set has no impressions.
    """
    notes: list[str] = []
    if impressions.is_dir():
        found = load_published(impressions, settings)
        if "train" not in found.impressions:
            raise DataError(f"{impressions} is a {found.format} set, which holds no impressions")
        own = None if found.items is None else item_table(found.items, found.settings)[0]
        given = own if items is None else read_items(items, settings, notes)
        return ClickData(found.impressions, given, (*found.notes, *notes))
    part = impressions_of(impressions, settings.encoding, notes)
    given = None if items is None else read_items(items, settings, notes)
    return ClickData({"train": part}, given, tuple(notes))


def read_items(path: Path, settings: DataSettings, notes: list[str]) -> ItemTable:
    """Items of a `news.tsv`, or of a table with a header.

    Raises:
        DataError: The file cannot be read or mapped.
    """
    if path.name == "news.tsv":
        table = news_table([path], settings.encoding, notes)
        settings = replace(settings, item_id="news_id", title="title")
    else:
        table = read_table(path, settings.encoding)
    found, left_out = item_table(table, settings)
    if left_out:
        notes.append(f"items table: {left_out:,} rows with a missing or repeated id")
    return found


def all_items(items: ItemTable | None, impressions: Impressions) -> ItemTable:
    """The items table, with every item of the impressions that it lacks appended.

    Raises:
        DataError: There is no items table: clicks are learned from text.
    """
    return _given(items).extended(impressions.item_ids())


def on_texts(items: ItemTable | None, impressions: Impressions) -> tuple[str, ...]:
    """Notes on what is shown without a text, since the items table lacks it.

    Raises:
        DataError: There is no items table, or none of what is shown stands in it.
    """
    listed = _given(items).item_ids
    shown = tuple(dict.fromkeys(item for part in impressions.candidates for item in part))
    note = on_unlisted(shown, listed, "impressions")
    return (note,) if note else ()


def _given(items: ItemTable | None) -> ItemTable:
    if items is None:
        raise DataError("clicks are learned from item texts; give --items with a table of them")
    return items
