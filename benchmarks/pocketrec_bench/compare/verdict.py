"""What an interval of a ratio lets us say."""

from dataclasses import dataclass
from typing import Literal

from pocketrec_bench.compare.intervals import Interval
from pocketrec_runtime.errors import InputError

Verdict = Literal["slower", "faster", "equal", "undecided"]


@dataclass(frozen=True)
class CompareSettings:
    """What counts as a difference.

    Attributes:
        margin: Smallest change that matters, as a share: within it two builds are equal.
        seed: Of the bootstrap.
    """

    margin: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.margin < 1:
            raise InputError(f"margin is {self.margin}; give a share above 0 and below 1")


def judge(interval: Interval, margin: float) -> Verdict:
    """What a ratio of times, second over first, says of the second.

    "slower": the change is at least the margin, and the interval lies above 1. "faster": the
    same downwards. "equal": the whole interval lies within the margin. "undecided" otherwise.
    """
    limit = 1 + margin
    if 1 / limit <= interval.low and interval.high <= limit:
        return "equal"
    if interval.ratio >= limit and interval.low > 1:
        return "slower"
    if interval.ratio <= 1 / limit and interval.high < 1:
        return "faster"
    return "undecided"


def reason(verdict: Verdict, interval: Interval, margin: float) -> str:
    """The verdict as a sentence for people."""
    change = f"{abs(interval.ratio - 1):.1%}"
    if verdict == "equal":
        return f"equal within {margin:.0%}"
    if verdict == "slower":
        return f"slower by {change}"
    if verdict == "faster":
        return f"faster by {change}"
    if interval.spread > margin:
        return (
            f"undecided: noise of {interval.spread:.1%} is too large to tell a change of "
            f"{margin:.0%}; measure with --replicate 5 or more, or on a quieter machine"
        )
    return f"undecided: the interval lies across the margin of {margin:.0%}"
