"""Click data: what was shown to whom, and which of it was clicked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.errors import DataError

Ids = tuple[str, ...]
Labels = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Impressions:
    """Candidates shown to a user at one moment, each clicked or not.

    Attributes:
        users: User id of each impression.
        times: Seconds since 1970, float64 (impressions,); NaN where the log has none.
        histories: Item ids, oldest first, that the user had clicked before; may be empty, may
            repeat.
        candidates: Item ids shown; at least one, each once.
        labels: 1 where the candidate was clicked, else 0, int8, in the shape of `candidates`.
    """

    users: Ids
    times: NDArray[np.float64]
    histories: tuple[Ids, ...]
    candidates: tuple[Ids, ...]
    labels: tuple[Labels, ...]

    def __post_init__(self) -> None:
        for name in ("times", "histories", "candidates", "labels"):
            if len(getattr(self, name)) != len(self.users):
                raise DataError(
                    f"{name} has {len(getattr(self, name))} entries for {len(self.users)} "
                    "impressions; give one each"
                )
        if np.isinf(self.times).any():
            raise DataError("the time of an impression is infinite; give NaN where there is none")
        for row, (shown, labels) in enumerate(zip(self.candidates, self.labels, strict=True)):
            if not shown or len(set(shown)) != len(shown):
                raise DataError(f"impression {row} shows no candidate, or one of them twice")
            if labels.shape != (len(shown),) or not np.isin(labels, (0, 1)).all():
                raise DataError(
                    f"impression {row} has {len(shown)} candidates and labels {labels.tolist()}; "
                    "give 0 or 1 for each"
                )

    def __len__(self) -> int:
        return len(self.users)

    @property
    def shown(self) -> int:
        """Number of candidates over all impressions."""
        return sum(map(len, self.candidates))

    @property
    def clicks(self) -> int:
        """Number of clicked candidates over all impressions."""
        return sum(int(labels.sum()) for labels in self.labels)

    def item_ids(self) -> Ids:
        """Every item of the histories and candidates, once, in order of first appearance."""
        # Histories are shared between the impressions of a user: each is looked at once.
        histories = {id(history): history for history in self.histories}.values()
        parts = (*histories, *self.candidates)
        return tuple(dict.fromkeys(item for part in parts for item in part))

    def take(self, rows: Sequence[int] | NDArray[np.integer]) -> "Impressions":
        """The impressions at these places, in this order."""
        chosen = np.asarray(rows, dtype=np.int64).tolist()
        return Impressions(
            tuple(self.users[row] for row in chosen),
            self.times[chosen],
            tuple(self.histories[row] for row in chosen),
            tuple(self.candidates[row] for row in chosen),
            tuple(self.labels[row] for row in chosen),
        )

    def split_users(self, share: float, seed: int = 0) -> tuple["Impressions", "Impressions"]:
        """All impressions of most users, and those of a random `share` of the users.

        Raises:
            DataError: The share is not between 0 and 1, or leaves one side empty.
        """
        users = sorted(set(self.users))
        count = round(share * len(users))
        if not 0 < count < len(users):
            raise DataError(
                f"a share of {share} of {len(users)} users is {count}; both sides need a user"
            )
        drawn = np.random.default_rng(seed).permutation(len(users))[:count].tolist()
        held_out = {users[place] for place in drawn}
        apart = np.array([user in held_out for user in self.users])
        return self.take(np.flatnonzero(~apart)), self.take(np.flatnonzero(apart))
