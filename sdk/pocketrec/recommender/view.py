"""A user as an answer needs them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec.recommender.history import UserHistory
from pocketrec_runtime import Engine


@dataclass(frozen=True, eq=False)
class UserView:
    """One user at one moment: read once, so that all of it fits together.

    Attributes:
        engine: Bundle and added items.
        history: What the user's events come to.
        known: Indices of the history's items that the catalogue holds, oldest first.
        unknown: Ids of the history that it does not hold, each once.
        disliked: Indices of disliked items that it holds.
        vector: User vector, float32 (width,); None without a known item.
    """

    engine: Engine
    history: UserHistory
    known: tuple[int, ...]
    unknown: tuple[str, ...]
    disliked: frozenset[int]
    vector: NDArray[np.float32] | None
