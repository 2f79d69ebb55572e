"""Golden scores as JSON."""

from typing import Any

import numpy as np

from pocketrec_distill.serving.contents import GoldenScores
from pocketrec_runtime.bundle import strict_json
from pocketrec_runtime.bundle.strict_json import Fields
from pocketrec_runtime.errors import BundleFormatError


def dump_golden(golden: tuple[GoldenScores, ...], name: str) -> bytes:
    """The file `name`, which `parse_golden` reads back equal."""
    return strict_json.dump([_values(scores) for scores in golden], name)


def parse_golden(data: bytes, name: str, items: int) -> tuple[GoldenScores, ...]:
    """The golden scores in the file `name`, over a catalogue of so many items.

    Raises:
        BundleFormatError: They are none, or name another item.
    """
    listed = strict_json.parse(data, name)
    if not isinstance(listed, list):
        raise BundleFormatError(f"{name} is no list")
    return tuple(_scores(Fields(value, name), name, items) for value in listed)


def _values(golden: GoldenScores) -> dict[str, Any]:
    return {
        "history": list(golden.history),
        "items": list(golden.items),
        "scores": [float(score) for score in golden.scores],
    }


def _scores(fields: Fields, name: str, items: int) -> GoldenScores:
    history, asked, scores = (fields.array(key) for key in ("history", "items", "scores"))
    if not history or not asked or len(asked) != len(scores):
        raise BundleFormatError(f"{name} holds an empty query, or one without all its scores")
    if any(type(index) is not int or not 0 <= index < items for index in (*history, *asked)):
        raise BundleFormatError(f"{name} holds an item outside 0 to {items - 1}")
    if any(type(score) not in (int, float) for score in scores):
        raise BundleFormatError(f"{name} holds a score that is no number")
    return GoldenScores(tuple(history), tuple(asked), np.array(scores, np.float32))
