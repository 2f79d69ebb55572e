"""ONNX export of any module through PyTorch's exporter."""

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

OPSET = 20


def export_model(
    model: nn.Module,
    example: tuple[Any, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    dynamic_shapes: tuple[Any, ...],
) -> bytes:
    """Bytes of the ONNX model; weights inside, no external data."""
    for name in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # The exporter warns about its own deprecated helpers; nothing there is for the user.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model.eval(),
            example,
            dynamo=True,
            external_data=False,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=dynamic_shapes,
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None  # noqa: S101  (dynamo=True always returns a program)
    return _without_traces(program.model_proto.SerializeToString())


def _without_traces(model: bytes) -> bytes:
    """Drop the exporter's stack traces and folder names: size, and nothing of this machine."""
    import onnx

    proto = onnx.load_model_from_string(model)
    graph = proto.graph
    ports = (*graph.input, *graph.output, *graph.initializer)
    for entry in (proto, graph, *graph.node, *ports, *proto.functions):
        entry.ClearField("metadata_props")
        entry.ClearField("doc_string")
    graph.ClearField("value_info")
    onnx.checker.check_model(proto)
    data: bytes = proto.SerializeToString(deterministic=True)
    return data
