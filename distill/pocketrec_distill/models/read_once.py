"""What a slow model made of a history is kept: whoever asks again, it is not read again."""

import hashlib
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from pocketrec_distill.models.base import Floats, History, SequenceModel, SequenceScorer

Read = dict[bytes, Tensor]
"""User vectors, float32 (width,), by the digest of the item vectors that were read."""

# What each model has read, for as long as it is there.
_READ: WeakKeyDictionary[SequenceModel, Read] = WeakKeyDictionary()


class ReadOnce(SequenceScorer):
    """A `SequenceScorer` that asks its model once about the newest events of a history.

    Validation says which pass of an LLM is kept, what it is worth in a blend, and what a report
    says of it: one reading of the kept pass serves all three. What is read decides, not which
    items it stands for: where `fill` changes a vector, the history is another. So it is where
    training went on, since item vectors are trained with all else.
    """

    @torch.inference_mode()
    def scores(self, histories: Sequence[History]) -> Floats:
        """Scores float32 (histories, items) from the newest `window` events of each."""
        known, table = _READ.setdefault(self.model, {}), self._table()
        rows = table.cpu().numpy()
        newest = [history[-self.window :] for history in histories]
        keys = [hashlib.blake2b(rows[items].tobytes()).digest() for items in newest]
        fresh = {k: items for k, items in zip(keys, newest, strict=True) if k not in known}
        vectors = self._user_vectors([*fresh.values()], 1, table)
        known.update(zip(fresh, vectors, strict=True))
        users = torch.stack([known[key] for key in keys])
        scores: Floats = (users @ table.T).cpu().numpy()
        return scores
