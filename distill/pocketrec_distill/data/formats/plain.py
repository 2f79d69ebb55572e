"""Folders of plain tables: `interactions` and `items`, or RecBole's atomic files."""

from pathlib import Path
from typing import TYPE_CHECKING

from pocketrec_distill.data.columns import listed
from pocketrec_distill.data.formats.published import Published
from pocketrec_distill.data.formats.text import read_headed
from pocketrec_distill.data.parquet import is_folder_of_parts
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.tables import TEXT_ENDINGS, read_table
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def named_files(folder: Path, stem: str) -> list[Path]:
    """Tables called `stem`: files with any ending, and folders of Parquet parts."""
    named = (path for path in sorted(folder.iterdir()) if path.name.split(".")[0].lower() == stem)
    return [path for path in named if path.is_file() or is_folder_of_parts(path)]


def plain_tables(folder: Path, settings: DataSettings) -> Published:
    """`interactions.*` and, where it is there, `items.*`, in any kind of table.

    Raises:
        DataError: Not one table of interactions and at most one of items, or one is malformed.
    """
    interactions, items = (named_files(folder, stem) for stem in ("interactions", "items"))
    if len(interactions) != 1 or len(items) > 1:
        found = listed([path.name for path in (*interactions, *items)]) or "none"
        raise DataError(
            f"{str(folder)!r} holds {len(interactions)} tables called interactions and "
            f"{len(items)} called items: {found}; give one of each, or the paths of both"
        )
    notes: list[str] = []
    tables = [_read(path, settings, notes) for path in (*interactions, *items)]
    return Published(
        "tables", tables[0], tables[1] if items else None, settings, notes=tuple(notes)
    )


def recbole(folder: Path, settings: DataSettings) -> Published:
    """RecBole's `NAME.inter` and `NAME.item`, and its knowledge graph `NAME.kg`, `NAME.link`.

    Raises:
        DataError: Not one `.inter`, or a file is malformed.
    """
    inter = sorted(folder.glob("*.inter"))
    if len(inter) != 1:
        raise DataError(
            f"{str(folder)!r} holds {len(inter)} files .inter; give a folder with one, or its path"
        )
    notes: list[str] = []
    item = inter[0].with_suffix(".item")
    graph = (inter[0].with_suffix(".kg"), inter[0].with_suffix(".link"))
    return Published(
        "recbole",
        _read(inter[0], settings, notes),
        _read(item, settings, notes) if item.is_file() else None,
        settings,
        notes=tuple(notes),
        knowledge=graph if all(path.is_file() for path in graph) else None,
    )


def _read(path: Path, settings: DataSettings, notes: list[str]) -> "pa.Table":
    """A table, its encoding found where it is a text file."""
    plain = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    if plain.suffix.lower() in TEXT_ENDINGS:
        return read_headed(path, settings.encoding, notes)
    return read_table(path, settings.encoding)
