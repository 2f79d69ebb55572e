"""What device and server say to each other: names, limits, and strict reading; no I/O.

    POST /v1/recommend  {"history": [id, ...], "k": int, "deny": [id, ...]}
                     -> {"model": str, "source": str, "items": [{"id": str, "score": float}, ...]}
    POST /v1/score      {"history": [id, ...], "candidates": [id, ...]}
                     -> {"model": str, "source": str, "scores": [{"id": str, "score": float}, ...]}

A reader believes nothing: types, bounds, finiteness, order and repeats are looked at before a value
leaves this module. A request with a key that is not named here is refused, since a misspelt "deny"
would otherwise recommend what it forbids; an answer may have more keys, so that a server may be
newer than the device. Any other answer than 200 is `{"error": {"code": str, "message": str}}`.
"""

from pocketrec.wire.answers import (
    ErrorAnswer,
    RecommendAnswer,
    ScoreAnswer,
    ScoredItem,
    Source,
)
from pocketrec.wire.names import (
    ERROR_CODES,
    ITEMS_PATH,
    MAX_ANSWER_BYTES,
    MAX_CANDIDATES,
    MAX_ID_BYTES,
    MAX_K,
    MAX_REQUEST_BYTES,
    MAX_TIMEOUT_MS,
    RECOMMEND_PATH,
    RETRY_AFTER_HEADER,
    SCORE_PATH,
    TIMEOUT_HEADER,
)
from pocketrec.wire.reading import (
    WireError,
)
from pocketrec.wire.requests import (
    RecommendRequest,
    ScoreRequest,
    read_timeout_ms,
)

__all__ = [
    "ERROR_CODES",
    "ITEMS_PATH",
    "MAX_ANSWER_BYTES",
    "MAX_CANDIDATES",
    "MAX_ID_BYTES",
    "MAX_K",
    "MAX_REQUEST_BYTES",
    "MAX_TIMEOUT_MS",
    "RECOMMEND_PATH",
    "RETRY_AFTER_HEADER",
    "SCORE_PATH",
    "TIMEOUT_HEADER",
    "ErrorAnswer",
    "RecommendAnswer",
    "RecommendRequest",
    "ScoreAnswer",
    "ScoreRequest",
    "ScoredItem",
    "Source",
    "WireError",
    "read_timeout_ms",
]
