"""What a slow model made of a history is kept: whoever asks again, it is not read again."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from pocketrec_distill.models.base import (
    BATCH,
    Fill,
    Floats,
    History,
    SequenceModel,
    SequenceScorer,
    as_they_are,
)

Read = dict[bytes, Tensor]
"""User vectors, float32 (width,), by the digest of the item vectors that were read."""


class ReadOnce(SequenceScorer):
    """A `SequenceScorer` that asks its model once about the newest events of a history.

    A blend is weighed, and then reported, on the same validation queries. What is read decides, not
    which items it stands for: where `fill` changes a vector, the history is another.

    Args:
        model: The model, which is trained already.
        window: Newest events that it reads.
        batch: Histories that it reads at once.
        fill: As of `SequenceScorer`.
        read: What the model has read, and will have: its scorers share one.
    """

    def __init__(
        self,
        model: SequenceModel,
        window: int,
        batch: int = BATCH,
        fill: Fill = as_they_are,
        read: Read | None = None,
    ) -> None:
        super().__init__(model, window, batch, fill)
        self.read: Read = {} if read is None else read

    @torch.inference_mode()
    def scores(self, histories: Sequence[History]) -> Floats:
        """Scores float32 (histories, items) from the newest `window` events of each."""
        table = self._table()
        rows = table.cpu().numpy()
        newest = [history[-self.window :] for history in histories]
        keys = [hashlib.blake2b(rows[items].tobytes()).digest() for items in newest]
        fresh = {k: items for k, items in zip(keys, newest, strict=True) if k not in self.read}
        vectors = self._user_vectors([*fresh.values()], 1, table)
        self.read.update(zip(fresh, vectors, strict=True))
        users = torch.stack([self.read[key] for key in keys])
        scores: Floats = (users @ table.T).cpu().numpy()
        return scores
