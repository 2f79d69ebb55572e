"""The `[data]` section: which columns, which rows, which weights."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from pocketrec_distill.checks import positive
from pocketrec_distill.errors import ConfigError

_OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "startswith", "contains")


def is_finite(value: object) -> bool:
    """Whether a value is a number, no truth value, and neither NaN nor infinite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class DropRule:
    """Rows to leave out before anything else: those whose `column` stands so to `value`.

    Attributes:
        column: Column of the interactions table.
        op: One of ==, !=, <, <=, >, >= (numbers, or text for == and !=), startswith, contains.
        value: Number or text.
    """

    column: str
    op: str
    value: str | float

    def __post_init__(self) -> None:
        if self.op not in _OPERATORS:
            raise ConfigError(
                f"[[data.drop]] op is {self.op!r}; choose one of {', '.join(_OPERATORS)}"
            )
        finite = isinstance(self.value, str) or is_finite(self.value)
        if not isinstance(self.column, str) or not finite:
            raise ConfigError(
                f"[[data.drop]] column {self.column!r} or value {self.value!r} is off"
            )
        number = not isinstance(self.value, str)
        if number == (self.op in ("startswith", "contains")) and self.op not in ("==", "!="):
            raise ConfigError(f"[[data.drop]] {self.op} does not go with value {self.value!r}")


@dataclass(frozen=True)
class DataSettings:
    """How tables are read and cleaned. An empty column name means: find it by well-known names.

    Attributes:
        format: Published format of the data, such as "movielens-1m" or "online-retail"; empty
            reads plain tables, and tells a folder's format by the names of its files.
        baskets: Events of one user at one time are one basket: leave-one-out holds out the whole
            last one. Formats that have baskets set it.
        user: Column of user ids.
        item: Column of item ids, in the interactions.
        time: Column of times or positions; without one, the order of rows is the order of events.
            This and the next three, and `title`, may be "none": no column is, whatever the names.
        event: Column of behaviour types, such as view, click, purchase.
        weight: Column of event weights; a missing one is 1.
        rating: Column of ratings; they count only with `min_rating`.
        item_id: Column of item ids, in the items table.
        title: Column of titles, in the items table.
        min_rating: Interactions rated below are dropped; 0 keeps all, as implicit feedback.
        event_weights: Weight of each behaviour type; 0 drops it; types not named weigh 1.
        user_core: Users with fewer interactions are dropped, repeatedly with `item_core`.
        item_core: Items with fewer interactions are dropped, repeatedly with `user_core`.
        known_items_only: Drop interactions with items that the items table does not have.
        encoding: Text encoding of delimited files.
        drop: Rows to leave out first.
    """

    format: str = ""
    baskets: bool = False
    user: str = ""
    item: str = ""
    time: str = ""
    event: str = ""
    weight: str = ""
    rating: str = ""
    item_id: str = ""
    title: str = ""
    min_rating: float = 0.0
    event_weights: Mapping[str, float] = field(default_factory=dict)
    user_core: int = 1
    item_core: int = 1
    known_items_only: bool = False
    encoding: str = "utf-8"
    drop: tuple[DropRule, ...] = ()

    def __post_init__(self) -> None:
        positive("data", self, "user_core", "item_core")
        if not (is_finite(self.min_rating) and self.min_rating >= 0):
            raise ConfigError(
                f"[data] min_rating is {self.min_rating}; give 0 to keep all, or more"
            )
        try:
            "a".encode(self.encoding)
        except (LookupError, ValueError) as error:
            raise ConfigError(
                f"[data] encoding is {self.encoding!r}; Python knows no such encoding of text"
            ) from error
        for event, weight in self.event_weights.items():
            if not is_finite(weight) or weight < 0:
                raise ConfigError(f"[data.event_weights] {event} is {weight!r}; give 0 or more")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "DataSettings":
        """Settings from a TOML section.

        Raises:
            ConfigError: An unknown key, or a value of the wrong type.
        """
        known = {f.name: f for f in fields(cls)}
        checked: dict[str, Any] = {}
        for key, value in values.items():
            if key not in known:
                raise ConfigError(f"[data] has no setting {key!r}; known: {', '.join(known)}")
            checked[key] = _checked(key, value)
        return cls(**checked)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as in the TOML file."""
        return asdict(self)


def _checked(key: str, value: Any) -> Any:
    """One setting's value, with its type held."""
    if key == "drop":
        if not isinstance(value, list) or not all(isinstance(rule, Mapping) for rule in value):
            raise ConfigError(f"[data] drop is {value!r}; write it as sections [[data.drop]]")
        try:
            return tuple(DropRule(**rule) for rule in value)
        except TypeError as error:
            raise ConfigError(f"[[data.drop]] takes column, op and value: {error}") from error
    kinds: dict[str, tuple[type, ...]] = {
        "min_rating": (int, float),
        "event_weights": (Mapping,),
        "user_core": (int,),
        "item_core": (int,),
        "known_items_only": (bool,),
        "baskets": (bool,),
    }
    wanted = kinds.get(key, (str,))
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        names = " or ".join(kind.__name__ for kind in wanted)
        raise ConfigError(f"[data] {key} is {value!r}; it must be of type {names}")
    return float(value) if isinstance(value, int | float) and key == "min_rating" else value
