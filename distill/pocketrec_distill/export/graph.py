"""An ONNX graph, written operator by operator."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

OPSET, IR_VERSION = 23, 11
"""The first operator set with attention, rotary positions and RMS norm: of ONNX 1.18."""

FLOAT, INT64 = 1, 7
"""Types, as ONNX numbers them."""


class Port(NamedTuple):
    """An input or output of a graph.

    Attributes:
        name: The runtime's contract fixes it.
        sizes: Of its axes; one that may vary is a name.
        kind: `FLOAT` or `INT64`.
    """

    name: str
    sizes: Sequence[int | str]
    kind: int = FLOAT


class Graph:
    """Operators and constants, in the order in which they are added; values are known by name."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def op(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """An operator of one output; returns its name, made up where none is given."""
        (output,) = self.add(kind, *inputs, outputs=[name or self._new(kind)], **attributes)
        return output

    def split(self, value: str, sizes: Sequence[int]) -> Sequence[str]:
        """Parts of a value, along its last axis."""
        outputs = [self._new(f"part.{part}") for part in range(len(sizes))]
        return self.add("Split", value, self.whole(sizes), outputs=outputs, axis=-1)

    def add(
        self, kind: str, *inputs: str, outputs: Sequence[str], **attributes: Any
    ) -> Sequence[str]:
        """An operator; returns the names of its outputs. An input that is not there is ""."""
        from onnx import helper

        self._nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs

    def weight(self, name: str, value: Tensor) -> str:
        """A constant float32 tensor."""
        return self._constant(name, value.detach().cpu().numpy().astype(np.float32))

    def number(self, value: float) -> str:
        """A constant float32 scalar."""
        return self._constant(f"number.{value}", np.float32(value))

    def whole(self, value: int | Sequence[int]) -> str:
        """A constant int64, scalar or vector."""
        return self._constant(f"whole.{value}", np.array(value, np.int64))

    def model(self, name: str, inputs: Sequence[Port], outputs: Sequence[Port]) -> bytes:
        """The checked model; nothing of the machine is in it, and an equal graph gives equal bytes.

        Args:
            name: Of the graph.
            inputs: Of the graph, in order.
            outputs: The same.
        """
        import onnx
        from onnx import helper

        ports = [
            [helper.make_tensor_value_info(p.name, p.kind, p.sizes) for p in side]
            for side in (inputs, outputs)
        ]
        graph = helper.make_graph(self._nodes, name, *ports, list(self._constants.values()))
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        data: bytes = model.SerializeToString(deterministic=True)
        return data

    def _new(self, kind: str) -> str:
        return f"{kind}.{len(self._nodes)}"

    def _constant(self, name: str, value: ArrayLike) -> str:
        from onnx import numpy_helper

        self._constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name
