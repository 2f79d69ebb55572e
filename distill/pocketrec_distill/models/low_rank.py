"""A linear item-item model cut to the leading directions of its spectrum.

EASE is I - P D with P the inverse of the regularised gram matrix and D = 1 / diag(P), so that
D^1/2 EASE D^-1/2 = I - D^1/2 P D^1/2 is symmetric. Its leading eigenvectors are those of
D^-1/2 P^-1 D^-1/2, whose eigenvalues mu stand further apart: one of the former is 1 - 1 / mu. What
is cut off are the directions that few users share. Low rank and ridge regularise the same spectrum
in two ways (Jin et al., KDD 2021), and where users are few against items both together pay.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.models.base import Floats
from pocketrec_distill.models.floors import ItemItem

# Of the eigenvalues, relative: a hundredth of what one user more or less changes.
_TOLERANCE = 1e-4
# Up to here all directions are quick, and none is too many to ask for.
_DENSE = 500


@dataclass(frozen=True)
class LinearFactors:
    """Leading factors of an item-item model.

    Attributes:
        directions: float32 (dense items, rank), strongest first: eigenvectors times the root of
            their eigenvalue.
        scale: Root of D, float32 (dense items,): popular items have the larger one.
    """

    directions: Floats
    scale: Floats

    @property
    def vectors(self) -> Floats:
        """What candidates are scored with, float32 (dense items, rank)."""
        return self.directions * self.scale[:, None]

    def weights(self, rank: int) -> Floats:
        """The item-item matrix of the `rank` leading directions, float32 (dense, dense)."""
        kept = self.directions[:, :rank]
        return (kept / self.scale[:, None]) @ (kept * self.scale[:, None]).T


def leading_factors(
    model: ItemItem, gram: NDArray[np.float32], regularization: float, rank: int
) -> LinearFactors:
    """The `rank` leading factors of an EASE model.

    Args:
        model: From `floors.ease`.
        gram: The gram matrix that it was made of, float32 (dense items, dense items).
        regularization: Its regularisation.
        rank: Directions wanted, at most as many as dense items.
    """
    least = np.float32(regularization)
    # P^-1 times a column of P is a unit vector, and that column is known from the model but for D,
    # which is no less than the regularisation.
    found = np.diag(gram) + least - np.einsum("ij,ij->j", gram, model.weights)
    scale = np.sqrt(np.maximum(found, least))
    values, directions = _leading(gram, least, 1 / scale, rank)
    order = np.argsort(-values, kind="stable")
    strength = np.sqrt(np.maximum(1 - 1 / values[order], 0))
    return LinearFactors(
        np.ascontiguousarray(directions[:, order] * strength, dtype=np.float32),
        scale.astype(np.float32),
    )


def _leading(
    gram: Floats, regularization: np.float32, inverse: Floats, rank: int
) -> tuple[Floats, Floats]:
    """Largest eigenvalues (rank,) and -vectors (items, rank) of the gram matrix, scaled."""
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    def product(vector: Floats) -> Floats:
        scaled = inverse * vector.ravel()
        found: Floats = inverse * (gram @ scaled + regularization * scaled)
        return found

    if len(gram) > _DENSE and 2 * rank < len(gram):
        operator = LinearOperator(gram.shape, matvec=product, dtype=np.float32)
        start = np.ones(len(gram), dtype=np.float32)
        try:
            values, directions = eigsh(operator, k=rank, which="LA", v0=start, tol=_TOLERANCE)
        except ArpackNoConvergence:
            pass  # the dense way takes minutes at 10,000 items, but it always ends
        else:
            return values, directions
    matrix = inverse[:, None] * gram * inverse
    matrix[np.diag_indices_from(matrix)] += regularization * inverse**2
    values, directions = np.linalg.eigh(matrix)
    return values[-rank:], directions[:, -rank:]


def truncated(model: ItemItem, factors: LinearFactors, rank: int) -> ItemItem:
    """The model of the `rank` leading directions, otherwise as it was."""
    return replace(model, weights=factors.weights(rank))
