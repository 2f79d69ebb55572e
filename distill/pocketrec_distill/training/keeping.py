"""Which pass of a training is kept."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.evaluation.bootstrap import paired_error

# Standard errors of a paired difference, and passes in a row, that end a training of hard labels.
BEYOND_DOUBT = 2.0
WORSE_PASSES = 2


@dataclass(kw_only=True)
class Kept:
    """The best pass on validation; of a distilled model, the last that is no worse.

    A teacher's labels say more than a few thousand validation events do: each pass brings a
    student nearer to its teacher, while the best of several noisy figures is mostly luck. A pass
    within one standard error of the best, paired by query, is therefore kept in place of an earlier
    one (the rule of Breiman et al., 1984). A model of hard labels overfits, and its best pass
    stays.

    Attributes:
        distilled: Whether a teacher's labels are learned.
        last: Whether nothing is measured, and every pass is taken.
        epoch: The pass that is kept, from 1; 0 before the first.
    """

    distilled: bool
    last: bool = False
    epoch: int = 0
    _best: NDArray[np.float64] = field(default_factory=lambda: np.full(1, -1.0))
    _worse: int = 0

    def takes(self, epoch: int, gains: NDArray[np.float64]) -> bool:
        """Whether a pass is to be kept in place of the one before.

        Args:
            epoch: Its number, from 1.
            gains: Its validation NDCG@10 of each query, or their mean alone, float64 (queries,).
        """
        lost = float(self._best.mean() - gains.mean())
        error = paired_error(self._best, gains) if len(gains) > 1 else np.inf
        better = lost < 0 or self.last
        near = self.distilled and len(gains) > 1 and lost <= error
        self._worse = self._worse + 1 if lost > BEYOND_DOUBT * error else 0
        if better:
            self._best = gains
        if better or near:
            self.epoch = epoch
        return better or near

    @property
    def overfits(self) -> bool:
        """Whether pass after pass is worse than the best beyond doubt: none to come is better."""
        return self._worse >= WORSE_PASSES
