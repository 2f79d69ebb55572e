"""The trend of a bundle, renewed by the events of an update: nothing is trained for it."""

import numpy as np

from pocketrec_distill.models.trend import Demand, Followed
from pocketrec_distill.update.data import Events, UpdateTables, catalogue_places
from pocketrec_runtime import Catalogue

# No events make a larger logit; a bundle that says so was not made by these.
_MOST = 30.0


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
    ids = tables.items.item_ids
    items, times = catalogue_places(new, ids)[events.shown], new.times[events.shown]
    last, size = float(times.max()), len(ids)
    if tables.old is not None:
        items = np.concatenate((catalogue_places(tables.old, ids), items))
        times = np.concatenate((tables.old.times, times))
    ages = (np.maximum(last - times, 0)).astype(np.float32)
    recent = Demand.of([items], [ages], size, followed.half_life).recent
    before = _recorded(catalogue, followed, size)
    if tables.old is None:
        left = 0.5 ** (float(ages.max()) / followed.half_life)
        recent = np.float32(1 - left) * recent + np.float32(left) * before.recent
    return Demand(recent, before.overall)


def _recorded(catalogue: Catalogue, followed: Followed, size: int) -> Demand:
    """The demand that a bundle was made with; of items beyond its catalogue none."""
    recent, logits = np.zeros((2, size), dtype=np.float32)
    recent[: len(catalogue)] = catalogue.popularity * len(catalogue)
    said = catalogue.bias.astype(np.float64) / followed.weight
    logits[: len(catalogue)] = np.clip(said, -_MOST, _MOST)
    return Demand(recent, Demand.overall_of(recent, logits))
