"""How old events are, on a clock that a wrong wall clock cannot move far."""

from dataclasses import dataclass, replace

DAY_S = 86_400.0
LONGEST_STEP_S = 7 * DAY_S
STEADY_S = DAY_S
LONGEST_ABSENCE_S = 30 * DAY_S


@dataclass(frozen=True)
class StoreClock:
    """A store's own age; a value: `at` gives the next one.

    The wall clock of a device may be years off and be set right later. Steps of up to a week
    between two uses are taken as they come. A longer one is a jump or a long absence, which cannot
    be told apart at once: it counts when the clock went on steadily for a day, and as 30 days at
    most. A step back counts nothing, and takes back what was not yet counted.

    Attributes:
        age_s: Seconds that the store has lived, as far as it can tell.
        wall_s: The wall clock when it was last looked at, in seconds since 1970; 0 is never.
        pending_s: Length of the jump that does not count yet.
        steady_s: Seconds that the clock went on steadily since.
    """

    age_s: float = 0.0
    wall_s: float = 0.0
    pending_s: float = 0.0
    steady_s: float = 0.0

    def at(self, wall_s: float) -> "StoreClock":
        """The clock after a look at the wall clock."""
        step_s = wall_s - self.wall_s if self.wall_s else 0.0
        moved = replace(self, wall_s=wall_s)
        if step_s < 0:
            return replace(moved, pending_s=max(0.0, self.pending_s + step_s))
        if step_s > LONGEST_STEP_S:
            return replace(moved, pending_s=self.pending_s + step_s, steady_s=0.0)
        moved = replace(moved, age_s=self.age_s + step_s, steady_s=self.steady_s + step_s)
        if self.pending_s and moved.steady_s >= STEADY_S:
            counted_s = min(self.pending_s, LONGEST_ABSENCE_S)
            return replace(moved, age_s=moved.age_s + counted_s, pending_s=0.0)
        return moved
