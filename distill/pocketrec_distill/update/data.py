"""New and old events of an update, in terms of the bundle's catalogue and the items beyond it."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.data import clean
from pocketrec_distill.data.inputs import catalogue_of, read_inputs
from pocketrec_distill.data.interactions import Interactions
from pocketrec_distill.data.items import ItemTable
from pocketrec_distill.errors import DataError
from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.models.base import History
from pocketrec_distill.training.windows import training_windows
from pocketrec_runtime import Catalogue

MEASURED_SHARE = 0.2
MAX_QUERIES = 5_000
# A query of an old user needs something before it.
MIN_OLD_EVENTS = 3


@dataclass(frozen=True, eq=False)
class UpdateTables:
    """What an update reads.

    Attributes:
        new: New interactions.
        old: Old interactions to be replayed, or None.
        items: The catalogue's items in their order, then the new ones with what is known of them.
        known: How many of them the catalogue holds.
        timed: Whether all interactions have times, and not an order alone.
    """

    new: Interactions
    old: Interactions | None
    items: ItemTable
    known: int
    timed: bool = True


def read_tables(
    catalogue: Catalogue,
    interactions: Path,
    items: Path | None,
    replay: Path | None,
    config: DistillConfig,
) -> UpdateTables:
    """Read and clean the tables of an update.

    Every item of `items` that the catalogue does not hold is new, and so is every item of the new
    interactions. Old interactions of items that the catalogue does not hold are left out.

    Raises:
        DataError: A table cannot be read or mapped, or no interaction is left.
    """
    ids = tuple(catalogue.ids)
    there = frozenset(ids)
    inputs = read_inputs(interactions, items, config.data, there)
    given, _ = catalogue_of(inputs)
    new, account = clean(inputs.interactions, inputs.settings, frozenset(given.item_ids))
    timed = not inputs.timeless and "time" in account.columns
    listed = given.item_ids if inputs.items is not None else ()
    added = [item for item in (*listed, *new.item_ids) if item not in there]
    wanted = (*ids, *dict.fromkeys(added))
    old = None
    if replay is not None:
        earlier = read_inputs(replay, None, config.data, there)
        old, account = clean(earlier.interactions, earlier.settings, there)
        timed = timed and not earlier.timeless and "time" in account.columns
        old = _of_items(old, there)
    return UpdateTables(new, old, given.extended(wanted).selected(wanted), len(ids), timed)


def _of_items(interactions: Interactions, kept: Set[str]) -> Interactions:
    """The interactions with items of `kept`; codes stay as they are.

    Raises:
        DataError: None is left.
    """
    inside = np.array([item in kept for item in interactions.item_ids], dtype=np.bool_)
    rows = inside[interactions.items]
    if not rows.any():
        raise DataError("no replayed interaction has an item of the bundle; is it the right table?")
    return Interactions(
        interactions.user_ids,
        interactions.item_ids,
        interactions.users[rows],
        interactions.items[rows],
        interactions.times[rows],
        interactions.weights[rows],
        interactions.events[rows],
        interactions.event_names,
    )


@dataclass(frozen=True, eq=False)
class Events:
    """Events of an update by what they are for.

    Attributes:
        sequences: To learn from: old events of a user, then new ones.
        targets: 1 for a new event, else 0, in the shape of `sequences`.
        replay: Old events alone, each user's last one left out.
        new_validation: Last new events of some users; chosen by.
        new_test: The same of other users; touched once.
        old_validation: Last old events of half of the users.
        old_test: The same of the other half.
        counts: New and old events of each item, (items,).
        shown: Which of the new interactions are not held out, bool (new interactions,).
    """

    sequences: Sequence[History]
    targets: Sequence[NDArray[np.float32]]
    replay: Sequence[History]
    new_validation: QuerySet
    new_test: QuerySet
    old_validation: QuerySet
    old_test: QuerySet
    counts: NDArray[np.int64] = field(repr=False)
    shown: NDArray[np.bool_] = field(repr=False)


def arrange(tables: UpdateTables, window: int, seed: int) -> Events:
    """Cut the events of an update into what is learned, replayed, chosen by and measured on.

    A fifth of the users with new events gives its last one to validation, another fifth to the
    test. The last old event of every user is never learned.
    """
    ids = tables.items.item_ids
    new, old = _by_user(tables.new, ids), {}
    if tables.old is not None:
        old = _by_user(tables.old, ids)
    rng = np.random.default_rng(seed)
    parts = dict(zip(new, rng.random(len(new)).tolist(), strict=True))
    sequences, targets, held = [], [], set()
    chosen: list[tuple[History, int]] = []
    tested: list[tuple[History, int]] = []
    for user, events in new.items():
        whole = np.concatenate((old.get(user, events[:0]), events))
        flags = (np.arange(len(whole)) >= len(whole) - len(events)).astype(np.float32)
        if parts[user] < 2 * MEASURED_SHARE and len(whole) > 1:
            held_out = chosen if parts[user] < MEASURED_SHARE else tested
            held_out.append((whole[:-1], int(whole[-1])))
            whole, flags = whole[:-1], flags[:-1]
            held.add(user)
        for sequence, told in zip(
            training_windows([whole], window), training_windows([flags], window), strict=True
        ):
            if told[1:].any():
                sequences.append(sequence)
                targets.append(told)
    kept = [events for events in old.values() if len(events) >= MIN_OLD_EVENTS]
    asked = [(events[:-1], int(events[-1])) for events in kept]
    half = rng.permutation(len(asked))
    counts = np.zeros(len(ids), np.int64)
    for events in (*new.values(), *old.values()):
        np.add.at(counts, events, 1)
    return Events(
        sequences,
        targets,
        training_windows([events[:-1] for events in kept], window),
        queries_of(chosen),
        queries_of(tested),
        queries_of([asked[row] for row in half[::2]]),
        queries_of([asked[row] for row in half[1::2]]),
        counts,
        _without_last(tables.new, held),
    )


def _without_last(interactions: Interactions, users: Set[str]) -> NDArray[np.bool_]:
    """False for the last interaction of these users, bool (interactions,)."""
    ends = interactions.histories()[0][1:]
    kept = np.ones(len(interactions), dtype=np.bool_)
    rows = [row for row, user in enumerate(interactions.user_ids) if user in users]
    kept[ends[rows] - 1] = False
    return kept


def catalogue_places(interactions: Interactions, item_ids: Sequence[str]) -> NDArray[np.int32]:
    """Place of each interaction's item among `item_ids`, int32 (interactions,); -1 without one."""
    place = {item: row for row, item in enumerate(item_ids)}
    codes = np.array([place.get(item, -1) for item in interactions.item_ids], dtype=np.int32)
    return codes[interactions.items]


def _by_user(interactions: Interactions, item_ids: Sequence[str]) -> dict[str, History]:
    places = catalogue_places(interactions, item_ids)
    offsets, _ = interactions.histories()
    return {
        user: places[offsets[row] : offsets[row + 1]]
        for row, user in enumerate(interactions.user_ids)
        if offsets[row + 1] > offsets[row]
    }


def queries_of(asked: Sequence[tuple[History, int]]) -> QuerySet:
    """Queries whose target is not in its own history, at most MAX_QUERIES of them."""
    fresh = [(history, target) for history, target in asked if target not in history]
    found = QuerySet(
        [history for history, _ in fresh], np.array([t for _, t in fresh], dtype=np.int64)
    )
    return found.first(MAX_QUERIES)
