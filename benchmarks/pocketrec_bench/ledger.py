"""Files of results that only ever grow: one card a line, appended whole or not at all."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pocketrec_bench import records
from pocketrec_bench.card import Card, card_document, card_from_json
from pocketrec_bench.errors import ResultFormatError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_MAX_BYTES = 1 << 28


def read_ledger(path: Path) -> list[Card]:
    """Every card of a file, oldest first.

    Raises:
        OSError: It cannot be read.
        ResultFormatError: A line is no card, is blank, or is cut off; the message names it.
    """
    with path.open("rb") as file:
        return _cards(file.read(_MAX_BYTES + 1), path.name)


def append_to_ledger(path: Path, cards: Sequence[Card]) -> int:
    """Appends the cards that are not there yet; how many those are.

    The file is locked against other processes, every line that is there is read first, and the new
    ones are written in one go and flushed to the disk. A write that fails is taken back.

    Args:
        path: The file; it and its folder are made where they are not there.
        cards: Valid runs of a committed build: what nobody could repeat does not belong there.

    Raises:
        OSError: The system could not read or write.
        ResultFormatError: A card may not be appended, or a line that is there is no card.
    """
    for card in cards:
        reason = refusal(card)
        if reason:
            raise ResultFormatError(
                f"a card of {card.results[0].subject.name} is refused: {reason}"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file, _locked(file):
        file.seek(0)
        before = file.read(_MAX_BYTES + 1)
        _cards(before, path.name)
        known = set(before.splitlines())
        lines = list(dict.fromkeys(map(_line, cards)))
        fresh = [line for line in lines if line not in known]
        _write(file, b"".join(line + b"\n" for line in fresh), len(before))
    return len(fresh)


def refusal(card: Card) -> str:
    """Why a card does not belong among the results; empty where it does."""
    commit = card.build.commit
    if commit == "unknown" or commit.endswith("-dirty"):
        return f"its build is {commit}; commit first"
    reasons = [reason for result in card.results for reason in result.reasons]
    return f"a run is not valid: {reasons[0]}" if reasons else ""


def _line(card: Card) -> bytes:
    return records.dump(card_document(card)).encode("utf-8")


def _cards(data: bytes, name: str) -> list[Card]:
    if len(data) > _MAX_BYTES:
        raise ResultFormatError(f"{name} has more than {_MAX_BYTES >> 20} MiB; start another file")
    if data and not data.endswith(b"\n"):
        raise ResultFormatError(f"{name}: its last line is cut off; restore the file from git")
    return [
        card_from_json(line, f"{name}, line {number}")
        for number, line in enumerate(data.split(b"\n")[:-1], start=1)
    ]


def _write(file: BinaryIO, data: bytes, size_bytes: int) -> None:
    """Appends and flushes to the disk; on a failure the file has its former size again."""
    try:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    except OSError:
        os.truncate(file.fileno(), size_bytes)
        raise


@contextmanager
def _locked(file: BinaryIO) -> Iterator[None]:
    """Holds a file against other processes that lock it too; released when it is closed."""
    if sys.platform == "win32":
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        yield
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
