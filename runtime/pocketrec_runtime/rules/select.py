"""Greedy selection of an answer from a ranking, place by place, under rules."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.rules.bounds import Bounds, Group
from pocketrec_runtime.rules.objectives import Objective

Top = Callable[[int, NDArray[np.bool_]], tuple[NDArray[np.int64], NDArray[np.floating[Any]]]]
"""(m, mask) -> indices and scores of the m best items where the mask is True, best first."""


@dataclass(frozen=True)
class Placed:
    """An item of the answer, and which rules put it where it stands."""

    index: int
    by: tuple[str, ...]


class Selection:
    """One answer in the making.

    The pool holds the best items of the ranking. Whatever may be added and is not in it ranks
    below all of it: where nothing of the pool may be added any more, the best items that may are
    asked for by mask, so that hard rules give exactly what walking down the whole ranking would.

    Args:
        top: The ranking.
        eligible: (n,) True where an item may be recommended.
        bounds: Caps and quotas.
        objectives: Costs of diversity and calibration, by the name that an item's `by` reports.
        pool_size: Items in the pool at first, and with each extension.
    """

    def __init__(
        self,
        top: Top,
        eligible: NDArray[np.bool_],
        bounds: Bounds,
        objectives: Mapping[str, Objective],
        pool_size: int,
    ) -> None:
        self._top = top
        self._eligible = eligible.copy()
        self._bounds = bounds
        self._objectives = objectives
        self._pool_size = pool_size
        self._pool = np.empty(0, np.int64)
        self._relevance = np.empty(0)
        self._groups: list[tuple[Group, ...]] = []
        self._open = np.empty(0, np.bool_)
        self._taken = np.empty(0, np.bool_)
        self._scale: tuple[float, float] | None = None

    def run(self, k: int, pins: Sequence[tuple[int, int]]) -> list[Placed]:
        """At most k items, top first; fewer only where no further item may be added.

        Args:
            k: Places.
            pins: Places from 0 and item indices.
        """
        pinned = self._place_pins(k, pins)
        self._extend(self._pool_size, self._eligible)
        answer: list[Placed] = []
        for place in range(k):
            if place in pinned:
                answer.append(Placed(pinned.pop(place), ("pinned",)))
                continue
            picked = self._pick(slots=k - place - len(pinned))
            if picked is None:
                break
            answer.append(picked)
        return answer + [Placed(index, ("pinned",)) for index in pinned.values()]

    def _place_pins(self, k: int, pins: Sequence[tuple[int, int]]) -> dict[int, int]:
        pinned = {}
        for place, index in pins:
            groups = self._bounds.groups(index)
            if place < k and self._eligible[index] and self._bounds.is_open(groups):
                pinned[place] = index
                self._add(index, groups)
        return pinned

    def _pick(self, slots: int) -> Placed | None:
        """The next item, with `slots` places left to fill."""
        forced = 0 < self._bounds.missing >= slots
        allowed = self._allowed(forced)
        if not allowed.any():
            # One item: others that help would stand in the pool above better ones that do not.
            wanted = self._bounds.open_items(self._eligible, helping=forced)
            self._extend(1 if forced else self._pool_size, wanted)
            allowed = self._allowed(forced)
        if not allowed.any():
            if not forced:
                return None
            self._bounds.waive()
            return self._pick(slots)
        place = self._best(allowed)
        picked = Placed(int(self._pool[place]), self._reasons(place, allowed, forced))
        self._take(place)
        return picked

    def _allowed(self, forced: bool) -> NDArray[np.bool_]:
        allowed = self._open & ~self._taken
        if forced:
            helping = [self._bounds.helps(groups) for groups in self._groups]
            allowed &= np.array(helping, np.bool_)
        return allowed

    def _best(self, allowed: NDArray[np.bool_]) -> int:
        """The place in the pool of highest gain; the earlier one of equals."""
        if not self._objectives:
            return int(np.argmax(allowed))
        gain = self._relevance.copy()
        for objective in self._objectives.values():
            gain *= 1 - objective.strength
        for objective in self._objectives.values():
            gain -= objective.strength * objective.cost()
        gain[~allowed] = -np.inf
        return int(np.argmax(gain))

    def _reasons(self, place: int, allowed: NDArray[np.bool_], forced: bool) -> tuple[str, ...]:
        """Why this item and not the best one that is left."""
        best_left, best_allowed = int(np.argmax(~self._taken)), int(np.argmax(allowed))
        if place == best_left:
            return ()
        reasons = []
        if forced and not self._bounds.helps(self._groups[best_left]):
            reasons.append("quota")
        if not self._open[best_left]:
            reasons.append("cap")
        if place != best_allowed:
            for name, objective in self._objectives.items():
                cost = objective.cost()
                if cost[place] < cost[best_allowed]:
                    reasons.append(name)
        return tuple(reasons)

    def _take(self, place: int) -> None:
        self._taken[place] = True
        groups = self._groups[place]
        self._add(int(self._pool[place]), groups)
        full = {group for group in groups if not self._bounds.is_open((group,))}
        if full:
            for other, theirs in enumerate(self._groups):
                if not full.isdisjoint(theirs):
                    self._open[other] = False

    def _add(self, index: int, groups: tuple[Group, ...]) -> None:
        self._eligible[index] = False
        self._bounds.add(groups)
        for objective in self._objectives.values():
            objective.place(index)

    def _extend(self, size: int, mask: NDArray[np.bool_]) -> None:
        """Take the best items of the mask that are not in the pool into it."""
        mask = mask.copy()
        mask[self._pool] = False
        indices, scores = self._top(size, mask)
        groups = [self._bounds.groups(index) for index in indices.tolist()]
        self._pool = np.concatenate([self._pool, indices])
        self._relevance = np.concatenate([self._relevance, self._scaled(scores.astype(np.float64))])
        self._groups += groups
        is_open = [self._bounds.is_open(each) for each in groups]
        self._open = np.concatenate([self._open, np.array(is_open, np.bool_)])
        self._taken = np.concatenate([self._taken, np.zeros(indices.size, np.bool_)])
        for objective in self._objectives.values():
            objective.extend(indices)

    def _scaled(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores on the scale on which the first pool spans 0 to 1."""
        if self._scale is None and scores.size:
            self._scale = float(scores.min()), float(scores.max())
        low, high = self._scale or (0.0, 0.0)
        return (scores - low) / (high - low) if high > low else np.zeros(scores.size)
