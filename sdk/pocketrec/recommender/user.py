"""One user of a recommender: what they did goes in, what they may like comes out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pocketrec.events import Event
from pocketrec.events.event import check_text
from pocketrec.recommender.history import UserHistory, history_of
from pocketrec_runtime import Explanation, Recommendation, RuleContext, Rules, Scores
from pocketrec_runtime.lookup import Filters

if TYPE_CHECKING:
    from pocketrec.recommender.core import Core
    from pocketrec.recommender.histories import ReadHistory


class User:
    """One user, by the app's own name for them. Holds nothing: all of it stands in the store.

    Args:
        core: The recommender's own.
        user_id: The name.

    Raises:
        InputError: The name is no storable text, see `Event`.
    """

    def __init__(self, core: "Core", user_id: str) -> None:
        check_text("user", user_id)
        self._core = core
        self._id = user_id

    @property
    def id(self) -> str:
        """The user's name."""
        return self._id

    @property
    def history(self) -> UserHistory:
        """What the user's events come to: items taken and items not wanted."""
        return self._core.history(self._id).history

    def record(self, item: str, event: str = "click", time_s: float | None = None) -> Event:
        """Keeps one event; the next answer knows it, and it outlives the process from now on.

        Args:
            item: The item's id; the catalogue need not hold it.
            event: What happened, see `EventKinds`.
            time_s: When, in seconds since 1970; None is now.

        Raises:
            InputError: A value cannot be stored, see `Event`.
            EventStoreError: It was not kept.
        """
        return self._core.store.record(self._id, item, event, time_s)

    def recommend(
        self,
        k: int = 10,
        *,
        filters: Filters | None = None,
        rules: Rules | None = None,
        include_seen: bool = False,
        deadline_ms: float | None = None,
    ) -> Recommendation:
        """The k best items for the user; `source` and `reason` say where they come from.

        Args:
            k: How many items, at least 1.
            filters: Column -> allowed values; items must pass all.
            rules: Deny lists, pins, caps, diversity and more, see docs/rules.md. Exposure limits
                count the impressions on record.
            include_seen: Whether items of the history may stand in the answer; disliked ones
                never do.
            deadline_ms: How long a server may be asked to improve the device's answer, where the
                recommender has a fallback. None, rules and `include_seen` ask the device alone.

        Raises:
            InputError: k, the deadline or a column is out of bounds.
            EventStoreError: The store cannot be read.
        """
        deadline = self._core.deadline(deadline_ms)
        view = self._core.view(self._id)
        read = view.read
        exclude = read.disliked if include_seen else read.disliked | frozenset(read.known)
        answer = read.engine.rank(
            view.vector,
            k,
            exclude=exclude,
            filters=filters,
            unknown=read.unknown,
            rules=rules,
            context=None if rules is None else self._context(read),
        )
        if deadline is None or rules is not None or include_seen:
            return answer
        return self._core.improved(view, k, answer, deadline, filters)

    def score(self, candidates: Sequence[str]) -> Scores:
        """Scores of candidates for the user, in the order given, on the scale of `recommend`.

        Raises:
            InputError: A candidate is no string.
            EventStoreError: The store cannot be read.
        """
        view = self._core.view(self._id)
        read = view.read
        return read.engine.score_candidates(view.vector, candidates, unknown=read.unknown)

    def explain(self, item: str, *, top: int = 3) -> Explanation:
        """Which items of the user's history drove a recommendation; see docs/explanations.md.

        Args:
            item: The id to explain.
            top: How many events to name at most.

        Raises:
            InputError: The catalogue does not hold the item, or top is below 0.
            EventStoreError: The store cannot be read.
        """
        read = self._core.history(self._id)
        return read.engine.explain(read.history.items, item, top=top)

    def reset_adaptation(self) -> None:
        """Drops what was learned of the user beside the model; learning starts from now.

        The history stays; `erase` removes that. Nothing happens without `adaptation`.

        Raises:
            StateError: It could not be written; it holds until the process ends.
            EventStoreError: The store cannot be read.
        """
        self._core.reset_adaptation(self._id)

    def export(self) -> dict[str, Any]:
        """All that is kept of the user, as JSON values: every event, and what they come to.

        Raises:
            EventStoreError: The store cannot be read.
        """
        events = self._core.store.events(self._id)
        history = history_of(events, self._core.kinds)
        return {
            "schema": "pocketrec.user/1",
            "user": self._id,
            "events": [
                {"sequence": e.sequence, "item": e.item, "event": e.event, "time_s": e.time_s}
                for e in events
            ],
            "history": list(history.items),
            "disliked": sorted(history.disliked),
        }

    def erase(self) -> int:
        """Removes all that is kept of the user, byte by byte; gives the number of events.

        Events, KV state, cached vector, copies in SQLite's log and free pages. Other processes
        forget what they hold in memory before they answer or write again.

        Raises:
            EventStoreError, StateError: Something may be left; call it again, it goes on.
        """
        return self._core.erase(self._id)

    def _context(self, read: "ReadHistory") -> RuleContext:
        return RuleContext(history=read.known, shown=read.history.shown, now_s=self._core.clock())
