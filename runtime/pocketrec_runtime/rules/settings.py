"""What an app may ask of an answer beyond the model's order, as values checked when made."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pocketrec_runtime.errors import InputError
from pocketrec_runtime.packed import ColumnValue

Attributes = Mapping[str, Collection[ColumnValue]]
"""Column -> values; an item matches where it has one of them in one of the columns."""


@dataclass(frozen=True)
class Deny:
    """Items that never stand in an answer, whatever filters, pins and boosts say.

    Attributes:
        ids: Item ids; those that the catalogue does not hold deny nothing.
        attributes: Column -> values; an item with any of them is denied. The columns must exist:
            a misspelt column is refused and denies nobody by accident.
    """

    ids: Collection[str] = frozenset()
    attributes: Attributes = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", _checked_ids("deny.ids", self.ids))
        object.__setattr__(self, "attributes", _checked_attributes("deny", self.attributes))


@dataclass(frozen=True)
class Pin:
    """One item at one place, where it may be recommended at all.

    A pin moves an item; it does not bring back one that is denied, filtered out, seen, shown too
    often, or beyond a cap.

    Attributes:
        item: Its id.
        position: 1 is the top. Beyond k it has no effect; in a shorter answer the item stands as
            far down as the answer reaches.
    """

    item: str
    position: int

    def __post_init__(self) -> None:
        _check_id("pin.item", self.item)
        _check_count("pin.position", self.position, low=1)


@dataclass(frozen=True)
class Boost:
    """Raises or lowers items by a factor on their odds.

    The factor acts on the calibrated odds, so it means the same for every model: score +
    ln(factor) / slope. In a popularity answer it multiplies the share. The answer still reports
    the model's own score and probability.

    Attributes:
        factor: Above 1 raises, below 1 lowers; positive. Factors of several boosts multiply.
        ids: Items.
        attributes: Column -> values; every item with any of them.
    """

    factor: float
    ids: Collection[str] = frozenset()
    attributes: Attributes = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_number("boost.factor", self.factor, low=0.0, open_low=True)
        object.__setattr__(self, "ids", _checked_ids("boost.ids", self.ids))
        object.__setattr__(self, "attributes", _checked_attributes("boost", self.attributes))
        if not self.ids and not self.attributes:
            raise InputError("boost matches no item; give ids or attributes")


@dataclass(frozen=True)
class Cap:
    """At most so many items of each value of a column; never broken, not by a pin either.

    Attributes:
        column: A catalogue column; items without a value are not counted.
        most: Items per value, at least 1.
    """

    column: str
    most: int

    def __post_init__(self) -> None:
        _check_column("cap.column", self.column)
        _check_count("cap.most", self.most, low=1)


@dataclass(frozen=True)
class Quota:
    """At least and at most so many items of one value of a column.

    The least is met wherever enough such items may be recommended and no cap forbids them; the
    places that it needs are taken at the end of the answer, unless the items stand higher
    anyway. Quotas on values that share items are met greedily.

    Attributes:
        column: A catalogue column.
        value: One of its values.
        least: Items at least, 0 is no lower bound.
        most: Items at most; None is no upper bound.
    """

    column: str
    value: ColumnValue
    least: int = 0
    most: int | None = None

    def __post_init__(self) -> None:
        _check_column("quota.column", self.column)
        _check_value("quota.value", self.value)
        _check_count("quota.least", self.least, low=0)
        if self.most is not None:
            _check_count("quota.most", self.most, low=0)
            if self.most < self.least:
                raise InputError(
                    f"quota of {self.value!r}: most {self.most} is below least {self.least}"
                )
        if self.least == 0 and self.most is None:
            raise InputError(f"quota of {self.value!r} asks for nothing; give least or most")


@dataclass(frozen=True)
class Diversity:
    """Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998).

    The next item is the one of highest (1 - strength) * relevance - strength * similarity to the
    nearest item already placed. Relevance is the boosted score, scaled so that the pool spans 0
    to 1.

    Attributes:
        strength: 0 is the order of scores, 1 ignores it.
        column: Similarity is the overlap of this column's values (Jaccard); None is the cosine
            of the item vectors.
    """

    strength: float = 0.3
    column: str | None = None

    def __post_init__(self) -> None:
        _check_number("diversity.strength", self.strength, low=0.0, high=1.0)
        if self.column is not None:
            _check_column("diversity.column", self.column)


@dataclass(frozen=True)
class CalibratedShares:
    """Calibrated recommendations (Steck, RecSys 2018): the answer mirrors the user's shares.

    The next item is the one of highest (1 - strength) * relevance - strength * KL(p || q), where
    p are the shares of the column's values in the user's history, and q those of the answer so
    far with the item, smoothed by 1% of p. An item of several values counts in equal parts.

    Attributes:
        column: A catalogue column.
        strength: 0 is the order of scores, 1 the shares alone.
        target: Value -> weight, instead of the history's shares; scaled to sum to 1.
    """

    column: str
    strength: float = 0.5
    target: Mapping[str | int | float, float] | None = None

    def __post_init__(self) -> None:
        _check_column("calibration.column", self.column)
        _check_number("calibration.strength", self.strength, low=0.0, high=1.0)
        if self.target is None:
            return
        for value, weight in self.target.items():
            _check_value("calibration.target", value)
            _check_number(f"calibration.target of {value!r}", weight, low=0.0)
        if sum(self.target.values()) <= 0:
            raise InputError("calibration.target has no positive weight; leave it out or give one")
        object.__setattr__(self, "target", MappingProxyType(dict(self.target)))


@dataclass(frozen=True)
class ExposureLimit:
    """Leaves out an item that this user was shown so often within a period.

    Attributes:
        times: Shown that often, the item is left out.
        period_s: Length of the period before now, in seconds.
    """

    times: int = 3
    period_s: float = 86_400.0

    def __post_init__(self) -> None:
        _check_count("exposure.times", self.times, low=1)
        _check_number("exposure.period_s", self.period_s, low=0.0, open_low=True)


# Compared and hashed by identity, so that what it means for a catalogue is worked out once.
@dataclass(frozen=True, eq=False)
class Rules:
    """Everything that happens to an answer after the model ranked. Keep one object and reuse it.

    Attributes:
        deny: Items that never stand in an answer.
        pins: Items at places; no item and no place twice.
        boosts: Factors on odds.
        caps: Upper bounds per value of a column.
        quotas: Bounds for single values.
        diversity: Maximal marginal relevance; None is off.
        calibration: Calibrated shares of a column; None is off.
        exposure: Limit of repeated showing; None is off.
        pool_factor: Diversity and calibration choose among the k * pool_factor best items that
            may be recommended.
    """

    deny: Deny = field(default_factory=Deny)
    pins: tuple[Pin, ...] = ()
    boosts: tuple[Boost, ...] = ()
    caps: tuple[Cap, ...] = ()
    quotas: tuple[Quota, ...] = ()
    diversity: Diversity | None = None
    calibration: CalibratedShares | None = None
    exposure: ExposureLimit | None = None
    pool_factor: int = 10

    def __post_init__(self) -> None:
        for name in ("pins", "boosts", "caps", "quotas"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        _check_count("pool_factor", self.pool_factor, low=1)
        _check_unique("pin position", [pin.position for pin in self.pins])
        _check_unique("pinned item", [pin.item for pin in self.pins])
        _check_unique("capped column", [cap.column for cap in self.caps])
        _check_unique("quota", [(quota.column, quota.value) for quota in self.quotas])


@dataclass(frozen=True)
class RuleContext:
    """What rules may know of the user and the moment; passed in, nothing is read or kept.

    Attributes:
        history: Indices of the user's items, for calibrated shares; `Engine.recommend` fills it.
        shown: Item id -> times, in seconds, at which the user was shown it.
        now_s: The present, on the clock of `shown`; needed by an exposure limit.
    """

    history: tuple[int, ...] = ()
    shown: Mapping[str, Collection[float]] = field(default_factory=dict)
    now_s: float | None = None

    def __post_init__(self) -> None:
        if self.now_s is not None and not math.isfinite(self.now_s):
            raise InputError(f"now_s is {self.now_s}; give seconds as a finite number")


def _checked_ids(name: str, ids: Collection[str]) -> frozenset[str]:
    if isinstance(ids, str | bytes) or not isinstance(ids, Collection):
        raise InputError(f"{name} is {ids!r}, a {type(ids).__name__}; give a list of item ids")
    for item_id in ids:
        _check_id(name, item_id)
    return frozenset(ids)


def _check_id(name: str, item_id: object) -> None:
    if not isinstance(item_id, str) or not item_id:
        raise InputError(f"{name} holds {item_id!r}; item ids are non-empty strings")


def _checked_attributes(name: str, attributes: Attributes) -> Attributes:
    checked = {}
    for column, values in attributes.items():
        _check_column(f"{name}.attributes", column)
        if isinstance(values, str | bytes) or not isinstance(values, Collection):
            raise InputError(
                f"{name}.attributes {column!r} is {values!r}; give a list of values: [{values!r}]"
            )
        for value in values:
            _check_value(f"{name}.attributes {column!r}", value)
        checked[column] = frozenset(values)
    return MappingProxyType(checked)


def _check_column(name: str, column: object) -> None:
    if not isinstance(column, str) or not column:
        raise InputError(f"{name} is {column!r}; give the name of a catalogue column")


def _check_value(name: str, value: object) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    finite = number and math.isfinite(value)  # type: ignore[arg-type]
    if not (value is None or isinstance(value, str) or finite):
        raise InputError(f"{name} holds {value!r}; values are strings, finite numbers or None")


def _check_count(name: str, count: object, *, low: int) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < low:
        raise InputError(f"{name} is {count!r}; give an integer of at least {low}")


def _check_number(
    name: str, value: object, *, low: float, high: float = math.inf, open_low: bool = False
) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value):  # type: ignore[arg-type]
        raise InputError(f"{name} is {value!r}; give a finite number")
    if not low <= value <= high or (open_low and value == low):  # type: ignore[operator]
        bounds = f"above {low:g}" if open_low else f"from {low:g} to {high:g}"
        raise InputError(f"{name} is {value!r}; give a number {bounds}")


def _check_unique(name: str, values: list[object]) -> None:
    for place, value in enumerate(values):
        if value in values[:place]:
            raise InputError(f"{name} {value!r} is given twice; give it once")
