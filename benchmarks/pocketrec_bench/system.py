"""The system under test: an engine that answers histories, with warm caches or without."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pocketrec_bench.queries import Queries
from pocketrec_bench.results import Division
from pocketrec_runtime import Engine, UserState

Answer = NDArray[np.int64]
"""The k best item indices, best first, without those of the history."""


class System(Protocol):
    """What LoadGen drives: samples are loaded, untimed; then answered, timed."""

    def load(self, samples: Sequence[int]) -> None:
        """Prepare samples, each the number of a history."""
        ...

    def unload(self) -> None:
        """Forget what was prepared."""
        ...

    def answer(self, sample: int) -> Answer:
        """The best items of one history."""
        ...

    def answer_many(self, samples: Sequence[int]) -> list[Answer]:
        """The best items of several histories, together where that is faster."""
        ...


class CachedSystem:
    """Keeps the state of every loaded user as after all events but the last.

    A query appends that event and scans. The state is the one that appends would have left, so
    that a user whose window has just run full costs what such a user costs.

    Args:
        engine: The opened bundle.
        queries: The histories.
        k: Items in an answer.
    """

    def __init__(self, engine: Engine, queries: Queries, k: int) -> None:
        self._engine, self._queries, self._k = engine, queries, k
        self._states: dict[int, UserState | None] = {}

    def load(self, samples: Sequence[int]) -> None:
        """Read every history up to its last event."""
        read = self._engine.reader.read
        for sample in samples:
            before = self._queries.histories[sample][:-1]
            self._states[sample] = read(before)[0] if before else None

    def unload(self) -> None:
        """Drop all states."""
        self._states.clear()

    def answer(self, sample: int) -> Answer:
        """Append the last event, then scan."""
        state = self._states[sample]
        last = self._queries.histories[sample][-1]
        if state is None:
            state, vector = self._engine.prefill((last,))
        else:
            state, vector = self._engine.append(state, last)
        return self._engine.top_k(vector, self._k, exclude=state.seen)[0]

    def answer_many(self, samples: Sequence[int]) -> list[Answer]:
        """One after the other: every user has a cache of their own."""
        return [self.answer(sample) for sample in samples]


class UncachedSystem:
    """Keeps nothing between queries: each reads its whole history and scans.

    Args:
        engine: The opened bundle.
        queries: The histories.
        k: Items in an answer.
    """

    def __init__(self, engine: Engine, queries: Queries, k: int) -> None:
        self._engine, self._queries, self._k = engine, queries, k

    def load(self, samples: Sequence[int]) -> None:
        """Nothing is prepared."""

    def unload(self) -> None:
        """Nothing was prepared."""

    def answer(self, sample: int) -> Answer:
        """Read the history, then scan."""
        state, vector = self._engine.prefill(self._queries.histories[sample])
        return self._engine.top_k(vector, self._k, exclude=state.seen)[0]

    def answer_many(self, samples: Sequence[int]) -> list[Answer]:
        """Histories of one length are read in one run; each is scanned by itself."""
        read = self._engine.prefill_many([self._queries.histories[each] for each in samples])
        return [
            self._engine.top_k(vector, self._k, exclude=state.seen)[0] for state, vector in read
        ]


class EmptySystem:
    """Answers nothing, at once: what is left of a query is the harness itself."""

    _NOTHING = np.empty(0, np.int64)

    def load(self, samples: Sequence[int]) -> None:
        """Nothing is prepared."""

    def unload(self) -> None:
        """Nothing was prepared."""

    def answer(self, sample: int) -> Answer:  # noqa: ARG002 - the signature of a system
        """No item."""
        return self._NOTHING

    def answer_many(self, samples: Sequence[int]) -> list[Answer]:
        """No item for each."""
        return [self._NOTHING for _ in samples]


def system_of(division: Division, engine: Engine, queries: Queries, k: int) -> System:
    """The system of a division."""
    if division == "cached":
        return CachedSystem(engine, queries, k)
    return UncachedSystem(engine, queries, k)
