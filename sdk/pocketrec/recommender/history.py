"""What a user's events say: which items the model reads, and which are not wanted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pocketrec.events import Event
from pocketrec.events.event import check_text
from pocketrec_runtime.errors import InputError


@dataclass(frozen=True)
class EventKinds:
    """Which words of an app's events mean what. All others say that the user took the item.

    Attributes:
        dislikes: The item is not wanted: it leaves the history and is not recommended, until the
            user takes it again.
        removals: What was done with the item is undone: it leaves the history, as if it had never
            been there, and may be recommended again.
        impressions: The item was shown and not taken. It is no part of the history; exposure
            limits of rules count it.

    Raises:
        InputError: A word stands in two of them, or is no storable text.
    """

    dislikes: frozenset[str] = frozenset({"dislike"})
    removals: frozenset[str] = frozenset({"remove"})
    impressions: frozenset[str] = frozenset({"impression", "skip"})

    def __post_init__(self) -> None:
        words = [*self.dislikes, *self.removals, *self.impressions]
        for word in words:
            check_text("event", word)
            if words.count(word) > 1:
                raise InputError(f"event {word!r} has two meanings; choose one")


@dataclass(frozen=True)
class UserHistory:
    """What a user's events come to.

    Attributes:
        items: Ids of the items that the user took, oldest first, with repeats.
        disliked: Ids that are not recommended.
        shown: Id -> times in seconds at which it was shown and not taken.
    """

    items: tuple[str, ...] = ()
    disliked: frozenset[str] = frozenset()
    shown: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def history_of(
    events: Iterable[Event], kinds: EventKinds, before: UserHistory | None = None
) -> UserHistory:
    """The history that events come to, in their order, after what came before them."""
    before = UserHistory() if before is None else before
    items, disliked, shown = list(before.items), set(before.disliked), dict(before.shown)
    for event in events:
        if event.event in kinds.impressions:
            shown[event.item] = (*shown.get(event.item, ()), event.time_s)
            continue
        disliked.discard(event.item)
        if event.event in kinds.dislikes:
            disliked.add(event.item)
        if event.event in kinds.dislikes or event.event in kinds.removals:
            items = [item for item in items if item != event.item]
        else:
            items.append(event.item)
    return UserHistory(tuple(items), frozenset(disliked), shown)
