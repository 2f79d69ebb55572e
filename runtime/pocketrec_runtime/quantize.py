"""Item vectors to rows of 8 or 4 bits with a scale each, and 4-bit rows to bytes and back."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import InputError

INT8_MAX = 127
INT4_MAX = 7

_CLIPS = np.linspace(0.5, 1.0, 21)
_REFINEMENTS = 2
_CHUNK_ROWS = 8192


def quantize_rows(
    vectors: NDArray[np.float32],
    bits: Literal[8, 4] = 8,
    *,
    importance: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric quantization per row: `rows * scales[:, None]` stands for the vectors.

    8 bits: the scale is max|row| / 127, every component within half a scale. 4 bits: the scale is
    searched, as clipping a few large components makes the others finer; each row takes the clip
    of least weighted squared error, and then the least-squares scale of its codes.

    Args:
        vectors: float32 (n, width), finite.
        bits: 8 or 4.
        importance: 4 bits only: weights of the squared error, float32 (width,), at least 0; the
            mean squares of user vectors make it the expected squared error of a score, where
            components are uncorrelated. None is 1 for each.

    Returns:
        rows, int8 (n, width) in [-127, 127] or [-7, 7], and scales, float32 (n,). A row of zeros
        has scale 0.

    Raises:
        InputError: The vectors are not two-dimensional float32, not finite, bits are neither 8
            nor 4, or the importance is no vector of weights.
    """
    if vectors.ndim != 2 or vectors.dtype != np.float32:
        raise InputError(f"vectors are {vectors.dtype} {vectors.shape}; give float32 (n, width)")
    if not np.isfinite(vectors).all():
        raise InputError("vectors hold NaN or infinity; give finite numbers")
    if bits == 8:
        scales = np.abs(vectors).max(axis=1, initial=0.0) / np.float32(INT8_MAX)
        return _codes(vectors, scales, INT8_MAX), scales.astype(np.float32)
    if bits != 4:
        raise InputError(f"bits is {bits!r}; give 8 or 4")
    weights = _checked_weights(importance, vectors.shape[1])
    rows, scales = np.empty(vectors.shape, np.int8), np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), _CHUNK_ROWS):
        part = slice(start, start + _CHUNK_ROWS)
        rows[part], scales[part] = _searched(vectors[part], weights)
    return rows, scales


def pack_nibbles(rows: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Rows (n, width) of -7 to 7 as bytes (n, ceil(width / 2)): even columns in the low half.

    A column is stored in two's complement; the high half of an odd row's last byte is 0.
    """
    if rows.shape[1] % 2:
        rows = np.concatenate([rows, np.zeros((len(rows), 1), np.int8)], axis=1)
    halves = rows.view(np.uint8) & np.uint8(0xF)
    packed: NDArray[np.uint8] = halves[:, ::2] | halves[:, 1::2] << np.uint8(4)
    return packed


def unpack_nibbles(packed: NDArray[np.uint8], width: int) -> NDArray[np.int8]:
    """Rows int8 (n, width) of `pack_nibbles`' bytes.

    Raises:
        InputError: A half byte is -8, or the last half of an odd row is not 0.
    """
    rows = np.empty((len(packed), 2 * packed.shape[1]), np.int8)
    # Shifting left first, so that the arithmetic shift right brings the sign along.
    rows[:, ::2] = (packed << np.uint8(4)).view(np.int8) >> 4
    rows[:, 1::2] = packed.view(np.int8) >> 4
    if rows.size and int(rows.min()) < -INT4_MAX:
        raise InputError("an int4 row holds -8; the symmetric range is -7 to 7")
    if rows[:, width:].any():
        raise InputError("the unused half of an int4 row's last byte is not 0")
    return np.ascontiguousarray(rows[:, :width])


def _codes(
    vectors: NDArray[np.floating], scales: NDArray[np.floating], largest: int
) -> NDArray[np.int8]:
    steps = np.where(scales > 0, scales, 1)
    # A subnormal scale is coarse enough to push the quotient past the largest code.
    codes = np.rint(vectors / steps[:, None]).clip(-largest, largest).astype(np.int8)
    return np.where(scales[:, None] > 0, codes, np.int8(0))


def _searched(
    vectors: NDArray[np.float32], weights: NDArray[np.float64]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    exact = vectors.astype(np.float64)
    largest = np.abs(exact).max(axis=1, initial=0.0) / INT4_MAX
    best_scales = largest.astype(np.float32)
    least = np.full(len(exact), np.inf)
    for clip in _CLIPS[::-1]:
        scales = (largest * clip).astype(np.float32)
        for _ in range(1 + _REFINEMENTS):
            codes = _codes(exact, scales.astype(np.float64), INT4_MAX).astype(np.float64)
            rest = exact - codes * scales[:, None]
            error = rest**2 @ weights
            better = error < least
            best_scales[better], least[better] = scales[better], error[better]
            scales = _least_squares_scales(exact, codes, weights, scales)
    return _codes(exact, best_scales.astype(np.float64), INT4_MAX), best_scales


def _least_squares_scales(
    exact: NDArray[np.float64],
    codes: NDArray[np.float64],
    weights: NDArray[np.float64],
    scales: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The scales that fit the codes best; as they were where all codes are 0."""
    squares = codes**2 @ weights
    fitted = (exact * codes) @ weights / np.where(squares > 0, squares, 1)
    return np.where(squares > 0, fitted, scales).astype(np.float32)


def _checked_weights(importance: NDArray[np.float32] | None, width: int) -> NDArray[np.float64]:
    if importance is None:
        return np.ones(width)
    if importance.shape != (width,) or not (
        np.isfinite(importance).all() and (importance >= 0).all()
    ):
        raise InputError(
            f"importance has shape {importance.shape}; give {width} finite weights of at least 0"
        )
    return importance.astype(np.float64)
