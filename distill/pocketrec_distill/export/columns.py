"""The columns of the items that a bundle holds: what a screen shows, and filters ask for."""

from collections.abc import Sequence
from typing import Any

from pocketrec_distill.data.items import ItemTable
from pocketrec_distill.llm.text import clean_value

# Long prose stays out of the bundle: it feeds the language model, not the screen.
MAX_SHOWN_MEAN_CHARACTERS = 60


def shown_columns(catalogue: ItemTable) -> dict[str, Sequence[Any]]:
    """Columns for display and filters: the title, and all whose values are short."""
    shown: dict[str, Sequence[Any]] = {}
    for name, values in catalogue.columns.items():
        cleaned = [_shown(value) for value in values]
        lengths = [len(str(value)) for value in cleaned if value]
        mean = sum(lengths) / len(lengths) if lengths else 0.0
        if name == "title" or (lengths and mean <= MAX_SHOWN_MEAN_CHARACTERS):
            shown[name] = cleaned
    return shown


def _shown(value: object) -> str | list[str] | None:
    """A value without markup, control characters and lone surrogates."""
    if isinstance(value, tuple):
        return [text for text in map(clean_value, value) if text] or None
    return clean_value(value) or None
