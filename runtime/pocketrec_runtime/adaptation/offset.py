"""What a device has learned of one user: a mean residual, and the bounded offset it makes."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.adaptation.settings import AdaptationSettings
from pocketrec_runtime.errors import StateError


@dataclass(frozen=True, eq=False)
class UserOffset:
    """Sum of a user's residuals; a value: `after` gives a new one.

    Attributes:
        total: float64 (width,), finite: the weighted sum.
        weight: How many events it sums up, at least 0.
    """

    total: NDArray[np.float64]
    weight: float = 0.0

    def __post_init__(self) -> None:
        if self.total.ndim != 1 or not np.isfinite(self.total).all():
            raise StateError(f"an offset of shape {self.total.shape} is no finite vector; reset it")
        if not (np.isfinite(self.weight) and self.weight >= 0):
            raise StateError(f"an offset of {self.weight} events is damaged; reset it")

    @classmethod
    def none(cls, width: int) -> Self:
        """Nothing learned."""
        return cls(np.zeros(width))

    def after(self, residual: NDArray[np.float64], weight: float = 1.0) -> Self:
        """With one residual more, float64 (width,)."""
        return type(self)(self.total + weight * residual, self.weight + weight)

    def applied(
        self, vector: NDArray[np.float32], settings: AdaptationSettings
    ) -> NDArray[np.float32]:
        """A user vector with the offset, float32 (width,); itself where nothing is learned.

        The offset is `rate * total / (weight + prior)`: one step up the mean log-likelihood of the
        user's events, shrunk as if `prior` events of no residual stood beside them. It is cut to
        `bound` times the vector's length.

        Args:
            vector: The model's user vector, (width,).
            settings: Rate, prior and bound.
        """
        if not self.weight or not settings.rate:
            return vector
        offset = settings.rate * self.total / (self.weight + settings.prior)
        length, longest = np.linalg.norm(offset), settings.bound * np.linalg.norm(vector)
        if length > longest:
            offset *= longest / length
        return (vector + offset).astype(np.float32)
