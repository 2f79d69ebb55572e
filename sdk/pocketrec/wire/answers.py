"""What a server answers."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from pocketrec.wire.names import MAX_ANSWER_BYTES, MAX_TEXT_CHARS
from pocketrec.wire.reading import WireError, as_object, check_id, parsed, shown, written
from pocketrec.wire.requests import RecommendRequest, ScoreRequest

Source = Literal["model", "popularity"]


@dataclass(frozen=True)
class ScoredItem:
    """One item of an answer: its id, and a finite score, higher is better."""

    item_id: str
    score: float


@dataclass(frozen=True)
class RecommendAnswer:
    """The best items.

    Attributes:
        model: Fingerprint of the model that answered.
        items: Best first, no repeats, none of the history or the deny list, at most k.
        source: "model", or "popularity" where the server knew nothing of the history.
    """

    model: str
    items: tuple[ScoredItem, ...]
    source: Source = "model"

    @classmethod
    def read(cls, body: bytes, request: RecommendRequest) -> Self:
        """The answer that a body holds, as an answer to this request.

        Whether the device's own catalogue holds the ids is for the device to look at.

        Raises:
            WireError: It is too large, no JSON, or no answer to the request.
        """
        values = as_object(parsed(body, MAX_ANSWER_BYTES, "answer"), "answer")
        items = _scored(values, "items")
        ids = [item.item_id for item in items]
        if len(ids) > request.k:
            raise WireError(f"answer: {len(ids)} items where {request.k} were asked for")
        if unwanted := set(ids) & {*request.history, *request.deny}:
            raise WireError(f"answer: item {shown(min(unwanted))} is of the history or denied")
        scores = [item.score for item in items]
        if any(better < worse for better, worse in itertools.pairwise(scores)):
            raise WireError("answer: items are not best first")
        return cls(_text(values, "model"), items, _source(values))

    def body(self) -> bytes:
        """The answer as JSON.

        Raises:
            WireError: It is larger than a device reads, or a score is not finite.
        """
        return _answer(self.model, self.source, "items", self.items)


@dataclass(frozen=True)
class ScoreAnswer:
    """Scores of candidates.

    Attributes:
        model: As in RecommendAnswer.
        scores: In the order asked; candidates that the server does not know are left out.
        source: As in RecommendAnswer.
    """

    model: str
    scores: tuple[ScoredItem, ...]
    source: Source = "model"

    @classmethod
    def read(cls, body: bytes, request: ScoreRequest) -> Self:
        """The answer that a body holds, as an answer to this request.

        Raises:
            WireError: It is too large, no JSON, or no answer to the request.
        """
        values = as_object(parsed(body, MAX_ANSWER_BYTES, "answer"), "answer")
        scores = _scored(values, "scores")
        asked = iter(request.candidates)
        for item in scores:
            # `in` reads the iterator on: each is found after the one before, or not at all.
            if item.item_id not in asked:
                raise WireError(
                    f"answer: {shown(item.item_id)} was not asked for, or stands out of order"
                )
        return cls(_text(values, "model"), scores, _source(values))

    def body(self) -> bytes:
        """The answer as JSON.

        Raises:
            WireError: It is larger than a device reads, or a score is not finite.
        """
        return _answer(self.model, self.source, "scores", self.scores)


@dataclass(frozen=True)
class ErrorAnswer:
    """Why there is no answer.

    Attributes:
        code: One of ERROR_CODES, or one that a newer server has.
        message: In words, for people.
    """

    code: str
    message: str

    @classmethod
    def read(cls, body: bytes) -> Self:
        """The error that a body holds.

        Raises:
            WireError: It is too large, no JSON, or no such error.
        """
        values = as_object(parsed(body, MAX_ANSWER_BYTES, "answer"), "answer")
        error = as_object(values.get("error"), "answer: error")
        return cls(_text(error, "code"), _text(error, "message"))

    def body(self) -> bytes:
        """The error as JSON; a long message is cut."""
        message = self.message[:MAX_TEXT_CHARS]
        # A message may quote what somebody sent, and that may be no text at all.
        clean = message.encode("utf-8", "replace").decode("utf-8")
        return written({"error": {"code": self.code, "message": clean}}, MAX_ANSWER_BYTES)


def _text(values: dict[str, Any], key: str) -> str:
    value = values.get(key)
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT_CHARS:
        raise WireError(
            f"answer: {key} is {shown(value)}; it must be text of 1 to {MAX_TEXT_CHARS}"
        )
    return value


def _source(values: dict[str, Any]) -> Source:
    match values.get("source", "model"):
        case "model":
            return "model"
        case "popularity":
            return "popularity"
        case odd:
            raise WireError(f"answer: source is {shown(odd)}; it must be model or popularity")


def _scored(values: dict[str, Any], key: str) -> tuple[ScoredItem, ...]:
    listed = values.get(key)
    if not isinstance(listed, list):
        raise WireError(f"answer: {key} is {shown(listed)}; it must be a list")
    items = tuple(
        _scored_item(entry, f"answer: {key}[{place}]") for place, entry in enumerate(listed)
    )
    if len({item.item_id for item in items}) != len(items):
        raise WireError(f"answer: {key} holds an item twice")
    return items


def _scored_item(entry: object, name: str) -> ScoredItem:
    values = as_object(entry, name)
    score = values.get("score")
    # The parser lets finite numbers through alone; true is an int to Python.
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise WireError(f"{name}: score is {shown(score)}; it must be a number")
    return ScoredItem(check_id(values.get("id"), f"{name}: id"), float(score))


def _answer(model: str, source: Source, key: str, items: Sequence[ScoredItem]) -> bytes:
    listed = [{"id": item.item_id, "score": item.score} for item in items]
    return written({"model": model, "source": source, key: listed}, MAX_ANSWER_BYTES)
