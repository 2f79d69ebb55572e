"""Rank a whole catalogue on the user's own device, from the user's own history, offline.

engine = Engine.open("my.bundle")
answer = engine.recommend(["50", "181"], k=10)
"""

from pocketrec_runtime import (
    Engine,
    RankedItem,
    Recommendation,
    Scores,
    TextScore,
    TextScores,
    UserState,
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
    "BundleError",
    "Engine",
    "InputError",
    "MissingExtraError",
    "PocketrecError",
    "RankedItem",
    "Recommendation",
    "Scores",
    "StateError",
    "TextScore",
    "TextScores",
    "UserState",
    "__version__",
]
