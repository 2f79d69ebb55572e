"""Learning of one user on the device: what the model did not foresee, event by event."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.adaptation.offset import UserOffset
from pocketrec_runtime.adaptation.settings import AdaptationSettings
from pocketrec_runtime.history import context_events
from pocketrec_runtime.lookup import checked_history
from pocketrec_runtime.prefill import MAX_BATCH

if TYPE_CHECKING:
    from pocketrec_runtime.engine import Engine


@dataclass(frozen=True, eq=False)
class Learned:
    """What was learned of one user, and from what.

    Attributes:
        offset: What was learned.
        events: Events of the history that were looked at.
        digest: SHA-256 of those events' item indices, 32 bytes: of another history nothing is kept.
        model: `Engine.fingerprint` of the model that was learned beside.
    """

    offset: UserOffset
    events: int
    digest: bytes
    model: str


class Learner:
    """Learns from events beside a frozen model. Safe to share among threads.

    Before each event the model said how likely every unseen item was to come next. The residual is
    the item that came less the mean item that was expected,

        r = v_item - sum_i p_i v_i,    p = softmax(scores of the best unseen items),

    the gradient of the event's log-likelihood for an offset of the user vector. The offset is one
    shrunken, bounded step along the mean residual (see `UserOffset`). The model stays as it is,
    and the adapted vector goes through the same exact scan.

    Args:
        engine: The model.
        settings: How much is learned; None for the defaults.
    """

    def __init__(self, engine: "Engine", settings: AdaptationSettings | None = None) -> None:
        self._engine = engine
        self._settings = AdaptationSettings() if settings is None else settings

    @property
    def settings(self) -> AdaptationSettings:
        """How much is learned."""
        return self._settings

    def residual(
        self, vector: NDArray[np.float32], item: int, seen: Collection[int]
    ) -> NDArray[np.float64]:
        """What a model did not foresee of an event, float64 (width,).

        Args:
            vector: User vector before the event, (width,).
            item: Index of the item that came; none of `seen`.
            seen: Item indices of the history, which were no candidates.

        Raises:
            InputError: The vector or an index is out of bounds.
        """
        engine = self._engine
        best, _ = engine.top_k(vector, self._settings.candidates, exclude=seen)
        candidates = np.union1d(best, [item])
        scores = engine.scan.scores(vector, candidates).astype(np.float64)
        shares = np.exp(scores - scores.max())
        vectors = engine.catalogue.vectors_of(candidates).astype(np.float64)
        came = vectors[np.searchsorted(candidates, item)]
        expected = shares @ vectors / shares.sum()
        residual: NDArray[np.float64] = came - expected
        return residual

    def follow(self, learned: Learned | None, history: Sequence[int]) -> Learned:
        """What is learned after a history, going on from what was learned of its beginning.

        Events whose item stood in the history before teach nothing: seen items are no candidates.
        Of events that were not looked at the newest `max_events` are. Where `learned` is of
        another history or model, it starts anew.

        Args:
            learned: What was learned so far, None for nothing.
            history: Item indices, oldest first, at least one.

        Raises:
            InputError: As `Engine.prefill`.
        """
        items = checked_history(history, len(self._engine.catalogue))
        offset, first = UserOffset.none(self._engine.catalogue.width), 1
        if learned is not None and self._goes_on(learned, items):
            if learned.events == len(items):
                return learned
            offset, first = learned.offset, learned.events
        for place, vector in self._vectors_before(items, first):
            residual = self.residual(vector, items[place], frozenset(items[:place]))
            offset = offset.after(residual)
        return Learned(offset, len(items), _digest(items), self._engine.fingerprint)

    def blank(self, history: Sequence[int]) -> Learned:
        """Nothing learned, with a history looked at: `follow` goes on with what comes after it.

        Raises:
            InputError: As `Engine.prefill`.
        """
        items = checked_history(history, len(self._engine.catalogue))
        none = UserOffset.none(self._engine.catalogue.width)
        return Learned(none, len(items), _digest(items), self._engine.fingerprint)

    def adapted(self, vector: NDArray[np.float32], learned: Learned | None) -> NDArray[np.float32]:
        """A user vector with what was learned, float32 (width,)."""
        return vector if learned is None else learned.offset.applied(vector, self._settings)

    def _goes_on(self, learned: Learned, items: list[int]) -> bool:
        return (
            learned.model == self._engine.fingerprint
            and 0 < learned.events <= len(items)
            and learned.digest == _digest(items[: learned.events])
        )

    def _vectors_before(
        self, items: list[int], first: int
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Place of each new event whose item is new, and the user vector before it."""
        start = max(1, first, len(items) - self._settings.max_events)
        firsts = {item: place for place, item in reversed(list(enumerate(items)))}
        places = [place for place in range(start, len(items)) if firsts[items[place]] == place]
        window = self._engine.window
        for at in range(0, len(places), MAX_BATCH):
            part = places[at : at + MAX_BATCH]
            contexts = [items[place - context_events(place, window) : place] for place in part]
            read = self._engine.prefill_many(contexts)
            yield from zip(part, (vector for _, vector in read), strict=True)


def _digest(items: Sequence[int]) -> bytes:
    return hashlib.sha256(np.array(items, "<i4").tobytes()).digest()
