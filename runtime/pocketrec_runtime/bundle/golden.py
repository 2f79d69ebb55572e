"""Golden queries: histories with the answer that the bundle gave when it was made."""

import math
from dataclasses import dataclass

from pocketrec_runtime.errors import InputError


@dataclass(frozen=True)
class GoldenQuery:
    """One history and its top-k.

    Attributes:
        history: Item ids, oldest first, all in the catalogue.
        k: How many items were asked for.
        item_ids: The answer, best first, seen items left out.
        scores: The answer's scores, finite, in the same order.
    """

    history: tuple[str, ...]
    k: int
    item_ids: tuple[str, ...]
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.history:
            raise InputError("a golden query has an empty history; give at least one item")
        if self.k < 1 or len(self.item_ids) > self.k:
            raise InputError(f"a golden query with k {self.k} has {len(self.item_ids)} items")
        if len(self.item_ids) != len(self.scores):
            raise InputError(
                f"a golden query has {len(self.item_ids)} items and {len(self.scores)} scores"
            )
        if not all(math.isfinite(score) for score in self.scores):
            raise InputError("a golden query has a score that is NaN or infinite")


@dataclass(frozen=True)
class Golden:
    """The self-test of a bundle; without queries it is not recorded yet.

    Attributes:
        queries: At least one in a bundle.
        tolerance: Largest difference of a score between devices, above 0.
        gguf_tolerance: The same where `user_tower.gguf` runs, whose weights may be rounded;
            None for `tolerance`.
    """

    queries: tuple[GoldenQuery, ...] = ()
    tolerance: float = 1e-3
    gguf_tolerance: float | None = None

    def __post_init__(self) -> None:
        for tolerance in (self.tolerance, self.gguf_tolerance):
            if tolerance is not None and not (math.isfinite(tolerance) and tolerance > 0):
                raise InputError(f"golden tolerance is {tolerance}; give a number above 0")

    def tolerance_of(self, file: str) -> float:
        """The tolerance of answers that this user tower file gives."""
        lossy = file == "user_tower.gguf" and self.gguf_tolerance is not None
        return self.gguf_tolerance if lossy and self.gguf_tolerance else self.tolerance
