"""The best of given scores: order, ties, and what never wins."""

import operator
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import InputError

_FEW = 512


def check_k(k: int) -> int:
    """The number of items asked for, as an int.

    Raises:
        InputError: k is no integer, or below 1.
    """
    try:
        number = operator.index(k)
    except TypeError as error:
        raise InputError(f"k is {k!r}; give an integer of at least 1") from error
    if number < 1:
        raise InputError(f"k is {number}; ask for at least 1 item")
    return number


def check_mask(mask: NDArray[np.bool_], n: int) -> None:
    """Returns where a mask is bool (n,).

    Raises:
        InputError: It is not.
    """
    if mask.dtype != np.bool_ or mask.shape != (n,):
        raise InputError(
            f"mask is {mask.dtype} of shape {mask.shape}; it must be bool of shape ({n},)"
        )


def checked_rows(indices: Collection[int] | NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Item indices as int64.

    Raises:
        InputError: One is outside 0 to n - 1.
    """
    if len(indices) == 0:
        return np.empty(0, np.int64)
    if isinstance(indices, np.ndarray):
        rows = indices.astype(np.int64, copy=False)
    else:
        rows = np.fromiter(indices, np.int64, len(indices))
    if rows.min() < 0 or rows.max() >= n:
        raise InputError(f"exclude holds an index outside 0 to {n - 1}")
    return rows


def leave_out(scores: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
    """Set scores to -inf, in place, where the mask (n,) is False.

    Raises:
        InputError: The mask is not a bool array of the scores' shape.
    """
    check_mask(mask, scores.size)
    np.copyto(scores, -np.inf, where=~mask)


def best(scores: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Indices and values of the k highest finite scores, best first, ties by index.

    Few values are sorted, which takes the fewest calls. Many are partitioned, several times faster
    than their indices, and then collected by threshold, which gives ties their order for free.

    Args:
        scores: (n,); left as it is where every score is finite or -inf, otherwise NaN and +inf
            are overwritten with -inf.
        k: How many, at least 1.

    Raises:
        InputError: k is below 1.
    """
    k = min(check_k(k), scores.size)
    if k == 0:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    if scores.size <= _FEW:
        # A stable sort keeps the ascending index order among equal scores.
        order = np.argsort(-scores, kind="stable")[:k]
        found = scores[order]
        if np.isfinite(found).all():
            return order, found
    np.copyto(scores, -np.inf, where=~np.isfinite(scores))
    threshold = np.partition(scores, scores.size - k)[scores.size - k]
    above = np.flatnonzero(scores > threshold)
    order = above[np.argsort(-scores[above], kind="stable")]
    if threshold > -np.inf:
        ties = np.flatnonzero(scores == threshold)[: k - order.size]
        order = np.concatenate([order, ties])
    return order, scores[order]
