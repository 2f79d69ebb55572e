"""The device's answer, and the server's in its place where that comes in time and holds."""

from collections.abc import Sequence
from dataclasses import replace

from pocketrec import wire
from pocketrec.fallback.client import FallbackClient, NoAnswer
from pocketrec.fallback.deadline import Deadline
from pocketrec_runtime import Engine, RankedItem, Recommendation, defers

#: What is asked for scores, where filters keep the server from choosing among all items.
POOL = 100


def improve(
    client: FallbackClient,
    engine: Engine,
    history: Sequence[str],
    k: int,
    answer: Recommendation,
    deadline: Deadline,
    *,
    deny: Sequence[str] = (),
    candidates: Sequence[str] | None = None,
) -> Recommendation:
    """The server's answer where it comes in time and holds what was asked; else the device's.

    Nothing is raised whatever the server does: the reason of the answer says what happened.

    Args:
        client: Where to ask.
        engine: What answered on the device; its catalogue is what the server may recommend from.
        history: Item ids, oldest first, ids that the device does not know among them.
        k: How many items.
        answer: The device's answer to the same question, without rules and seen items.
        deadline: When the caller must have an answer.
        deny: Item ids that may not be recommended.
        candidates: Items to choose among, best first, where there are filters: the server is asked
            for their scores instead of for its own best; at most wire.MAX_CANDIDATES.

    Returns:
        `answer` with one reason more, or an answer whose source is "server", whose model is the
        server's and whose scores are the server's; probabilities stay the device's.
    """
    if client.settings.url is None:
        return answer
    if not defers(engine, history, client.settings.ask_share):
        return _kept(answer, "not asked, as it is not likely to do better here")
    try:
        found = _asked(client, engine, history, k, deadline, deny, candidates)
    except wire.WireError as error:
        # What was to be asked breaks the wire's own limits.
        return _kept(answer, str(error))
    if isinstance(found, NoAnswer):
        return _kept(answer, found.reason)
    best = found.items if isinstance(found, wire.RecommendAnswer) else _best(found, k)
    if found.source == "popularity" or len(best) < len(answer.items):
        knows = "knows nothing of this history either"
        fewer = f"has {len(best)} items, the device {len(answer.items)}"
        return _kept(answer, f"it {knows if found.source == 'popularity' else fewer}")
    return Recommendation(
        _ranked(engine, history, best),
        source="server",
        reason="ranked by the server's model within the deadline",
        model=found.model,
        unknown=answer.unknown,
    )


def _asked(
    client: FallbackClient,
    engine: Engine,
    history: Sequence[str],
    k: int,
    deadline: Deadline,
    deny: Sequence[str],
    candidates: Sequence[str] | None,
) -> wire.RecommendAnswer | wire.ScoreAnswer | NoAnswer:
    """The server's answer to the question that the device answered."""
    if candidates is not None:
        return client.score(wire.ScoreRequest(tuple(history), tuple(candidates)), deadline)
    return client.recommend(
        wire.RecommendRequest(tuple(history), k, tuple(dict.fromkeys(deny))),
        deadline,
        lambda item_id: _may_stand(engine, item_id),
    )


def _may_stand(engine: Engine, item_id: str) -> bool:
    index = engine.catalogue.index_of(item_id)
    active = engine.catalogue.active
    return index is not None and (active is None or bool(active[index]))


def _best(found: wire.ScoreAnswer, k: int) -> tuple[wire.ScoredItem, ...]:
    # Sorting is stable: among equals the device's order stays.
    return tuple(sorted(found.scores, key=lambda item: -item.score)[:k])


def _ranked(
    engine: Engine, history: Sequence[str], best: Sequence[wire.ScoredItem]
) -> tuple[RankedItem, ...]:
    """The server's items with its scores, and with titles and probabilities of the device."""
    here = engine.score(history, [item.item_id for item in best])
    return tuple(
        replace(item, score=scored.score) for item, scored in zip(here.items, best, strict=True)
    )


def _kept(answer: Recommendation, reason: str) -> Recommendation:
    return replace(answer, reason=f"{answer.reason}; server: {reason}")
