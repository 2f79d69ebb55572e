"""Which events of a history drove a recommendation: what changes when each is left out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.answers import AnswerSource, answer_source
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.lookup import resolve
from pocketrec_runtime.text_scoring import average_item

if TYPE_CHECKING:
    from pocketrec_runtime.engine import Engine


@dataclass(frozen=True)
class Evidence:
    """One event of a history, and what the explained item loses without it.

    Attributes:
        position: Place in the history that was given, 0 is the oldest.
        item_id: The event's item.
        title: Its title in the catalogue, or None.
        score_drop: Score with the event less score without it; below 0 it speaks against the item.
        rank_drop: Places that the item falls without the event; below 0 it rises.
    """

    position: int
    item_id: str
    title: str | None
    score_drop: float
    rank_drop: int


@dataclass(frozen=True)
class Explanation:
    """Why an item stands where it stands.

    Attributes:
        item_id: The explained item.
        title: Its title in the catalogue, or None.
        score: Its score for the history.
        rank: Its place among the catalogue's items outside the history, 1 is best.
        because: The events that carry it most, one after the other: the first is the event that
            it loses most places without; the second the one that it then loses most without, with
            the first gone; and so on. Two events that say the same so do not hide each other.
        events: Every event of the window, oldest first, each left out alone.
        source: "device", or "popularity" where the history holds nothing known: then there are no
            events, and the score is the popularity share.
        reason: Why this source, in words.
        model: Fingerprint of the model.
        unknown: Ids of the history that the catalogue does not hold, each once.
    """

    item_id: str
    title: str | None
    score: float
    rank: int
    because: tuple[Evidence, ...]
    events: tuple[Evidence, ...]
    source: AnswerSource
    reason: str
    model: str
    unknown: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The explanation as JSON values."""
        return asdict(self)


def explain(engine: "Engine", history: Sequence[str], item_id: str, *, top: int) -> Explanation:
    """As `Engine.explain`."""
    catalogue = engine.catalogue
    known, unknown = resolve(catalogue, history, "history")
    item = catalogue.index_of(item_id)
    if item is None or (catalogue.active is not None and not catalogue.active[item]):
        raise InputError(f"item {item_id!r} is not in the catalogue; nothing can be said of it")
    if top < 0:
        raise InputError(f"top is {top}; give 0 or more events to name")
    title = cast("str | None", catalogue.columns["title"][item])
    source, reason = answer_source(bool(known), unknown)
    if not known:
        shares = catalogue.popularity
        score, rank = float(shares[item]), _popularity_rank(engine, item)
        origin = (source, reason, engine.fingerprint, unknown)
        return Explanation(item_id, title, score, rank, (), (), *origin)
    missing = frozenset(unknown)
    places = [place for place, given in enumerate(history) if given not in missing]
    search = _Search(engine, item, known, places)
    events = search.alone()
    return Explanation(
        item_id,
        title,
        search.score,
        search.rank,
        search.named(events, top),
        events,
        source,
        reason,
        engine.fingerprint,
        unknown,
    )


class _Search:
    """One item's score and rank, as events of one history are left out."""

    def __init__(
        self, engine: "Engine", item: int, known: Sequence[int], places: Sequence[int]
    ) -> None:
        self._engine, self._item = engine, item
        self._known, self._places = list(known), list(places)
        # The same rivals throughout: an event that is left out does not become one.
        self._rivals_not = frozenset(known) - {item}
        scores, ranks = self._measured(engine.prefill(known)[1][None])
        self.score, self.rank = float(scores[0]), int(ranks[0])

    def alone(self) -> tuple[Evidence, ...]:
        """Each event of the window, left out alone."""
        return self._without_each(self._known, self._places, self.score, self.rank)

    def named(self, alone: tuple[Evidence, ...], top: int) -> tuple[Evidence, ...]:
        """At most `top` events that carry the item, each with those before it gone."""
        known, places = list(self._known), list(self._places)
        score, rank, named = self.score, self.rank, list[Evidence]()
        left = alone
        while left and len(named) < top:
            best = max(left, key=lambda event: (event.rank_drop, event.score_drop))
            if best.rank_drop < 0 or (best.rank_drop == 0 and best.score_drop <= 0):
                break
            named.append(best)
            at = places.index(best.position)
            del known[at], places[at]
            score, rank = score - best.score_drop, rank + best.rank_drop
            left = self._without_each(known, places, score, rank) if len(named) < top else ()
        return tuple(named)

    def _without_each(
        self, known: Sequence[int], places: Sequence[int], score: float, rank: int
    ) -> tuple[Evidence, ...]:
        if not known:
            return ()
        engine = self._engine
        if len(known) > 1:
            vectors = engine.reader.without_each(known)
        else:
            # Nothing left to read: as text scoring, for a reader of the average item.
            vectors = engine.user_vector(average_item(engine)[None])[None]
        scores, ranks = self._measured(vectors)
        titles = engine.catalogue.columns["title"]
        newest = slice(-len(vectors), None)
        return tuple(
            Evidence(
                place,
                engine.catalogue.ids[index],
                cast("str | None", titles[index]),
                score - without,
                worse - rank,
            )
            for place, index, without, worse in zip(
                places[newest], known[newest], scores.tolist(), ranks.tolist(), strict=True
            )
        )

    def _measured(
        self, vectors: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        scan, item = self._engine.scan, np.array([self._item])
        scores = np.array([scan.scores(vector, item)[0] for vector in vectors], np.float32)
        return scores, scan.ranks(vectors, self._item, self._rivals_not)


def _popularity_rank(engine: "Engine", item: int) -> int:
    shares = engine.catalogue.popularity
    rivals = engine.catalogue.allowed(np.ones(len(shares), np.bool_))
    own, indices = shares[item], np.arange(len(shares))
    before = (shares > own) | ((shares == own) & (indices < item))
    return 1 + int((before if rivals is None else before & rivals).sum())
