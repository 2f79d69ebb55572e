"""What a device asks."""

from dataclasses import dataclass
from typing import Any, Self

from pocketrec.wire.names import (
    MAX_CANDIDATES,
    MAX_K,
    MAX_REQUEST_BYTES,
    MAX_TIMEOUT_MS,
    TIMEOUT_HEADER,
)
from pocketrec.wire.reading import WireError, as_object, check_ids, parsed, shown, written


@dataclass(frozen=True)
class RecommendRequest:
    """What the best items are asked for.

    Attributes:
        history: Item ids, oldest first; an item may stand in it more than once.
        k: How many items, 1 to MAX_K.
        deny: Item ids that may not be recommended, each once.
    """

    history: tuple[str, ...]
    k: int
    deny: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_ids(self.history, "history")
        check_ids(self.deny, "deny", unique=True)
        if type(self.k) is not int or not 1 <= self.k <= MAX_K:
            raise WireError(f"k is {shown(self.k)}; give an integer from 1 to {MAX_K}")

    @classmethod
    def read(cls, body: bytes) -> Self:
        """The request that a body holds.

        Raises:
            WireError: It is too large, no JSON, or no such request.
        """
        values = _request(body, {"history", "k"}, {"deny"})
        deny = _ids(values.get("deny", []), "deny")
        return cls(_ids(values["history"], "history"), values["k"], deny)

    def body(self) -> bytes:
        """The request as JSON.

        Raises:
            WireError: It is larger than a server takes.
        """
        return written({"history": self.history, "k": self.k, "deny": self.deny}, MAX_REQUEST_BYTES)


@dataclass(frozen=True)
class ScoreRequest:
    """Whose scores are asked for.

    Attributes:
        history: As in RecommendRequest.
        candidates: Item ids, 1 to MAX_CANDIDATES, each once.
    """

    history: tuple[str, ...]
    candidates: tuple[str, ...]

    def __post_init__(self) -> None:
        check_ids(self.history, "history")
        check_ids(self.candidates, "candidates", unique=True)
        if not 1 <= len(self.candidates) <= MAX_CANDIDATES:
            raise WireError(f"{len(self.candidates)} candidates; give 1 to {MAX_CANDIDATES}")

    @classmethod
    def read(cls, body: bytes) -> Self:
        """The request that a body holds.

        Raises:
            WireError: It is too large, no JSON, or no such request.
        """
        values = _request(body, {"history", "candidates"}, set())
        return cls(_ids(values["history"], "history"), _ids(values["candidates"], "candidates"))

    def body(self) -> bytes:
        """The request as JSON.

        Raises:
            WireError: It is larger than a server takes.
        """
        return written({"history": self.history, "candidates": self.candidates}, MAX_REQUEST_BYTES)


def read_timeout_ms(header: str | None) -> int | None:
    """What TIMEOUT_HEADER says, milliseconds from 1 to MAX_TIMEOUT_MS; None where it is not there.

    Raises:
        WireError: It is no whole number of milliseconds above 0.
    """
    if header is None:
        return None
    text = header.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text)):
        raise WireError(
            f"{TIMEOUT_HEADER} is {shown(header)}; give whole milliseconds above 0", 400
        )
    return min(int(text), MAX_TIMEOUT_MS)


def _request(body: bytes, required: set[str], optional: set[str]) -> dict[str, Any]:
    values = as_object(parsed(body, MAX_REQUEST_BYTES, "request"), "request")
    if lacking := sorted(required - set(values)):
        raise WireError(f"request lacks {lacking[0]!r}")
    if odd := sorted(set(values) - required - optional):
        raise WireError(f"request has an unknown key {shown(odd[0])}")
    return values


def _ids(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise WireError(f"{name} is {shown(value)}; it must be a list of ids")
    return tuple(value)
