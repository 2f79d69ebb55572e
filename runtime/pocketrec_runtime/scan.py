"""Exact top-k over the whole catalogue."""

import operator

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import InputError


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


def top_k(
    vectors: NDArray[np.float32],
    bias: NDArray[np.float32],
    query: NDArray[np.float32],
    k: int,
    mask: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k items of highest score <vector, query> + bias, best first.

    Exact: equal scores stand in order of item index, k above n is n, and an item whose score is
    NaN or infinite is never returned, nor is one that the mask leaves out.

    Args:
        vectors: Item vectors, (n, width).
        bias: Item biases, (n,).
        query: The user vector, (width,).
        k: How many items, at least 1.
        mask: (n,), True where an item may be returned; None is all.

    Returns:
        Item indices, int64, and their scores, float32, both of length at most k.

    Raises:
        InputError: k is below 1, or a shape does not fit.
    """
    if query.shape != vectors.shape[1:]:
        raise InputError(f"query has shape {query.shape}; the vectors need {vectors.shape[1:]}")
    scores = vectors @ query
    scores += bias
    if mask is not None:
        leave_out(scores, mask)
    return best(scores, k)


def leave_out(scores: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
    """Set scores to -inf, in place, where the mask (n,) is False.

    Raises:
        InputError: The mask is not a bool array of the scores' shape.
    """
    if mask.dtype != np.bool_ or mask.shape != scores.shape:
        raise InputError(
            f"mask is {mask.dtype} of shape {mask.shape}; it must be bool of shape {scores.shape}"
        )
    np.copyto(scores, -np.inf, where=~mask)


def best(scores: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Indices and values of the k highest finite scores, best first, ties by index.

    Partitions the values, which is several times faster than partitioning indices, and then
    collects by threshold, which gives ties their order for free.

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
    np.copyto(scores, -np.inf, where=~np.isfinite(scores))
    threshold = np.partition(scores, scores.size - k)[scores.size - k]
    above = np.flatnonzero(scores > threshold)
    # A stable sort keeps the ascending index order among equal scores.
    order = above[np.argsort(-scores[above], kind="stable")]
    if threshold > -np.inf:
        ties = np.flatnonzero(scores == threshold)[: k - order.size]
        order = np.concatenate([order, ties])
    return order, scores[order]
