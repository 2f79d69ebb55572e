"""What an update tells of items beside what it learns of them: biases, popularity, columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.export.columns import shown_columns
from pocketrec_distill.llm.text import TextTemplate
from pocketrec_distill.models.trend import Followed
from pocketrec_distill.update.data import Events, UpdateTables
from pocketrec_distill.update.trend import renewed
from pocketrec_runtime import BundleContents, Catalogue, Engine
from pocketrec_runtime.bundle import Bundle

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Told:
    """Of old and new items, in this order.

    Attributes:
        bias: float32 (items,): with the trend renewed, where the bundle follows one.
        popularity: Shares with the new events in them, float32 (items,).
        columns: The catalogue's columns, with what is known of the new items.
    """

    bias: Floats
    popularity: Floats
    columns: Mapping[str, Sequence[Any]]


def told_of_items(parent: Bundle, tables: UpdateTables, events: Events) -> Told:
    """What the new events and tables of an update tell of the items of a bundle and the new ones.

    Args:
        parent: The bundle.
        tables: Of the update.
        events: Of the same.
    """
    old, columns = parent.contents.catalogue, _columns(parent.contents.catalogue, tables)
    followed = Followed.of(parent.manifest.provenance) if tables.timed else None
    if followed is not None:
        demand = renewed(old, followed, tables, events)
        return Told(np.float32(followed.weight) * demand.logits, demand.shares, columns)
    bias = usual_bias(parent.contents, len(events.counts))
    return Told(bias, _popularity(old.popularity, events.counts, tables.old is not None), columns)


def usual_bias(contents: BundleContents, items: int) -> Floats:
    """Those of the bundle, and of the items beyond its catalogue, float32 (items,)."""
    old = contents.catalogue.bias
    new = np.full(items - len(old), contents.model.new_item_bias, np.float32)
    return np.concatenate((old, new))


def vectors_of_new(engine: Engine, tables: UpdateTables, config: DistillConfig) -> Floats:
    """Vectors of the items beyond a bundle's catalogue, float32 (new, width)."""
    new, model = tables.items.item_ids[tables.known :], engine.manifest.model
    if not new:
        return np.empty((0, model.width), np.float32)
    if model.item_tower is None:
        mean = engine.catalogue.vectors.mean(axis=0, keepdims=True)
        return np.repeat(mean, len(new), axis=0)
    columns = {name: values[tables.known :] for name, values in tables.items.columns.items()}
    return engine.encode_items(TextTemplate(config.text.template).render(new, columns))


def _popularity(old: Floats, counts: NDArray[np.int64], replayed: bool) -> Floats:
    """Shares with the new events in them.

    With the old events the counts say it. Without, the old shares and those of the new events
    count alike: what is new shows what is wanted now, and nobody knows how many events were old.
    """
    shares = counts / max(1, counts.sum())
    if not replayed and old.sum() > 0:
        shares = (shares + np.concatenate((old, np.zeros(len(counts) - len(old))))) / 2
    found: Floats = (shares / max(shares.sum(), 1e-12)).astype(np.float32)
    return found


def _columns(old: Catalogue, tables: UpdateTables) -> dict[str, list[Any]]:
    """The catalogue's columns, with what is known of the new items."""
    shown = shown_columns(tables.items)
    empty = [None] * len(tables.items.item_ids)
    return {
        name: [*values, *shown.get(name, empty)[tables.known :]]
        for name, values in old.columns.items()
    }
