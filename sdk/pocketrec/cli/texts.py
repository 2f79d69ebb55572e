"""Files of texts: candidates that no catalogue holds, and history items likewise."""

from pathlib import Path

from pocketrec_runtime.errors import InputError


def read_candidates(path: Path) -> tuple[list[str], list[str]]:
    """Names and texts of candidates, one a line: `ID<tab>TEXT`, or TEXT alone.

    A text without an id is named by its line, from 1. Blank lines are left out.

    Raises:
        InputError: The file is not UTF-8, or holds no text.
    """
    names, texts = [], []
    for number, line in _lines(path):
        item_id, tab, text = line.partition("\t")
        names.append(item_id if tab else str(number))
        texts.append(text if tab else item_id)
    if not texts:
        raise InputError(f"{path} holds no text; give one candidate a line")
    return names, texts


def read_texts_by_id(path: Path) -> dict[str, str]:
    """Texts by id, one `ID<tab>TEXT` a line.

    Raises:
        InputError: The file is not UTF-8, or a line has no tab.
    """
    found: dict[str, str] = {}
    for number, line in _lines(path):
        item_id, tab, text = line.partition("\t")
        if not tab:
            raise InputError(f"{path}, line {number} has no tab; give ID, a tab, and the text")
        found[item_id] = text
    return found


def _lines(path: Path) -> list[tuple[int, str]]:
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start}); encode it as UTF-8") from error
    numbered = enumerate((line.removesuffix("\r") for line in content.split("\n")), start=1)
    return [(number, line) for number, line in numbered if line.strip()]
