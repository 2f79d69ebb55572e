"""Rules as indices and masks of one catalogue."""

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.catalogue import Catalogue
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.rules.settings import Attributes, ExposureLimit, RuleContext, Rules


@dataclass(frozen=True, eq=False)
class BoundRules:
    """What rules mean for one catalogue of n items.

    Attributes:
        rules: The rules.
        denied: (n,) True where an item never stands in an answer.
        pins: Places from 0 and item indices, top first.
        log_factors: (n,) float64, ln of the product of an item's boosts; None without boosts.
        factors: Per distinct product of boosts the mask (n,) of its items and its ln; none
            without boosts.
        unknown: Ids that the rules name and the catalogue does not hold, sorted.
    """

    rules: Rules
    denied: NDArray[np.bool_]
    pins: tuple[tuple[int, int], ...]
    log_factors: NDArray[np.float64] | None
    factors: tuple[tuple[NDArray[np.bool_], float], ...]
    unknown: tuple[str, ...]


_bound: WeakKeyDictionary[Catalogue, WeakKeyDictionary[Rules, BoundRules]] = WeakKeyDictionary()
_lock = threading.Lock()


def bind(rules: Rules, catalogue: Catalogue) -> BoundRules:
    """The rules for this catalogue, worked out once for each pair of objects.

    Raises:
        InputError: A rule names a column that the catalogue does not have.
    """
    with _lock:
        known = _bound.setdefault(catalogue, WeakKeyDictionary())
        if rules not in known:
            known[rules] = _bind(rules, catalogue)
        return known[rules]


def overexposed(
    limit: ExposureLimit, context: RuleContext, catalogue: Catalogue
) -> NDArray[np.int64]:
    """Indices of the items shown at least `limit.times` within the period before now.

    Times after now count as well: a clock that was set back shows an item less often, not more.

    Raises:
        InputError: The context says no `now_s`.
    """
    if context.now_s is None:
        raise InputError("an exposure limit needs the present: give RuleContext(now_s=...)")
    start = context.now_s - limit.period_s
    often = (
        catalogue.index_of(item_id)
        for item_id, times in context.shown.items()
        if sum(time > start for time in times) >= limit.times
    )
    return np.array([index for index in often if index is not None], np.int64)


def _bind(rules: Rules, catalogue: Catalogue) -> BoundRules:
    for column in _columns(rules):
        catalogue.postings(column)  # raises where there is no such column
    places = ((pin.position - 1, catalogue.index_of(pin.item)) for pin in rules.pins)
    named = [*rules.deny.ids, *(pin.item for pin in rules.pins)]
    named += [item_id for boost in rules.boosts for item_id in boost.ids]
    log_factors = _log_factors(rules, catalogue)
    distinct = [] if log_factors is None else np.unique(log_factors).tolist()
    return BoundRules(
        rules=rules,
        denied=_matches(catalogue, rules.deny.ids, rules.deny.attributes),
        pins=tuple(sorted((place, index) for place, index in places if index is not None)),
        log_factors=log_factors,
        factors=tuple((log_factors == value, value) for value in distinct),
        unknown=tuple(sorted({name for name in named if catalogue.index_of(name) is None})),
    )


def _columns(rules: Rules) -> Iterable[str]:
    yield from rules.deny.attributes
    for boost in rules.boosts:
        yield from boost.attributes
    yield from (cap.column for cap in rules.caps)
    yield from (quota.column for quota in rules.quotas)
    if rules.diversity is not None and rules.diversity.column is not None:
        yield rules.diversity.column
    if rules.calibration is not None:
        yield rules.calibration.column


def _matches(
    catalogue: Catalogue, ids: Collection[str], attributes: Attributes
) -> NDArray[np.bool_]:
    mask = np.zeros(len(catalogue), np.bool_)
    known = np.array(catalogue.indices_of(list(ids)), np.int64)
    mask[known[known >= 0]] = True
    for column, values in attributes.items():
        postings = catalogue.postings(column)
        for value in values:
            if (indices := postings.get(value)) is not None:
                mask[indices] = True
    return mask


def _log_factors(rules: Rules, catalogue: Catalogue) -> NDArray[np.float64] | None:
    if not rules.boosts:
        return None
    total = np.zeros(len(catalogue))
    for boost in rules.boosts:
        total[_matches(catalogue, boost.ids, boost.attributes)] += np.log(boost.factor)
    return total
