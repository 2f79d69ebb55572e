"""The coarse scan as an ONNX graph: int8 rows inside, maxima of blocks out.

The graph uses standard operators of opset 13 only, and is built here byte by byte, as the `onnx`
package is no dependency of a device. Field numbers are those of onnx.proto.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.scan.protobuf import Pieces, number, payload, text

_OPSET, _IR_VERSION = 13, 8
_FLOAT, _UINT8, _INT8, _INT64 = 1, 2, 3, 7
_TENSOR_TYPES = {"float32": _FLOAT, "uint8": _UINT8, "int8": _INT8, "int64": _INT64}
_ATTRIBUTE_INT, _ATTRIBUTE_INTS = 2, 7
_TILE_ROWS = 512
Scalar = TypeVar("Scalar", bound=np.generic)


def coarse_graph(
    rows: NDArray[np.int8],
    scales: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    *,
    block: int,
    chunk: int,
    zero_point: int,
) -> bytes:
    """An ONNX model: `query` uint8 (batch, width) [and `step` float32 (batch, 1)] -> `maxima`.

    `maxima` is float32 (batch, blocks): the highest `<row, query - zero_point> * scale` of each
    block of rows or, where there is a bias, the highest of that `* step + bias`.

    A chunk of rows goes through all operators before the next, so that its scores stay in the
    processor's cache: what crosses the memory bus is the rows.

    Args:
        rows: int8 (n, width).
        scales: float32 (n,).
        bias: float32 (n,), or None where all are 0.
        block: Rows of a block. Where n does not divide by it, the last row is repeated, which
            changes no maximum.
        chunk: Rows of a chunk, a multiple of `block`.
        zero_point: The byte that stands for 0 in `query`.
    """
    nodes: Pieces = []
    tensors = _tensor("zero_point", np.array(zero_point, np.uint8))
    if block > 1:
        tensors += _tensor("blocks", np.array([0, -1, block], np.int64))
    parts = range(0, len(rows), chunk)
    for part, start in enumerate(parts):
        rows_of = _padded(rows[start : start + chunk], block)
        tensors += _tensor(f"rows{part}", _transposed(rows_of))
        tensors += _tensor(f"scales{part}", _padded(scales[start : start + chunk], block))
        if bias is not None:
            tensors += _tensor(f"bias{part}", _padded(bias[start : start + chunk], block))
        output = f"maxima{part}" if len(parts) > 1 else "maxima"
        nodes += _chunk_nodes(part, output, biased=bias is not None, blocked=block > 1)
    if len(parts) > 1:
        maxima = [f"maxima{part}" for part in range(len(parts))]
        nodes += _node("Concat", maxima, "maxima", {"axis": 1})
    inputs = payload(11, _port("query", _UINT8, ["batch", rows.shape[1]]))
    if bias is not None:
        inputs += payload(11, _port("step", _FLOAT, ["batch", 1]))
    outputs = payload(12, _port("maxima", _FLOAT, ["batch", "blocks"]))
    graph = payload(7, [*nodes, *text(2, "coarse_scan"), *tensors, *inputs, *outputs])
    opset = payload(8, number(2, _OPSET))
    return b"".join([*number(1, _IR_VERSION), *graph, *opset])


def _chunk_nodes(part: int, output: str, *, biased: bool, blocked: bool) -> Pieces:
    """From the query to the maxima of a chunk; a block of one row is its own maximum."""
    scores = f"scores{part}" if blocked else output
    scaled = f"scaled{part}" if biased else scores
    nodes = _node("MatMulInteger", ["query", f"rows{part}", "zero_point"], f"products{part}")
    nodes += _node("Cast", [f"products{part}"], f"floats{part}", {"to": _FLOAT})
    nodes += _node("Mul", [f"floats{part}", f"scales{part}"], scaled)
    if biased:
        nodes += _node("Mul", [scaled, "step"], f"stepped{part}")
        nodes += _node("Add", [f"stepped{part}", f"bias{part}"], scores)
    if blocked:
        nodes += _node("Reshape", [scores, "blocks"], f"blocked{part}")
        reduced: Mapping[str, int | Sequence[int]] = {"axes": [2], "keepdims": 0}
        nodes += _node("ReduceMax", [f"blocked{part}"], output, reduced)
    return nodes


def _padded(values: NDArray[Scalar], block: int) -> NDArray[Scalar]:
    lacking = -len(values) % block
    return np.concatenate([values, np.repeat(values[-1:], lacking, axis=0)]) if lacking else values


def _transposed(rows: NDArray[np.int8]) -> NDArray[np.int8]:
    """The transpose, contiguous; in tiles that the cache holds, ten times faster than at once."""
    columns = np.empty((rows.shape[1], len(rows)), np.int8)
    for start in range(0, len(rows), _TILE_ROWS):
        part = slice(start, start + _TILE_ROWS)
        columns[:, part] = rows[part].T
    return columns


def _node(
    operator: str,
    inputs: Sequence[str],
    output: str,
    attributes: Mapping[str, int | Sequence[int]] | None = None,
) -> Pieces:
    fields = [piece for name in inputs for piece in text(1, name)]
    fields += [*text(2, output), *text(4, operator)]
    for name, value in (attributes or {}).items():
        fields += payload(5, _attribute(name, value))
    return payload(1, fields)


def _attribute(name: str, value: int | Sequence[int]) -> Pieces:
    if isinstance(value, int):
        return [*text(1, name), *number(3, value), *number(20, _ATTRIBUTE_INT)]
    values = [piece for each in value for piece in number(8, each)]
    return [*text(1, name), *values, *number(20, _ATTRIBUTE_INTS)]


def _tensor(name: str, values: NDArray[np.generic]) -> Pieces:
    data = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    dims = [piece for size in values.shape for piece in number(1, size)]
    kind = number(2, _TENSOR_TYPES[values.dtype.name])
    raw = payload(9, [data.reshape(-1).view(np.uint8).data])
    return payload(5, [*dims, *kind, *text(8, name), *raw])


def _port(name: str, kind: int, shape: Iterable[int | str]) -> Pieces:
    dims: Pieces = []
    for size in shape:
        dims += payload(1, text(2, size) if isinstance(size, str) else number(1, size))
    tensor = payload(1, [*number(1, kind), *payload(2, dims)])
    return [*text(1, name), *payload(2, tensor)]
