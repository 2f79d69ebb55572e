"""Interactions in columns: integer codes inside, string ids outside."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.errors import DataError


@dataclass(frozen=True, eq=False)
class Interactions:
    """Who met what, when, how; sorted by user, then time, then the order of the table.

    Attributes:
        user_ids: Unique ids; a user's code is the place in it.
        item_ids: Unique ids; an item's code is the place in it.
        users: Code of each interaction's user, int32 (n,).
        items: Code of each interaction's item, int32 (n,).
        times: Seconds since 1970, or positions, float64 (n,), finite.
        weights: Weight of each interaction, float32 (n,), finite and above 0.
        events: Behaviour type, index into `event_names`, int16 (n,).
        event_names: Behaviour types; one empty name where the table has none.
    """

    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    users: NDArray[np.int32]
    items: NDArray[np.int32]
    times: NDArray[np.float64]
    weights: NDArray[np.float32]
    events: NDArray[np.int16]
    event_names: tuple[str, ...] = ("",)

    def __post_init__(self) -> None:
        n = len(self.users)
        for name in ("items", "times", "weights", "events"):
            if len(getattr(self, name)) != n:
                raise DataError(f"{name} has {len(getattr(self, name))} entries; users has {n}")
        for codes, ids, name in (
            (self.users, self.user_ids, "users"),
            (self.items, self.item_ids, "items"),
            (self.events, self.event_names, "events"),
        ):
            if len(set(ids)) != len(ids):
                raise DataError(f"{name}: an id or name stands twice; each must be unique")
            if n and not 0 <= int(codes.min()) <= int(codes.max()) < len(ids):
                raise DataError(f"{name} holds a code outside 0 to {len(ids) - 1}")
        if not np.isfinite(self.times).all() or not np.isfinite(self.weights).all():
            raise DataError("times or weights hold NaN or infinity; clean the table first")
        if not (self.weights > 0).all():
            raise DataError("weights must be above 0; drop what weighs nothing")
        ordered = np.diff(self.users) >= 0
        later = (np.diff(self.users) > 0) | (np.diff(self.times) >= 0)
        if not (ordered & later).all():
            raise DataError("interactions are not sorted by user and time; use `clean`")

    def __len__(self) -> int:
        return len(self.users)

    def histories(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Items of each user, oldest first.

        Returns:
            offsets int64 (users + 1,) and items int32 (n,): those of user u lie between offsets[u]
            and offsets[u + 1].
        """
        counts = np.bincount(self.users, minlength=len(self.user_ids))
        return np.concatenate(([0], np.cumsum(counts))).astype(np.int64), self.items
