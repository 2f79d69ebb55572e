"""What every teacher offers: logits of some candidates for some histories."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.errors import DataError
from pocketrec_distill.models.base import PADDING, Floats, History

Candidates = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Context:
    """Who is asked about, at which moment.

    Attributes:
        history: Item indices int32 (events,), oldest first, not empty; may be cut to a window.
        user_id: Id of the user; empty where nobody in particular is meant.
        position: Events of the user up to this moment, the cut ones included; 0 means as many
            as `history` has.
    """

    history: History
    user_id: str = ""
    position: int = 0

    def __post_init__(self) -> None:
        if len(self.history) == 0:
            raise DataError("a history is empty; a teacher is asked about users with events")
        if self.position and self.position < len(self.history):
            raise DataError(
                f"position {self.position} counts fewer events than the history's "
                f"{len(self.history)}"
            )

    @property
    def events(self) -> int:
        """Events of the user up to this moment."""
        return self.position or len(self.history)


class CandidateTeacher(Protocol):
    """A teacher: histories times candidates to logits.

    A logit orders the candidates of one row and, up to a constant per row, is the logarithm of
    how likely each is. NaN says that the teacher does not know; it is never read as 0.
    """

    def candidate_logits(self, contexts: Sequence[Context], candidates: Candidates) -> Floats:
        """Logits of each context's own candidates.

        Args:
            contexts: Who is asked about.
            candidates: Item indices int32 (contexts, candidates), PADDING where a row has fewer.

        Returns:
            float32 (contexts, candidates), NaN at padding and where the teacher does not know.
        """
        ...


@runtime_checkable
class Proposer(Protocol):
    """A teacher that can also say which candidates are worth asking it about."""

    def proposals(self, contexts: Sequence[Context], count: int) -> Candidates:
        """The best candidates of each context, int32 (contexts, count), PADDING at the end."""
        ...


def check_candidates(contexts: Sequence[Context], candidates: Candidates, items: int) -> None:
    """Refuse candidates that do not fit the contexts or the catalogue.

    Raises:
        DataError: Another shape than (contexts, candidates), or an index outside the catalogue.
    """
    if candidates.ndim != 2 or len(candidates) != len(contexts):
        raise DataError(
            f"candidates have shape {candidates.shape}; {len(contexts)} contexts need "
            f"({len(contexts)}, candidates)"
        )
    if candidates.size and not PADDING <= int(candidates.min()) <= int(candidates.max()) < items:
        raise DataError(
            f"candidates hold indices {int(candidates.min())} to {int(candidates.max())}; the "
            f"catalogue has 0 to {items - 1}, and {PADDING} is padding"
        )
