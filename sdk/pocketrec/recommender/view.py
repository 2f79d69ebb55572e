"""A user as an answer needs them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec.recommender.histories import ReadHistory


@dataclass(frozen=True, eq=False)
class UserView:
    """One user at one moment: read once, so that all of it fits together.

    Attributes:
        read: The history, in the catalogue of bundle and added items.
        vector: User vector, float32 (width,); None without a known item.
    """

    read: ReadHistory
    vector: NDArray[np.float32] | None
