"""What an exported tower stores: its constants as floats again, and the form of its matrices.

The way back from `weight_only`: the operators between the codes of a matrix and the product are run
as they stand in the file, so that what comes out is what the tower multiplies with.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.export.weight_only import Bits, weight_only

Floats = NDArray[np.float32]

# What `weight_only` writes between the codes of a matrix and the product.
_DECODERS = frozenset({"Cast", "Mul", "Reshape", "DequantizeLinear"})


@dataclass(frozen=True)
class StoredForm:
    """How the matrices of an exported tower are stored.

    Attributes:
        bits: 8 or 4; None for float32.
        folded: Whether Cast and Mul give them back, or DequantizeLinear; see `weight_only`.
    """

    bits: Bits | None = None
    folded: bool = True

    def store(self, model: bytes) -> bytes:
        """A float32 model in this form."""
        if self.bits is None:
            return model
        return weight_only(model, self.bits, folded=self.folded)


def stored_form(model: bytes) -> StoredForm:
    """The form of an exported tower; float32 where no matrix is stored as `weight_only` does."""
    import onnx

    graph = onnx.load_model_from_string(model).graph
    sizes: Mapping[int, Bits] = {onnx.TensorProto.INT8: 8, onnx.TensorProto.INT4: 4}
    kinds = {entry.name: entry.data_type for entry in graph.initializer}
    for _, (first, *_) in _decoded_matrices(graph):
        return StoredForm(sizes[kinds[first.input[0]]], first.op_type != "DequantizeLinear")
    return StoredForm()


def stored_floats(model: bytes) -> dict[str, Floats]:
    """The constant float32 tensors of a tower by name, matrices stored in codes among them.

    A matrix of codes goes by the name that it had before it was quantized. One that is multiplied
    with quantized activations is no float anywhere in the tower, and is not among them.
    """
    import onnx
    from onnx import numpy_helper

    proto = onnx.load_model_from_string(model)
    found: dict[str, Floats] = {
        entry.name: numpy_helper.to_array(entry).copy()
        for entry in proto.graph.initializer
        if entry.data_type == onnx.TensorProto.FLOAT
    }
    return found | _decoded(proto)


def _decoded(proto: Any) -> dict[str, Floats]:
    """The matrices that operators make of codes and scales, by ONNX Runtime."""
    import onnxruntime
    from onnx import TensorProto, helper

    chains = dict(_decoded_matrices(proto.graph))
    if not chains:
        return {}
    nodes = [node for chain in chains.values() for node in chain]
    read = {name for node in nodes for name in node.input}
    constants = [entry for entry in proto.graph.initializer if entry.name in read]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in chains]
    part = helper.make_model(
        helper.make_graph(nodes, "matrices", [], outputs, constants),
        opset_imports=proto.opset_import,
        ir_version=proto.ir_version,
    )
    session = onnxruntime.InferenceSession(
        part.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return dict(zip(chains, session.run(list(chains), {}), strict=True))


def _decoded_matrices(graph: Any) -> Iterator[tuple[str, list[Any]]]:
    """Right sides of products that are made of integer codes alone, and how, in order."""
    from onnx import TensorProto

    kinds = {entry.name: entry.data_type for entry in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    for name in dict.fromkeys(n.input[1] for n in graph.node if n.op_type == "MatMul"):
        chain: list[Any] = []
        while name not in kinds and (node := makers.get(name)) and node.op_type in _DECODERS:
            chain.insert(0, node)
            # Scales and shapes are constants; codes come first, as they are or cast.
            name = node.input[0] if kinds.keys() >= set(node.input[1:]) else ""
        if chain and kinds.get(name) in (TensorProto.INT8, TensorProto.INT4):
            yield chain[-1].output[0], chain
