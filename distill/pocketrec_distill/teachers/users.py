"""Whose history is whose: a table of scores knows users, a sequence model knows events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from pocketrec_distill.models.base import History
from pocketrec_distill.teachers.protocol import Context

Owner = tuple[str, int]
_NOBODY: Owner = ("", 0)


@dataclass(frozen=True)
class KnownUsers:
    """Users by their events.

    Attributes:
        owners: Bytes of a history -> its user and the events before it. Where users share all
            their events, the first stands for all: the student cannot tell them apart either.
    """

    owners: Mapping[bytes, Owner] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        train: Sequence[History],
        train_users: Sequence[str],
        window: int,
        queries: Iterable[tuple[History, str]] = (),
    ) -> "KnownUsers":
        """Users of training sequences without their last event, and of queries.

        Args:
            train: Training histories, oldest first.
            train_users: Id of each one's user.
            window: As in `training_windows`, which cut `train` in the same way.
            queries: Histories in full, and whose each is.
        """
        found: dict[bytes, Owner] = {}
        cut = (
            (history[max(0, end - window - 1) : end - 1], user, max(0, end - window - 1))
            for history, user in zip(train, train_users, strict=True)
            for end in range(len(history), 1, -window)
        )
        asked = ((history, user, 0) for history, user in queries)
        for history, user, before in chain(cut, asked):
            found.setdefault(_key(history), (user, before))
        return cls(found)

    def knows(self, history: History) -> bool:
        """Whether these are a user's events, not synthetic ones; True where no user is known."""
        return not self.owners or _key(history) in self.owners

    def contexts(self, histories: Sequence[History]) -> list[Context]:
        """Whole histories as contexts; of nobody in particular where the user is not known."""
        return [self._context(history, len(history)) for history in histories]

    def position_contexts(self, sequences: Sequence[History], newest: int) -> list[list[Context]]:
        """Of each sequence, the contexts after its `newest` last events, oldest first."""
        return [
            [
                self._context(sequence, end)
                for end in range(max(0, len(sequence) - newest) + 1, len(sequence) + 1)
            ]
            for sequence in sequences
        ]

    def _context(self, sequence: History, end: int) -> Context:
        user, before = self.owners.get(_key(sequence), _NOBODY)
        return Context(sequence[:end], user, position=before + end)


def _key(history: History) -> bytes:
    return np.asarray(history, dtype="<i4").tobytes()
