"""Catalogue deltas: items added, changed and retired without a new model. See docs/deltas.md."""

from pocketrec_runtime.delta.apply import Applied, apply_delta
from pocketrec_runtime.delta.delta import CatalogueDelta
from pocketrec_runtime.delta.file import next_fingerprint, read_delta, write_delta
from pocketrec_runtime.delta.make import NewItem, make_delta

__all__ = [
    "Applied",
    "CatalogueDelta",
    "NewItem",
    "apply_delta",
    "make_delta",
    "next_fingerprint",
    "read_delta",
    "write_delta",
]
