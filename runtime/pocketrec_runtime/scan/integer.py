"""The coarse scan of int8 rows: an integer product on ONNX Runtime, with a proven error."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.memory import give_back_free_memory
from pocketrec_runtime.scan.coarse import BlockBounds
from pocketrec_runtime.scan.fixed import FixedQuery
from pocketrec_runtime.scan.graph import coarse_graph

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

STEPS = 64
"""Steps of the query on each side of 0. The bytes 0 to 128 keep pairs of products below 2^15, where
processors without VNNI add them in 16 bits and would saturate with 255 (vpmaddubsw)."""

BLOCKS, MAX_BLOCK = 4096, 64
"""About so many blocks, of at most so many rows: to look at more maxima costs time, and so does to
score more rows exactly."""

CHUNK_ROWS = 1 << 17
SHARD_BYTES = 1 << 27
_BATCH = 16
_SLACK = 2.0**-18
_LIMIT = 2.0**120
_SMALLEST_STEP = 2.0**-126


class IntegerCoarse:
    """Block maxima of int8 rows from integer products, and how far they can be from the truth.

    Per row i: r_i whole numbers in [-127, 127], scale s_i, bias b_i; x is the fixed-point query.
    The score is S_i = s_i <r_i, x> + b_i, and what is computed is

        Y_i = fl(fl(fl(G_i) * s_i) * t) + b_i,   G_i = <r_i, c>,   c_j = x_j / t rounded,

    with a step t = max|x| / 64, so that c fits 7 bits and a sign.

    **Proof of the bound.** With N_i = s_i ||r_i||:

    1. *Query quantization.* S_i - (t s_i G_i + b_i) = s_i <r_i, x - t c>, which by the inequality
       of Cauchy and Schwarz is at most N_i ||x - t c||. The residue is measured, not estimated.
    2. *Accumulation.* G_i is exact: |G_i| <= 64 * 127 * 4096 < 2^31, and pairs of products stay
       within 16 bits, see `STEPS`.
    3. *Scale and bias.* The conversion of G_i, two products and one sum round once each, by a
       factor within 1 ± 2^-24; together by less than 2^-21 of t s_i |G_i| + |b_i|, which is at
       most N_i ||t c|| + |b_i|.
    4. *Underflow.* Flushing a subnormal input or result to 0 loses at most 2^-126 where it
       happens; times |G_i| < 2^26 and t that is below 2^-99 (1 + t).
    5. *The exact score itself* rounds twice in float64, by less than 2^-51 (N_i ||x|| + |b_i|),
       and the bounds below, computed in float32, five times: by less than 2^-21 of themselves.

    So |Y_i - S_i| <= N_i (||x - t c|| + 2^-18 ||x||) + 2^-18 |b_i| + 2^-98 (1 + t): as
    ||t c|| <= 2 ||x|| and ||x - t c|| <= ||x|| + ||t c||, points 3 and 5 take less than half of
    the 2^-18. In a block the maxima of N_i and |b_i| stand for all of its rows. Overflow is
    excluded beforehand: where 64 * 127 * width * max(s) * max(t, 1) + max|b| or ||x|| reaches
    2^120, or t is subnormal, `bounds` answers None. Rounding to float32 is monotone, so that the
    rounded bounds bound the rounded score.

    Args:
        rows: int8 (n, width), n at least 1.
        scales: float32 (n,).
        bias: float32 (n,).
        threads: Threads of one run.
        chunk_rows: Rows whose scores are in flight together, a multiple of `block`.
        shard_bytes: Rows of about so many bytes go into one ONNX Runtime session, so that no
            buffer grows with the catalogue.
    """

    def __init__(
        self,
        rows: NDArray[np.int8],
        scales: NDArray[np.float32],
        bias: NDArray[np.float32],
        threads: int = 1,
        *,
        chunk_rows: int = CHUNK_ROWS,
        shard_bytes: int = SHARD_BYTES,
    ) -> None:
        self.block = block_rows(len(rows))
        # int32 holds 127 * 127 * 4096.
        squares = np.einsum("ij,ij->i", rows, rows, dtype=np.int32)
        norms = scales * np.sqrt(squares, dtype=np.float64)
        self._norms = _block_maxima(norms, self.block)
        self._biases = _block_maxima(np.abs(bias), self.block)
        self._biased = bool(self._biases.any())
        self._largest_product = STEPS * 127.0 * rows.shape[1] * float(scales.max())
        self._largest_bias = float(self._biases.max())
        shard = max(1, shard_bytes // (rows.shape[1] * chunk_rows)) * chunk_rows
        parts = [slice(start, start + shard) for start in range(0, len(rows), shard)]
        self._sessions = [
            _open(
                coarse_graph(
                    rows[part],
                    scales[part],
                    bias[part] if self._biased else None,
                    block=self.block,
                    chunk=chunk_rows,
                    zero_point=STEPS,
                ),
                threads,
            )
            for part in parts
        ]

    def bounds(self, queries: list[FixedQuery]) -> list[BlockBounds | None]:
        """Bounds for each query; None where its numbers are too large or small to be sure of."""
        coarse = [_quantize(query) for query in queries]
        answers: list[BlockBounds | None] = [None] * len(queries)
        sure = [place for place, query in enumerate(coarse) if self._is_sure(query)]
        for start in range(0, len(sure), _BATCH):
            places = sure[start : start + _BATCH]
            maxima = self._maxima([coarse[place] for place in places])
            for place, row in zip(places, maxima, strict=True):
                answers[place] = self._bounds(coarse[place], row)
        return answers

    def _is_sure(self, query: "_CoarseQuery") -> bool:
        reach = self._largest_product * max(query.step, 1.0) + self._largest_bias
        return query.step >= _SMALLEST_STEP and max(reach, query.norm) < _LIMIT

    def _maxima(self, queries: list["_CoarseQuery"]) -> NDArray[np.float32]:
        feed = {"query": np.stack([query.codes for query in queries])}
        if self._biased:
            feed["step"] = np.array([[query.step] for query in queries], np.float32)
        found = [session.run(None, feed)[0] for session in self._sessions]
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)

    def _bounds(self, query: "_CoarseQuery", maxima: NDArray[np.float32]) -> BlockBounds:
        error = self._norms * (query.residue + _SLACK * query.norm)
        error += 2.0**-98 * (1.0 + query.step)
        centre = maxima
        if self._biased:
            error += _SLACK * self._biases
        else:
            centre = maxima * query.step
        return BlockBounds(centre - error, centre + error)


def block_rows(rows: int) -> int:
    """Rows of a block in a catalogue of so many: a power of two."""
    return min(MAX_BLOCK, 1 << ((rows - 1) // BLOCKS).bit_length())


@dataclass(frozen=True, eq=False)
class _CoarseQuery:
    """A query in steps: `codes - STEPS` times `step`, with the norm of what that leaves out."""

    codes: NDArray[np.uint8]
    step: float
    residue: float
    norm: float


def _quantize(query: FixedQuery) -> _CoarseQuery:
    units = query.integers
    # float32, as that is what the graph multiplies by.
    step = float(np.float32(math.ldexp(query.largest / STEPS, query.exponent)))
    size = math.ldexp(step, -query.exponent)
    steps = np.rint(units / size) if size else np.zeros_like(units)
    rest = units - size * steps
    codes = (steps + STEPS).astype(np.uint8)
    unit = math.ldexp(1.0, query.exponent)
    return _CoarseQuery(codes, step, unit * _norm(rest), unit * _norm(units))


def _norm(values: NDArray[np.float64]) -> float:
    """Euclidean norm, a little too long rather than too short."""
    return math.sqrt(values @ values) * (1 + 2.0**-30)


def _block_maxima(values: NDArray[np.floating], block: int) -> NDArray[np.float32]:
    """Maxima of blocks, a little too large rather than too small."""
    maxima = np.maximum.reduceat(values.astype(np.float64), np.arange(0, len(values), block))
    with np.errstate(over="ignore"):  # such rows are never sure
        return (maxima * (1 + 2.0**-22)).astype(np.float32)


def _open(model: bytes, threads: int) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    # It keeps the bytes, to be made again with other providers: a second copy of the rows.
    session._model_bytes = b""
    del model
    give_back_free_memory()
    return session
