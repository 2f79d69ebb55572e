"""A Hugging Face text encoder as item tower: exported and quantized through optimum.

The encoder's graph gets a new beginning (the mask comes from the padding) and a new end (mean over
tokens, then a projection to item vectors), so that it meets the contract of `item_tower.onnx`.
"""

import tempfile
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.errors import MissingExtraError

Floats = NDArray[np.float32]
MODEL_FILE = "model.onnx"


def export_encoder(folder: Path, target: Path) -> None:
    """Export an encoder of Hugging Face's layout to `target/model.onnx`, with its config.

    Raises:
        MissingExtraError: optimum's exporter is not installed.
    """
    try:
        from optimum.exporters.onnx import main_export
    except ImportError as error:
        raise MissingExtraError("optimum.exporters.onnx", "minilm") from error
    with warnings.catch_warnings():
        # optimum exports by way of TorchScript, of which torch warns at every step.
        warnings.simplefilter("ignore")
        main_export(
            str(folder),
            target,
            task="feature-extraction",
            library_name="transformers",
            do_validation=False,
        )


def with_head(encoder: bytes, weight: Floats, bias: Floats) -> bytes:
    """The encoder with token ids as its one input and item vectors as its one output.

    Args:
        encoder: ONNX with `input_ids`, `attention_mask`, maybe `token_type_ids`, and
            `last_hidden_state` (batch, tokens, encoder width).
        weight: (encoder width, width).
        bias: (width,).
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    proto = onnx.load_model_from_string(encoder)
    graph = proto.graph
    inputs = {entry.name for entry in graph.input}
    constants = {
        "tower.padding": np.array(0, np.int64),
        "tower.last": np.array([2], np.int64),
        "tower.tokens": np.array([1], np.int64),
        "tower.one": np.array(1, np.float32),
        "tower.weight": np.ascontiguousarray(weight, np.float32),
        "tower.bias": np.ascontiguousarray(bias, np.float32),
    }
    before = [
        helper.make_node("Identity", ["token_ids"], ["input_ids"]),
        helper.make_node("Equal", ["token_ids", "tower.padding"], ["tower.is_padding"]),
        helper.make_node("Not", ["tower.is_padding"], ["tower.kept"]),
        helper.make_node("Cast", ["tower.kept"], ["attention_mask"], to=TensorProto.INT64),
    ]
    if "token_type_ids" in inputs:
        before.append(helper.make_node("Mul", ["token_ids", "tower.padding"], ["token_type_ids"]))
    after = [
        helper.make_node("Cast", ["tower.kept"], ["tower.flags"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["tower.flags", "tower.last"], ["tower.mask"]),
        helper.make_node("Mul", ["last_hidden_state", "tower.mask"], ["tower.states"]),
        helper.make_node("ReduceSum", ["tower.states", "tower.tokens"], ["tower.sum"], keepdims=0),
        helper.make_node("ReduceSum", ["tower.mask", "tower.tokens"], ["tower.count"], keepdims=0),
        helper.make_node("Max", ["tower.count", "tower.one"], ["tower.atleast"]),
        helper.make_node("Div", ["tower.sum", "tower.atleast"], ["tower.mean"]),
        helper.make_node("MatMul", ["tower.mean", "tower.weight"], ["tower.projected"]),
        helper.make_node("Add", ["tower.projected", "tower.bias"], ["item_vector"]),
    ]
    nodes = [*before, *graph.node, *after]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in constants.items())
    graph.input.append(
        helper.make_tensor_value_info("token_ids", TensorProto.INT64, ["batch", "tokens"])
    )
    graph.output.append(
        helper.make_tensor_value_info("item_vector", TensorProto.FLOAT, ["batch", len(bias)])
    )
    onnx.checker.check_model(proto)
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def quantize_encoder(model: bytes, config: Path) -> bytes:
    """Dynamic int8, per channel, through optimum's quantizer.

    Args:
        model: The tower.
        config: The encoder's config.json, which the quantizer wants beside the model.

    Raises:
        MissingExtraError: optimum's quantizer is not installed.
    """
    try:
        from optimum.onnxruntime import ORTQuantizer
        from optimum.onnxruntime.configuration import AutoQuantizationConfig
    except ImportError as error:
        raise MissingExtraError("optimum.onnxruntime", "minilm") from error
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name, "source"), Path(name, "target")
        source.mkdir()
        (source / MODEL_FILE).write_bytes(model)
        (source / "config.json").write_bytes(config.read_bytes())
        how = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=True)
        quantizer = ORTQuantizer.from_pretrained(str(source), file_name=MODEL_FILE)
        quantizer.quantize(save_dir=str(target), quantization_config=how)
        return next(target.glob("*.onnx")).read_bytes()
