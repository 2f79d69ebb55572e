"""What can be asked of a server, and how its answer is read against the device's own catalogue."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from pocketrec import wire

A = TypeVar("A", wire.RecommendAnswer, wire.ScoreAnswer)

Known = Callable[[str], bool]
"""Whether the device's catalogue holds an id, and may recommend it."""


@dataclass(frozen=True)
class Question(Generic[A]):
    """One question.

    Attributes:
        path: Where it is asked.
        body: What is sent, as JSON; raises wire.WireError where it is more than a server takes.
        history_items: Item ids of the user's history in it.
        other_items: Other item ids in it.
        read: The answer that a body holds; raises wire.WireError where it is none.
    """

    path: str
    body: Callable[[], bytes]
    history_items: int
    other_items: int
    read: Callable[[bytes], A]


def best_items(
    request: wire.RecommendRequest, newest: int, known: Known
) -> Question[wire.RecommendAnswer]:
    """What are the best items?

    Args:
        request: The whole history.
        newest: So many of its newest events are sent. Older items are not named: as many more
            items are asked for instead, and what the user has seen is left out here.
        known: What each item of the answer must be.
    """
    sent = request.history[-newest:]
    older = {*request.history} - {*sent}
    wanted = min(request.k + len(older), wire.MAX_K)
    asked = wire.RecommendRequest(sent, wanted, request.deny)

    def read(body: bytes) -> wire.RecommendAnswer:
        answer = wire.RecommendAnswer.read(body, asked)
        _check_known([item.item_id for item in answer.items], known)
        unseen = tuple(item for item in answer.items if item.item_id not in older)
        if not unseen:
            raise wire.WireError("answer: no items")
        return replace(answer, items=unseen[: request.k])

    return Question(wire.RECOMMEND_PATH, asked.body, len(asked.history), len(asked.deny), read)


def scores(request: wire.ScoreRequest, newest: int) -> Question[wire.ScoreAnswer]:
    """What are the scores of these candidates? Arguments as in `best_items`."""
    asked = wire.ScoreRequest(request.history[-newest:], request.candidates)

    def read(body: bytes) -> wire.ScoreAnswer:
        return wire.ScoreAnswer.read(body, asked)

    return Question(wire.SCORE_PATH, asked.body, len(asked.history), len(asked.candidates), read)


def _check_known(ids: Sequence[str], known: Known) -> None:
    for item_id in ids:
        if not known(item_id):
            raise wire.WireError(f"answer: item {ascii(item_id)[:60]} is not in the catalogue")
