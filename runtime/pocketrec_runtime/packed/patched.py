"""A column with some values laid over it."""

from collections.abc import Mapping

from pocketrec_runtime.packed.columns import Column, ColumnValue, Postings, inverted


class PatchedColumn(Column):
    """A column's values but for some that are put in their place, or after them.

    The column underneath is shared, not copied: a delta of ten items takes ten items of memory.

    Args:
        base: What lies underneath, itself not patched.
        put: Index -> value, in place of the base's or beyond it.
        n: Number of values; beyond the base, a value that is not put is None.
    """

    def __init__(self, base: Column, put: Mapping[int, ColumnValue], n: int) -> None:
        self._base = base
        self._put = put
        self._n = n
        texts = all(value is None or isinstance(value, str) for value in put.values())
        self.is_text = base.is_text and texts

    @classmethod
    def over(cls, column: Column, put: Mapping[int, ColumnValue], n: int) -> Column:
        """The column with values put, however often that was done before."""
        if n == len(column) and not put:
            return column
        if isinstance(column, cls):
            return cls(column._base, {**column._put, **put}, n)
        return cls(column, put, n)

    def value(self, index: int) -> ColumnValue:
        """As `Column.value`."""
        if index in self._put:
            return self._put[index]
        return self._base.value(index) if index < len(self._base) else None

    def postings(self) -> Postings:
        """As `Column.postings`."""
        return inverted(self)

    def __len__(self) -> int:
        return self._n
