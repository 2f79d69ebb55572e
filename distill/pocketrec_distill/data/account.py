"""The account of cleaning: how many rows were dropped, and why."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Dropped:
    """Rows that one check dropped, and rows left after it."""

    reason: str
    rows: int
    left: int


@dataclass
class CleaningAccount:
    """What cleaning did, check by check.

    Attributes:
        rows_read: Rows of the table.
        dropped: One entry per check that dropped rows, in order.
        columns: Role -> column that it was read from.
        notes: What was assumed, for example that the order of rows is the order of events.
        users: Users left.
        items: Items left.
    """

    rows_read: int
    dropped: list[Dropped] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    users: int = 0
    items: int = 0

    @property
    def left(self) -> int:
        """Rows left so far."""
        return self.dropped[-1].left if self.dropped else self.rows_read

    def drop(self, reason: str, rows: int) -> None:
        """Count `rows` dropped for `reason`; nothing is noted for none."""
        if rows:
            self.dropped.append(Dropped(reason, rows, self.left - rows))

    def note(self, text: str) -> None:
        """Add a note; an empty one is none."""
        if text:
            self.notes.append(text)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for reports."""
        return asdict(self) | {"rows_left": self.left}

    def __str__(self) -> str:
        lines = [("rows read", "", self.rows_read)]
        lines += [(entry.reason, f"-{entry.rows:,}", entry.left) for entry in self.dropped]
        width = max(len(reason) for reason, _, _ in lines)
        text = [f"{reason:<{width}}  {rows:>12}  {left:>12,}" for reason, rows, left in lines]
        text.append(f"{self.users:,} users, {self.items:,} items")
        if self.columns:
            text.append(", ".join(f"{role}: {name}" for role, name in self.columns.items()))
        return "\n".join([*text, *self.notes])
