"""Rank a whole catalogue on the user's own device, from the user's own history, offline.

with Recommender.open("my.bundle", store="events") as recommender:
    user = recommender.user("ada")
    user.record("50")
    answer = user.recommend(k=10)
"""

from importlib import import_module
from typing import TYPE_CHECKING

from pocketrec_runtime import (
    Boost,
    CalibratedShares,
    Cap,
    Deny,
    Diversity,
    Engine,
    Evidence,
    Explanation,
    ExposureLimit,
    NewItem,
    Pin,
    Quota,
    RankedItem,
    Recommendation,
    RuleContext,
    Rules,
    Scores,
    TextScore,
    TextScores,
    UserState,
    load_rules,
)
from pocketrec_runtime.errors import (
    BundleError,
    InputError,
    MissingExtraError,
    PocketrecError,
    StateError,
)

if TYPE_CHECKING:
    from pocketrec.errors import EventStoreError
    from pocketrec.events import Event, EventStoreSettings
    from pocketrec.fallback import FallbackSettings
    from pocketrec.recommender import EventKinds, Recommender, User
    from pocketrec.recommender.asynchronous import AsyncRecommender

__version__ = "0.1.0"

#: Loaded when they are asked for: an engine alone needs neither SQLite nor sockets nor asyncio.
_LAZY = {
    "AsyncRecommender": "pocketrec.recommender.asynchronous",
    "Event": "pocketrec.events",
    "EventKinds": "pocketrec.recommender",
    "EventStoreError": "pocketrec.errors",
    "EventStoreSettings": "pocketrec.events",
    "FallbackSettings": "pocketrec.fallback",
    "Recommender": "pocketrec.recommender",
    "User": "pocketrec.recommender",
}

__all__ = [
    "AsyncRecommender",
    "Boost",
    "BundleError",
    "CalibratedShares",
    "Cap",
    "Deny",
    "Diversity",
    "Engine",
    "Event",
    "EventKinds",
    "EventStoreError",
    "EventStoreSettings",
    "Evidence",
    "Explanation",
    "ExposureLimit",
    "FallbackSettings",
    "InputError",
    "MissingExtraError",
    "NewItem",
    "Pin",
    "PocketrecError",
    "Quota",
    "RankedItem",
    "Recommendation",
    "Recommender",
    "RuleContext",
    "Rules",
    "Scores",
    "StateError",
    "TextScore",
    "TextScores",
    "User",
    "UserState",
    "__version__",
    "load_rules",
]


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
