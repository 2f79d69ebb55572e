"""GGUF export of a user tower: architecture `llama`, no vocabulary, fed with item vectors.

Written with the `gguf` package alone; llama.cpp is not needed to export, only to run.
"""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
import torch

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models.llama import LlamaBlock
from pocketrec_distill.models.llm_student import INPUT_NORM_EPS, LlmStudent
from pocketrec_distill.models.student import Student
from pocketrec_runtime.gguf.blocks import BLOCK
from pocketrec_runtime.gguf.tower import (
    ARCHITECTURE,
    BLOCK_TENSORS,
    VOCABULARY,
    pairs_from_halves,
)
from pocketrec_runtime.llama_weights import BlockWeights, Floats, LlamaWeights

Precision = Literal["F32", "F16", "Q8_0", "Q4_0"]
"""How matrices are stored; norms stay float32."""


def export_gguf(student: Student | LlmStudent, window: int, precision: Precision = "F16") -> bytes:
    """The student's user tower as `user_tower.gguf`."""
    return write_gguf(student_weights(student), window, precision)


def student_weights(student: Student | LlmStudent) -> LlamaWeights:
    """A student as plain arrays; an LLM student with its projections around the blocks."""
    shape = student.shape
    weights = LlamaWeights(
        tuple(block_weights(cast(LlamaBlock, block)) for block in student.blocks),
        array(student.norm.weight),
        shape.heads,
        shape.kv_heads,
        shape.head_dim,
        eps=student.norm.eps,
        input_scale=student.input_scale,
    )
    if isinstance(student, Student):
        return weights
    return replace(
        weights,
        rope_theta=student.rope_theta,
        enter=array(student.enter.weight),
        input_norm_eps=INPUT_NORM_EPS,
        leave=array(student.leave.weight),
        skip_gain=float(student.skip_gain.detach()),
    )


def block_weights(block: LlamaBlock) -> BlockWeights:
    """One block of ours as plain arrays."""
    attention, feed = block.attention, block.feed
    return BlockWeights(
        attention_norm=array(block.attention_norm.weight),
        query=array(attention.query.weight),
        key=array(attention.key.weight),
        value=array(attention.value.weight),
        output=array(attention.output.weight),
        feed_norm=array(block.feed_norm.weight),
        gate=array(feed.gate.weight),
        up=array(feed.up.weight),
        down=array(feed.down.weight),
    )


def array(tensor: torch.Tensor) -> Floats:
    """A parameter as float32, contiguous, apart from the graph."""
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy())


def write_gguf(weights: LlamaWeights, window: int, precision: Precision = "F16") -> bytes:
    """The bytes of `user_tower.gguf`.

    Args:
        weights: Any tower of Llama blocks.
        window: Longest history, in events; llama.cpp's context length.
        precision: How matrices are stored. A matrix whose rows do not divide by 32 is stored as
            F16 where Q8_0 or Q4_0 was asked for.

    Raises:
        ConfigError: An unknown precision.
    """
    if precision not in get_args(Precision):
        raise ConfigError(f"precision {precision!r} is none of {', '.join(get_args(Precision))}")
    import gguf

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "user_tower.gguf")
        writer = gguf.GGUFWriter(path, ARCHITECTURE)
        _write_metadata(writer, weights, window)
        for name, matrix in _tensors(weights):
            kind = gguf.GGMLQuantizationType[_stored_as(matrix, precision)]
            writer.add_tensor(name, gguf.quantize(matrix, kind), raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path.read_bytes()


def _write_metadata(writer: Any, weights: LlamaWeights, window: int) -> None:
    for key, number in {
        "vocab_size": 1,
        "block_count": len(weights.blocks),
        "context_length": window,
        "embedding_length": weights.inner,
        "feed_forward_length": weights.hidden,
        "attention.head_count": weights.heads,
        "attention.head_count_kv": weights.kv_heads,
        "attention.key_length": weights.head_dim,
        "attention.value_length": weights.head_dim,
        "rope.dimension_count": weights.head_dim,
    }.items():
        writer.add_uint32(f"{ARCHITECTURE}.{key}", number)
    writer.add_float32(f"{ARCHITECTURE}.attention.layer_norm_rms_epsilon", weights.eps)
    writer.add_float32(f"{ARCHITECTURE}.rope.freq_base", weights.rope_theta)
    writer.add_string("tokenizer.ggml.model", VOCABULARY)
    writer.add_float32("pocketrec.input_scale", weights.input_scale)
    writer.add_float32("pocketrec.skip_gain", weights.skip_gain)
    if weights.input_norm_eps is not None:
        writer.add_float32("pocketrec.input_norm_epsilon", weights.input_norm_eps)
    for name, matrix in (("enter", weights.enter), ("leave", weights.leave)):
        if matrix is not None:
            writer.add_array(f"pocketrec.{name}", matrix.reshape(-1).tolist())


def _tensors(weights: LlamaWeights) -> list[tuple[str, Floats]]:
    """Every tensor by its name in GGUF, queries and keys in llama.cpp's order."""
    # llama.cpp asks for a token embedding; one token is there, and never read.
    tensors = [("token_embd.weight", np.zeros((1, weights.inner), np.float32))]
    for number, block in enumerate(weights.blocks):
        for theirs, ours in BLOCK_TENSORS.items():
            part: Floats = getattr(block, ours)
            if ours in ("query", "key"):
                part = pairs_from_halves(part, weights.head_dim)
            tensors.append((f"blk.{number}.{theirs}.weight", part))
    return [*tensors, ("output_norm.weight", weights.norm)]


def _stored_as(matrix: Floats, precision: Precision) -> Precision:
    if matrix.ndim == 1 or len(matrix) == 1:
        return "F32"
    if precision in ("Q8_0", "Q4_0") and matrix.shape[1] % BLOCK:
        return "F16"
    return precision
