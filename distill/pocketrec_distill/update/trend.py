"""The trend of a bundle, renewed by the events of an update: nothing is trained for it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.data.interactions import Interactions
from pocketrec_distill.models.trend import Demand
from pocketrec_distill.update.data import Events, UpdateTables
from pocketrec_runtime import Catalogue

NAME = "trend"
# No events make a larger logit; a bundle that says so was not made by these.
_MOST = 30.0


@dataclass(frozen=True)
class Followed:
    """How far a bundle follows the trend, as its provenance says.

    Attributes:
        weight: Of the trend's logits in the student's scores.
        half_life: Age at which an event counts half, in seconds.
    """

    weight: float
    half_life: float

    @classmethod
    def of(cls, provenance: Mapping[str, Any]) -> "Followed | None":
        """What `as_provenance` wrote; None where a bundle follows none, or says so unreadably."""
        said = provenance.get(NAME)
        numbers = [said.get(n) for n in ("weight", "half_life")] if isinstance(said, dict) else []
        good = [n for n in numbers if isinstance(n, int | float) and 0 < n < math.inf]
        return cls(*good) if len(good) == 2 else None

    def as_provenance(self) -> dict[str, dict[str, float]]:
        """The form that stands in a bundle's provenance; nothing for a weight of 0."""
        if not self.weight:
            return {}
        return {NAME: {"weight": self.weight, "half_life": self.half_life}}


def renewed(
    catalogue: Catalogue, followed: Followed, tables: UpdateTables, events: Events
) -> Demand:
    """The demand of old and new items after the new events, float32 (old and new items,) each.

    Recent demand is counted where the old events are there; else the old one is read from the
    bundle, and fades as it would have. Overall demand stays that of the bundle: it stands for the
    shares that the student rests on, and a trend is what has changed since.

    Args:
        catalogue: Of the bundle, whose popularity is its recent demand.
        followed: How it follows the trend.
        tables: Of the update.
        events: Of the same; what they hold out to measure shows no demand.
    """
    new = tables.new
    items, times = _codes(new, tables)[events.shown], new.times[events.shown]
    last, size = float(times.max()), len(tables.items.item_ids)
    if tables.old is not None:
        items = np.concatenate((_codes(tables.old, tables), items))
        times = np.concatenate((tables.old.times, times))
    ages = (np.maximum(last - times, 0)).astype(np.float32)
    recent = Demand.of([items], [ages], size, followed.half_life).recent
    before = _recorded(catalogue, followed, size)
    if tables.old is None:
        left = 0.5 ** (float(ages.max()) / followed.half_life)
        recent = np.float32(1 - left) * recent + np.float32(left) * before.recent
    return Demand(recent, before.overall)


def _codes(interactions: Interactions, tables: UpdateTables) -> NDArray[np.int32]:
    """Catalogue index of each interaction's item, int32 (interactions,)."""
    place = {item: row for row, item in enumerate(tables.items.item_ids)}
    codes = np.array([place.get(item, -1) for item in interactions.item_ids], dtype=np.int32)
    return codes[interactions.items]


def _recorded(catalogue: Catalogue, followed: Followed, size: int) -> Demand:
    """The demand that a bundle was made with; of items beyond its catalogue none."""
    recent, logits = np.zeros((2, size), dtype=np.float32)
    recent[: len(catalogue)] = catalogue.popularity * len(catalogue)
    said = catalogue.bias.astype(np.float64) / followed.weight
    logits[: len(catalogue)] = np.clip(said, -_MOST, _MOST)
    return Demand(recent, Demand.overall_of(recent, logits))
