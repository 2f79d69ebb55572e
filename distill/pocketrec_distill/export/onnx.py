"""ONNX export of the towers, with the names and shapes that the runtime's contract fixes."""

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from pocketrec_distill.export.fused import FusedUserTower
from pocketrec_distill.models.llm_student import LlmStudent
from pocketrec_distill.models.student import Student

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


def export_user_tower(student: Student | LlmStudent) -> bytes:
    """The student's user tower with explicit past and present KV, of any length from 0.

    Inputs `item_vectors` (batch, length, width) and `past_key_values.{i}.key/value`
    (batch, kv_heads, past_length, head_dim); outputs `user_vector` (batch, width) and
    `present.{i}.key/value`. All float32.
    """
    shape = student.shape
    batch, length, past_length = (torch.export.Dim(n) for n in ("batch", "length", "past_length"))
    cache_shape = (2, shape.kv_heads, 5, shape.head_dim)
    past = [torch.zeros(cache_shape) for _ in range(2 * shape.blocks)]
    names = [f"{block}.{part}" for block in range(shape.blocks) for part in ("key", "value")]
    return export_model(
        FusedUserTower(student),
        (torch.zeros(2, 3, student.width), past),
        ["item_vectors", *(f"past_key_values.{name}" for name in names)],
        ["user_vector", *(f"present.{name}" for name in names)],
        ({0: batch, 1: length}, [{0: batch, 2: past_length} for _ in past]),
    )


def export_item_tower(tower: nn.Module) -> bytes:
    """The item tower: `token_ids` int64 (batch, tokens), 0 = padding -> `item_vector`."""
    batch, tokens = (torch.export.Dim(n) for n in ("batch", "tokens"))
    return export_model(
        tower,
        (torch.ones(2, 7, dtype=torch.int64),),
        ["token_ids"],
        ["item_vector"],
        ({0: batch, 1: tokens},),
    )
