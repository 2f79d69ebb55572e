"""How much a device may learn of one user, beside what the model reads from the history."""

import math
from dataclasses import dataclass

from pocketrec_runtime.errors import InputError


@dataclass(frozen=True)
class AdaptationSettings:
    """Settings of `Learner`, chosen on validation users; see docs/adaptation.md.

    Attributes:
        rate: Length of the step along the mean residual of a user's events; 0 learns nothing.
        prior: Events of no residual that stand beside the user's own: few events say little.
        bound: Longest offset, as a share of the user vector's length.
        candidates: Best items that stand for the catalogue in a residual, at least 1.
        max_events: Events of a history that are learned from at most, the newest.

    Raises:
        InputError: A number is out of bounds.
    """

    rate: float = 4.0
    prior: float = 20.0
    bound: float = 0.1
    candidates: int = 200
    max_events: int = 1000

    def __post_init__(self) -> None:
        for name, low, high in (
            ("rate", 0, 100),
            ("prior", 0, 1e6),
            ("bound", 0, 1),
            ("candidates", 1, 100_000),
            ("max_events", 1, 100_000),
        ):
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise InputError(f"{name} is {value}; it must be {low} to {high:g}")
