"""Cards as files: read within bounds, written as a whole."""

from pathlib import Path

from pocketrec_bench.card.document import Card, card_from_json, card_to_json
from pocketrec_bench.card.html import render_card
from pocketrec_bench.errors import ResultFormatError
from pocketrec_runtime.errors import BundleError
from pocketrec_runtime.storage.atomic import read_bounded, write_atomically

CARD_NAME = "card.json"
PAGE_NAME = "card.html"
_MAX_BYTES = 1 << 28


def read_card(path: Path) -> Card:
    """The card of a file, or of the folder that holds `card.json`.

    Raises:
        OSError: It cannot be read.
        ResultFormatError: As `card_from_json`; no regular file, or one of more than 256 MB.
    """
    file = path / CARD_NAME if path.is_dir() else path
    try:
        data = read_bounded(file, _MAX_BYTES)
    except BundleError as error:
        raise ResultFormatError(f"{file.name} is no regular file of at most 256 MB") from error
    return card_from_json(data, file.name)


def write_card(card: Card, folder: Path) -> None:
    """Writes `card.json` and `card.html` into a folder, which is made where it is not there.

    Raises:
        OSError: The system could not write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_card_json(card, folder / CARD_NAME)
    write_atomically(folder / PAGE_NAME, render_card(card).encode("utf-8", "replace"))


def write_card_json(card: Card, path: Path) -> None:
    """Writes `card.json`; at every moment it is the old one, absent, or the new one whole.

    Raises:
        OSError: The system could not write.
    """
    write_atomically(path, card_to_json(card).encode("utf-8"))
