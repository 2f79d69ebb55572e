"""Caps and quotas: how many items of a value an answer may and must hold."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.catalogue import Catalogue
from pocketrec_runtime.packed import ColumnValue
from pocketrec_runtime.rules.settings import Rules

Group = tuple[str, ColumnValue]
"""A column and one of its values."""


class Bounds:
    """Counts of an answer in the making, against its caps and quotas.

    Args:
        rules: Caps and quotas are read.
        catalogue: Where the values stand.
        eligible: (n,) True where an item may be recommended: a quota never waits for more items
            than there are.
    """

    def __init__(self, rules: Rules, catalogue: Catalogue, eligible: NDArray[np.bool_]) -> None:
        self._catalogue = catalogue
        self._caps = {cap.column: cap.most for cap in rules.caps}
        self._quotas = {(quota.column, quota.value): quota for quota in rules.quotas}
        self._columns = tuple(
            dict.fromkeys([*self._caps, *(quota.column for quota in rules.quotas)])
        )
        self._counts: Counter[Group] = Counter()
        self._missing: dict[Group, int] = {}
        for group, quota in self._quotas.items():
            if quota.least:
                there = int(np.count_nonzero(eligible[self._indices(group)]))
                self._missing[group] = min(quota.least, there)

    @property
    def active(self) -> bool:
        """Whether there is any cap or quota."""
        return bool(self._columns)

    @property
    def missing(self) -> int:
        """Items that quotas still ask for, each quota by itself."""
        return sum(self._missing.values())

    def groups(self, index: int) -> tuple[Group, ...]:
        """The bounded groups that an item belongs to."""
        return tuple(
            group
            for column in self._columns
            for group in self._of(column, index)
            if (column in self._caps and group[1] is not None) or group in self._quotas
        )

    def is_open(self, groups: Iterable[Group]) -> bool:
        """Whether an item of these groups may be added."""
        return not any(self._is_full(group) for group in groups)

    def helps(self, groups: Iterable[Group]) -> bool:
        """Whether an item of these groups brings a quota nearer."""
        return any(self._missing.get(group, 0) > 0 for group in groups)

    def add(self, groups: Iterable[Group]) -> None:
        """Count an item of these groups."""
        for group in groups:
            self._counts[group] += 1
            if self._missing.get(group, 0) > 0:
                self._missing[group] -= 1

    def waive(self) -> None:
        """Give up what quotas still ask for: no item is left that could be added for them."""
        self._missing.clear()

    def open_items(self, eligible: NDArray[np.bool_], *, helping: bool) -> NDArray[np.bool_]:
        """(n,) True where an eligible item may be added; with `helping`, and brings a quota nearer.

        What `is_open` and `helps` say of one item, for the whole catalogue.
        """
        mask = eligible.copy()
        if helping:
            wanted = np.zeros_like(mask)
            for group, count in self._missing.items():
                if count > 0:
                    wanted[self._indices(group)] = True
            mask &= wanted
        for group in {*self._counts, *self._quotas}:
            if self._is_full(group):
                mask[self._indices(group)] = False
        return mask

    def _is_full(self, group: Group) -> bool:
        count = self._counts[group]
        cap = self._caps.get(group[0]) if group[1] is not None else None
        quota = self._quotas.get(group)
        return (cap is not None and count >= cap) or (
            quota is not None and quota.most is not None and count >= quota.most
        )

    def _of(self, column: str, index: int) -> Iterable[Group]:
        value = self._catalogue.columns[column][index]
        values = dict.fromkeys(value) if isinstance(value, tuple) else (value,)
        return ((column, each) for each in values)

    def _indices(self, group: Group) -> NDArray[np.int64]:
        column, value = group
        return self._catalogue.postings(column).get(value, np.empty(0, np.int64))
