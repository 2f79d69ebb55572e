"""The gate: may this student be shipped? Decided from the test ranks alone, user by user."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.checks import not_negative, one_of, positive
from pocketrec_distill.errors import ConfigError, DataError
from pocketrec_distill.evaluation.bootstrap import Interval, paired_difference, ratio
from pocketrec_distill.evaluation.metrics import RankingMetrics

Status = Literal["passed", "failed", "undecided"]
Floats = NDArray[np.float64]

LEVELS = ("fail", "warn", "off")
# Judged against each of these, in this order; the report names them so too.
RIVALS = ("control", "sasrec", "ease", "itemitem", "popularity")


@dataclass(frozen=True)
class GateSettings:
    """When a student is good enough to be shipped.

    Attributes:
        enforce: Whether a failed gate keeps the bundle from its place and ends with exit code 7.
        retention: Least share of the NDCG@10 of what the student was distilled from.
        margin: Test NDCG@10 by which the student must be ahead of each rival below.
        control: What being no better than the control does: "fail", "warn" or "off".
        sasrec: The same for SASRec.
        ease: The same for EASE.
        itemitem: The same for item-to-item co-occurrence.
        popularity: The same for popularity.
        undecided: What a check does that is ahead, but not beyond doubt (its 95% interval holds
            the threshold, or there are fewer than `min_users`): "warn" or "fail".
        min_users: Test users below which nothing is decided.
    """

    enforce: bool = True
    retention: float = 0.9
    margin: float = 0.0
    control: str = "fail"
    sasrec: str = "fail"
    ease: str = "warn"
    itemitem: str = "warn"
    popularity: str = "fail"
    undecided: str = "warn"
    min_users: int = 30

    def __post_init__(self) -> None:
        not_negative("gate", self, "retention")
        if not -1 < self.margin < 1:
            raise ConfigError(f"[gate] margin is {self.margin}; give a difference in NDCG@10")
        positive("gate", self, "min_users")
        one_of("gate", self, LEVELS, *RIVALS)
        one_of("gate", self, ("warn", "fail"), "undecided")


@dataclass(frozen=True)
class Check:
    """One comparison of the shipped student with another model.

    Attributes:
        name: "retention", or "beats_" and the rival.
        rival: Key of the other model in the report.
        measure: "ratio" or "difference" of mean test NDCG@10, shipped against the rival.
        value: The measure; None where it is no number.
        ci95: Its 95% interval by paired bootstrap over users; None as `value`.
        threshold: What the value must reach (ratio) or exceed (difference).
        status: "passed" where the whole interval does, "failed" where not even the value does,
            "undecided" between.
        level: What a failure does, "fail" or "warn".
        users: Users compared.
    """

    name: str
    rival: str
    measure: Literal["ratio", "difference"]
    value: float | None
    ci95: tuple[float, float] | None
    threshold: float
    status: Status
    level: str
    users: int

    def as_dict(self) -> dict[str, Any]:
        """The form that stands in reports; `passed` is the status as yes or no."""
        ends = None if self.ci95 is None else list(self.ci95)
        return {**asdict(self), "ci95": ends, "passed": self.status == "passed"}


@dataclass(frozen=True)
class Gate:
    """The verdict on one student.

    Attributes:
        status: "failed" where a check that must hold failed (or is undecided and `[gate]
            undecided` says that this fails), "undecided" where a check that must hold is so,
            else "passed".
        checks: Every check, the retention first.
        enforced: Whether a failure keeps the bundle from its place.
    """

    status: Status
    checks: tuple[Check, ...]
    enforced: bool

    @property
    def blocks(self) -> bool:
        """Whether the bundle must not be shipped."""
        return self.enforced and self.status == "failed"

    def as_dict(self) -> dict[str, Any]:
        """The report's `gate`."""
        return {
            "status": self.status,
            "passed": self.status != "failed",
            "enforced": self.enforced,
            "checks": [check.as_dict() for check in self.checks],
        }


def judge(test: Mapping[str, RankingMetrics], settings: GateSettings) -> Gate:
    """The verdict on `shipped` from every model's ranks on the same test users.

    The retention is measured against `blend`, what the student was distilled from, or against
    `teacher` where there is no blend. A rival that was not measured is not judged against.

    Raises:
        DataError: There is no user, `shipped` or its teacher is missing, or models have different
            numbers of users.
    """
    source = "blend" if "blend" in test else "teacher"
    for name in ("shipped", source):
        if name not in test:
            raise DataError(f"the gate needs the test metrics of {name!r}; given: {sorted(test)}")
    shipped = test["shipped"].ndcg
    checks = [
        _check("retention", source, "ratio", shipped, test[source].ndcg, "fail", settings),
        *(
            _check(
                f"beats_{rival}", rival, "difference", shipped, test[rival].ndcg, level, settings
            )
            for rival in RIVALS
            if (level := getattr(settings, rival)) != "off" and rival in test
        ),
    ]
    return Gate(_verdict(checks, settings), tuple(checks), settings.enforce)


_MEASURES: Mapping[str, Callable[[Floats, Floats], Interval]] = {
    "ratio": ratio,
    "difference": paired_difference,
}


def _check(
    name: str,
    rival: str,
    measure: Literal["ratio", "difference"],
    shipped: Floats,
    other: Floats,
    level: str,
    settings: GateSettings,
) -> Check:
    if shipped.shape != other.shape:
        raise DataError(
            f"shipped was measured on {len(shipped)} users and {rival} on {len(other)}; "
            "the gate compares the same users"
        )
    interval = _MEASURES[measure](shipped, other)
    threshold = settings.retention if measure == "ratio" else settings.margin
    status = _status(interval, threshold, measure, len(shipped) >= settings.min_users)
    known = all(map(math.isfinite, (interval.value, interval.low, interval.high)))
    return Check(
        name=name,
        rival=rival,
        measure=measure,
        value=interval.value if known else None,
        ci95=(interval.low, interval.high) if known else None,
        threshold=threshold,
        status=status,
        level=level,
        users=len(shipped),
    )


def _status(interval: Interval, threshold: float, measure: str, enough: bool) -> Status:
    """NaN reaches nothing; equal to a rival is not ahead of it."""

    def holds(value: float) -> bool:
        return value >= threshold if measure == "ratio" else value > threshold

    if not holds(interval.value):
        # With a handful of users an honest student can be behind by chance: that says nothing.
        return "failed" if enough or math.isnan(interval.value) else "undecided"
    return "passed" if enough and holds(interval.low) else "undecided"


def _verdict(checks: list[Check], settings: GateSettings) -> Status:
    binding = [check.status for check in checks if check.level == "fail"]
    if "failed" in binding or (settings.undecided == "fail" and "undecided" in binding):
        return "failed"
    return "undecided" if "undecided" in binding else "passed"
