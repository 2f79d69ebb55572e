"""From a raw table to `Interactions`, with an account of every row that was dropped."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.data.account import CleaningAccount
from pocketrec_distill.data.clocks import with_joined_times
from pocketrec_distill.data.columns import InteractionColumns
from pocketrec_distill.data.interactions import Interactions
from pocketrec_distill.data.roles import MAX_EVENT_TYPES, interaction_columns
from pocketrec_distill.data.rules import kept_by
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.data.strays import stray_times
from pocketrec_distill.data.tables import arrow
from pocketrec_distill.data.values import Codes, as_text, encode_ids, numbers, times, weights
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CleaningAccount", "clean"]

Mask = NDArray[np.bool_]

# Of a value that could not be read, as the account shows it.
MAX_EXAMPLE = 40


@dataclass
class _Rows:
    """Columns of the rows still kept."""

    users: Codes
    items: Codes
    times: NDArray[np.float64]
    weights: NDArray[np.float64]
    events: Codes

    def keep(self, mask: Mask) -> None:
        for codes in (self.users, self.items, self.events):
            codes.values = codes.values[mask]
        self.times, self.weights = self.times[mask], self.weights[mask]


def clean(
    table: "pa.Table", settings: DataSettings, known_items: frozenset[str] | None = None
) -> tuple[Interactions, CleaningAccount]:
    """Interactions of a raw table, and the account of what was dropped on the way.

    Args:
        table: From `read_table`.
        settings: Columns, rules, weights and cores.
        known_items: Ids of the items table; others are dropped where the settings say so.

    Raises:
        DataError: A column is missing, or no row is left; the message holds the account.
    """
    account = CleaningAccount(table.num_rows)
    for rule in settings.drop:
        kept = kept_by(table, rule)
        account.drop(f"rule: {rule.column} {rule.op} {rule.value}", table.num_rows - kept.num_rows)
        table = kept
    table = with_joined_times(table, settings, account)
    columns = interaction_columns(table, settings, account)
    rows = _read(table, columns, settings, account)
    kept_rows = np.ones(table.num_rows, dtype=bool)
    for reason, mask in _checks(table, columns, rows, settings, known_items):
        account.drop(reason, int((kept_rows & ~mask).sum()))
        kept_rows &= mask
    rows.keep(kept_rows)
    _drop_duplicates(rows, account)
    _drop_below_core(rows, settings, account)
    if not len(rows.times):
        raise DataError(
            f"no interaction is left after cleaning:\n{account}\nWhere a column is not what its "
            'name says: [data] time = "none", and so for event, weight and rating'
        )
    interactions = _assembled(rows)
    account.users, account.items = len(interactions.user_ids), len(interactions.item_ids)
    return interactions, account


def _read(
    table: "pa.Table",
    columns: InteractionColumns,
    settings: DataSettings,
    account: CleaningAccount,
) -> _Rows:
    """Typed columns of the table; what cannot be read is NaN or code -1."""
    count = table.num_rows
    if columns.time is None:
        account.note("no time column: the order of rows is taken as the order of events")
        moments = np.arange(count, dtype=np.float64)
    else:
        moments, note = times(table, columns.time)
        account.note(note)
    account.note(_on_low_ratings(table, columns.rating, settings))
    weight, unweighed = np.ones(count), 0
    if columns.weight is not None:
        weight, unweighed = weights(table, columns.weight)
    if unweighed:
        account.note(
            f"{unweighed:,} rows have no value in {columns.weight!r} and weigh 1; if it is no "
            'weight of events, set [data] weight = "none"'
        )
    users, items = encode_ids(table, columns.user), encode_ids(table, columns.item)
    return _Rows(users, items, moments, weight, _events(table, columns.event, settings, account))


def _events(
    table: "pa.Table", column: str | None, settings: DataSettings, account: CleaningAccount
) -> Codes:
    """Behaviour types of the rows; a missing one is the empty name."""
    if column is None:
        if settings.event_weights:
            raise DataError(
                "[data.event_weights] is set, but there is no event column; name it: event = ..."
            )
        return Codes(np.zeros(table.num_rows, dtype=np.int64), [""])
    events = encode_ids(table, column)
    if len(events.ids) > MAX_EVENT_TYPES:
        raise DataError(
            f"column {column!r} has {len(events.ids):,} behaviour types, over {MAX_EVENT_TYPES:,}; "
            'name the right one: [data] event = "..." ("none" where there is none)'
        )
    for name in sorted(settings.event_weights.keys() - set(events.ids)):
        account.note(f"[data.event_weights] names {name!r}, which no row of {column!r} holds")
    missing = events.values < 0
    if missing.any():
        events = Codes(np.where(missing, len(events.ids), events.values), [*events.ids, ""])
    return events


def _checks(
    table: "pa.Table",
    columns: InteractionColumns,
    rows: _Rows,
    settings: DataSettings,
    known_items: frozenset[str] | None,
) -> list[tuple[str, Mask]]:
    """Reasons to drop a row, each with a mask of the rows that pass."""
    usable_user, usable_item = rows.users.usable(), rows.items.usable()
    per_event = np.array([settings.event_weights.get(name, 1.0) for name in rows.events.ids])
    checks = [
        ("missing user id", rows.users.values >= 0),
        ("missing item id", rows.items.values >= 0),
        ("unusable user id (control character or surrogate)", usable_user),
        ("unusable item id (control character or surrogate)", usable_item),
        *_times_that_count(table, columns.time, rows.times),
        ("bad weight (not a number, infinite or negative)",
         np.isfinite(rows.weights) & (rows.weights >= 0)),
    ]  # fmt: skip
    with np.errstate(over="ignore", under="ignore"):
        product = rows.weights * per_event[rows.events.values]
        rows.weights = product.astype(np.float32).astype(np.float64)
    # A weight too large for float32 is infinite here; one too small is 0.
    checks.append(("weight 0", rows.weights != 0))
    checks.append(("bad weight (too large)", ~np.isinf(rows.weights)))
    if settings.min_rating > 0:
        if columns.rating is None:
            raise DataError(
                "[data] min_rating is set, but there is no rating column; name it: rating = ..."
            )
        rated = numbers(table, columns.rating)
        checks.append(
            (f"rating below {settings.min_rating:g}, or none", rated >= settings.min_rating)
        )
    if known_items is not None and settings.known_items_only:
        known = np.array([item in known_items for item in rows.items.ids] + [False])
        checks.append(("item not in the items table", known[rows.items.values]))
    return checks


def _times_that_count(
    table: "pa.Table", column: str | None, moments: NDArray[np.float64]
) -> list[tuple[str, Mask]]:
    """Reasons to drop a row for its time, with the first such value that the column holds."""
    checks = [
        ("bad time", "(no number, no date, or before 1970)", np.isfinite(moments)),
        ("stray time", "(far from all others)", ~stray_times(moments)),
    ]
    return [(_with_example(table, column, reason, why, mask), mask) for reason, why, mask in checks]


def _with_example(table: "pa.Table", column: str | None, reason: str, why: str, mask: Mask) -> str:
    """The reason, with the first value of the column that does not pass."""
    bad = np.flatnonzero(~mask)
    if column is None or not len(bad):
        return reason
    text = as_text(table, column).take(arrow().array(bad)).drop_null()
    example = f' such as "{text[0].as_py()[:MAX_EXAMPLE]}"' if len(text) else ""
    return f"{reason} in {column!r}{example} {why}"


def _on_low_ratings(table: "pa.Table", column: str | None, settings: DataSettings) -> str:
    """How many events count as liked although they were rated low, empty where none does."""
    if column is None or settings.min_rating > 0:
        return ""
    try:
        rated = numbers(table, column)
    except DataError:  # no numbers, and nobody asked for any
        return ""
    rated = rated[np.isfinite(rated)]
    if not len(rated):
        return ""
    middle = (rated.min() + rated.max()) / 2
    low = int((rated < middle).sum())
    if not low:
        return ""
    return (
        f"{low:,} rows ({low / table.num_rows:.0%}) are rated below {middle:g} in {column!r} and "
        "count as any other; [data] min_rating drops low ones"
    )


def _drop_duplicates(rows: _Rows, account: CleaningAccount) -> None:
    """Keep the first of rows with equal user, item, time and event."""
    keys = (rows.events.values, rows.times, rows.items.values, rows.users.values)
    order = np.lexsort(keys)
    same = np.ones(max(0, len(order) - 1), dtype=bool)
    for key in keys:
        same &= key[order][1:] == key[order][:-1]
    mask = np.ones(len(order), dtype=bool)
    mask[order[1:][same]] = False
    account.drop("exact duplicate", int((~mask).sum()))
    rows.keep(mask)


def _drop_below_core(rows: _Rows, settings: DataSettings, account: CleaningAccount) -> None:
    """Drop users and items with too few interactions until all that are left have enough."""
    limits = ((rows.users, settings.user_core), (rows.items, settings.item_core))
    before = len(rows.times)
    while len(rows.times):
        mask = np.ones(len(rows.times), dtype=bool)
        for codes, core in limits:
            mask &= np.bincount(codes.values)[codes.values] >= core
        if mask.all():
            break
        rows.keep(mask)
    reason = f"core: users below {settings.user_core} or items below {settings.item_core}"
    account.drop(reason, before - len(rows.times))


def _assembled(rows: _Rows) -> Interactions:
    """Dense codes in order of first appearance, rows sorted by user and time."""
    users, user_ids = rows.users.dense()
    items, item_ids = rows.items.dense()
    events, names = rows.events.dense()
    order = np.lexsort((rows.times, users))
    return Interactions(
        user_ids,
        item_ids,
        users[order].astype(np.int32),
        items[order].astype(np.int32),
        rows.times[order],
        rows.weights[order].astype(np.float32),
        events[order].astype(np.int16),
        names,
    )
