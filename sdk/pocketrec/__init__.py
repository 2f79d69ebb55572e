"""Rank a whole catalogue on the user's own device, from the user's own history, offline.

engine = Engine.open("my.bundle")
answer = engine.recommend(["50", "181"], k=10)
"""

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

__version__ = "0.1.0"

__all__ = [
    "Boost",
    "BundleError",
    "CalibratedShares",
    "Cap",
    "Deny",
    "Diversity",
    "Engine",
    "Evidence",
    "Explanation",
    "ExposureLimit",
    "InputError",
    "MissingExtraError",
    "Pin",
    "PocketrecError",
    "Quota",
    "RankedItem",
    "Recommendation",
    "RuleContext",
    "Rules",
    "Scores",
    "StateError",
    "TextScore",
    "TextScores",
    "UserState",
    "__version__",
    "load_rules",
]
