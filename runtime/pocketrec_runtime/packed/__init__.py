"""Ids and columns of a catalogue in few bytes: a value is made when it is asked for.

A hundred thousand titles are eight megabytes as Python strings and three as one blob; opening a
bundle is faster too, since checks run over the whole column at once.
"""

from pocketrec_runtime.packed.columns import (
    MAX_INTEGER,
    Column,
    ColumnValue,
    Postings,
    pack_column,
)
from pocketrec_runtime.packed.ids import PackedIds
from pocketrec_runtime.packed.patched import PatchedColumn
from pocketrec_runtime.packed.text import PackedText, check_text

__all__ = [
    "MAX_INTEGER",
    "Column",
    "ColumnValue",
    "PackedIds",
    "PackedText",
    "PatchedColumn",
    "Postings",
    "check_text",
    "pack_column",
]
