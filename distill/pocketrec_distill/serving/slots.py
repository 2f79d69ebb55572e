"""Which histories have their keys and values in memory, and where: plain bookkeeping."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from pocketrec_distill.errors import ConfigError

WindowPolicy = Literal["newest", "anchored"]

# An app asks again after a few events; more than these are read from their start.
_NEWEST_ENDS = 4


@dataclass(frozen=True)
class Claim:
    """A place for one history while it is read.

    Attributes:
        slot: Where its keys and values stand.
        items: The events that are read, oldest first.
        cached: How many of them, from the first, stand there already.
    """

    slot: int
    items: tuple[int, ...]
    cached: int

    @property
    def new(self) -> int:
        """Events that are still to be computed."""
        return len(self.items) - self.cached


class HistorySlots:
    """Slots of the histories read last, found by what they hold: no user ids, no sessions.

    A claimed slot is nobody else's until it is kept or dropped. Keeping makes its history findable,
    and beyond the number of slots the one used longest ago is forgotten.

    Args:
        count: Slots; at least as many as are claimed at once.
        window: Longest history that is read.
        policy: What is read of a longer one. "newest" reads the newest `window` events, as training
            and evaluation do; each event moves every position, so that nothing can be reused.
            "anchored" lets the window start up to half a window later and stay there, as a device
            does, so that the next event costs one position.
    """

    def __init__(self, count: int, window: int, policy: WindowPolicy = "newest") -> None:
        if count < 1 or window < 1:
            raise ConfigError(f"{count} slots of {window} events; both must be above 0")
        self.window, self.policy = window, policy
        self._free = list(range(count))
        self._kept: OrderedDict[tuple[int, ...], int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def claim(self, history: tuple[int, ...]) -> Claim:
        """The slot of this history or of its longest known beginning, or one to start anew.

        Args:
            history: Item indices, oldest first, at least one; of any length.

        Raises:
            ConfigError: Every slot is claimed.
        """
        starts = self._starts(len(history))
        for end in self._ends(len(history)):
            for start in starts:
                slot = self._kept.pop(history[start:end], None) if start < end else None
                if slot is not None:
                    return Claim(slot, history[start:], end - start)
        return Claim(self._taken(), history[self._fresh_start(len(history)) :], 0)

    def keep(self, claim: Claim) -> None:
        """Make a claim that was read findable."""
        before = self._kept.pop(claim.items, None)
        if before is not None:
            self._free.append(before)
        self._kept[claim.items] = claim.slot

    def drop(self, claim: Claim) -> None:
        """Give back a claim whose reading failed: what stands in it is not known."""
        self._free.append(claim.slot)

    def clear(self) -> None:
        """Forget every history."""
        self._free += self._kept.values()
        self._kept.clear()

    def _starts(self, length: int) -> range:
        """Where the window may start, the longest first."""
        first = max(0, length - self.window)
        later = first + self.window // 2 if self.policy == "anchored" and first else first
        return range(first, later + 1)

    def _ends(self, length: int) -> range:
        """Where a known beginning may end, the longest first."""
        shortest = max(0, length - _NEWEST_ENDS) if length > self.window else 0
        return range(length, shortest, -1)

    def _fresh_start(self, length: int) -> int:
        starts = self._starts(length)
        # Half of the room to grow is left: anchored windows hold 3/4 of the events at first.
        return starts[len(starts) // 2]

    def _taken(self) -> int:
        if self._free:
            return self._free.pop()
        if not self._kept:
            raise ConfigError("every slot is claimed; open the teacher with more of them")
        return self._kept.popitem(last=False)[1]
