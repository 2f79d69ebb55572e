"""Weight-only quantization of an exported tower: small files, float arithmetic, exact caches.

Matrices are stored as int8 or int4 with their scales, in standard operators that ONNX Runtime folds
into float weights when the model is opened. Activations stay float, so that an event gets the same
keys and values whether it is appended or read again, and a run costs what fp32 costs.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bits = Literal[8, 4]

INT4_BLOCKS = (32, 16)
"""Inputs that share a scale in 4 bits: the first that divides the matrix's."""

# Clipping a few large weights makes the rest of their block finer; the least squared error wins.
_CLIPS = np.linspace(0.6, 1.0, 17, dtype=np.float32)
_INT4_OPSET, _INT4_IR = 21, 10


def block_of(inputs: int, bits: Bits) -> int:
    """How many inputs share a scale: all of them in 8 bits, a block in 4."""
    if bits == 8:
        return inputs
    return next((size for size in INT4_BLOCKS if inputs % size == 0), inputs)


def quantize_matrix(matrix: Floats, bits: Bits) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric codes and scales of a matrix (inputs, outputs), one scale per block and output.

    Args:
        matrix: float32 (inputs, outputs).
        bits: 8 (one block) or 4 (blocks of `block_of`).

    Returns:
        Codes int8 of the same shape, within 127 or 7, and scales float32 (blocks, outputs).
    """
    inputs, outputs = matrix.shape
    largest = 127 if bits == 8 else 7
    blocks = matrix.reshape(-1, block_of(inputs, bits), outputs)
    widest = np.abs(blocks).max(axis=1, keepdims=True) / largest
    clips = _CLIPS if bits == 4 else _CLIPS[-1:]
    best = np.full(widest.shape, np.inf, np.float32)
    scales, work = widest.astype(np.float32), np.empty_like(blocks)
    for clip in clips[::-1]:
        tried = np.where(widest > 0, widest * clip, 1).astype(np.float32)
        np.multiply(_codes(blocks, tried, largest, work), tried, out=work)
        np.subtract(blocks, work, out=work)
        error = np.einsum("bio,bio->bo", work, work)[:, None]
        better = error < best
        best, scales = np.where(better, error, best), np.where(better, tried, scales)
    codes = _codes(blocks, scales, largest, work).astype(np.int8)
    return codes.reshape(inputs, outputs), np.ascontiguousarray(scales[:, 0])


def _codes(blocks: Floats, scales: Floats, largest: int, out: Floats) -> Floats:
    np.rint(np.divide(blocks, scales, out=out), out=out)
    return np.clip(out, -largest, largest, out=out)


def weight_only(model: bytes, bits: Bits, *, folded: bool = True) -> bytes:
    """The model with every constant matrix of a product stored in 8 or 4 bits.

    Args:
        model: An ONNX model whose weights are the right side of a MatMul, (inputs, outputs).
        bits: 8, with a scale per output; or 4, with a scale per output and block of inputs.
        folded: True writes Cast and Mul, which become float32 weights when the model is opened:
            exactly the rounded weights, at the speed of fp32. False writes DequantizeLinear, which
            ONNX Runtime multiplies with as it is: in 4 bits an event moves an eighth of the bytes,
            which pays where a tower is large. In 8 bits it has no quick product of the kind.
    """
    import onnx
    from onnx import helper, numpy_helper

    proto = onnx.load_model_from_string(model)
    graph = proto.graph
    constants = {entry.name: entry for entry in graph.initializer if len(entry.dims) == 2}
    used = {node.input[1] for node in graph.node if node.op_type == "MatMul"}
    added: list[Any] = []
    for name in sorted(used & set(constants)):
        codes, scales = quantize_matrix(numpy_helper.to_array(constants[name]), bits)
        graph.initializer.remove(constants[name])
        initializers, nodes = (_cast if folded else _dequantized)(name, codes, scales, bits)
        graph.initializer.extend(initializers)
        added += nodes
    if bits == 4:
        proto.ir_version = max(proto.ir_version, _INT4_IR)
        version = max(_INT4_OPSET, *(o.version for o in proto.opset_import if not o.domain))
        del proto.opset_import[:]
        proto.opset_import.append(helper.make_opsetid("", version))
    nodes = [*added, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(proto)
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def _stored(name: str, codes: NDArray[np.int8], bits: Bits) -> Any:
    from onnx import TensorProto, helper

    if bits == 8:
        data, kind = codes.tobytes(), TensorProto.INT8
    else:
        halves = np.append(codes.reshape(-1), np.zeros(codes.size % 2, np.int8)).view(np.uint8)
        data = (halves[::2] & 0xF | halves[1::2] << 4).tobytes()
        kind = TensorProto.INT4
    return helper.make_tensor(f"{name}.codes", kind, codes.shape, data, raw=True)


def _dequantized(
    name: str, codes: NDArray[np.int8], scales: Floats, bits: Bits
) -> tuple[list[Any], list[Any]]:
    """Initializers and the DequantizeLinear that gives the matrix back."""
    from onnx import helper, numpy_helper

    blocked = len(scales) > 1
    stored = numpy_helper.from_array(scales if blocked else scales[0], f"{name}.scales")
    how = {"axis": 0, "block_size": len(codes) // len(scales)} if blocked else {"axis": 1}
    ports = [f"{name}.codes", f"{name}.scales"]
    return [_stored(name, codes, bits), stored], [
        helper.make_node("DequantizeLinear", ports, [name], **how)
    ]


def _cast(
    name: str, codes: NDArray[np.int8], scales: Floats, bits: Bits
) -> tuple[list[Any], list[Any]]:
    """Initializers and the Cast, Mul and Reshape that give the matrix back."""
    from onnx import TensorProto, helper, numpy_helper

    blocks = codes.reshape(len(scales), -1, codes.shape[1])
    shape = np.array(codes.shape, np.int64)
    initializers = [
        _stored(name, blocks, bits),
        numpy_helper.from_array(np.ascontiguousarray(scales[:, None]), f"{name}.scales"),
        numpy_helper.from_array(shape, f"{name}.shape"),
    ]
    return initializers, [
        helper.make_node("Cast", [f"{name}.codes"], [f"{name}.cast"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}.cast", f"{name}.scales"], [f"{name}.blocks"]),
        helper.make_node("Reshape", [f"{name}.blocks", f"{name}.shape"], [name]),
    ]
