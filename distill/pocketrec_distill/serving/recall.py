"""A candidate teacher that remembers what it said: an app asks again before its user goes on."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from pocketrec_distill.models.base import Floats
from pocketrec_distill.teachers.protocol import Candidates, CandidateTeacher, Context


class Recalling:
    """A `CandidateTeacher` that asks another one, once for the same history and candidates.

    Args:
        teacher: Says the same whenever it is asked the same.
        most: Histories that are remembered; the one asked about least recently is forgotten first.
    """

    def __init__(self, teacher: CandidateTeacher, most: int) -> None:
        self.teacher, self._most = teacher, most
        self._said: OrderedDict[tuple[bytes, bytes], Floats] = OrderedDict()

    def candidate_logits(self, contexts: Sequence[Context], candidates: Candidates) -> Floats:
        """Logits float32 (contexts, candidates), as the other one says them."""
        keys = [
            (np.asarray(context.history, "<i4").tobytes(), row.tobytes())
            for context, row in zip(contexts, candidates, strict=True)
        ]
        said = {key: self._said[key] for key in keys if key in self._said}
        if new := [place for place, key in enumerate(keys) if key not in said]:
            found = self.teacher.candidate_logits([contexts[p] for p in new], candidates[new])
            said |= {keys[place]: row for place, row in zip(new, found, strict=True)}
        for key, row in said.items():
            self._said[key] = row
            self._said.move_to_end(key)
        while len(self._said) > self._most:
            self._said.popitem(last=False)
        return np.stack([said[key] for key in keys])
