"""A student recovered from a bundle: its user tower's weights, and its item vectors as a table."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocketrec_distill.errors import DataError, NotRecoverableError
from pocketrec_distill.export.stored import stored_floats
from pocketrec_distill.models.llama import LlamaBlock, TowerShape
from pocketrec_distill.models.student import Student
from pocketrec_runtime import BundleContents, Catalogue
from pocketrec_runtime.errors import PocketrecError

Floats = NDArray[np.float32]


def recovered_student(contents: BundleContents, new_items: Floats, dropout: float) -> Student:
    """The bundle's student, ready to be trained on.

    The user tower of a bundle is the fused form of the student's, its weights under fixed names.
    They come back as the tower multiplies with them: exactly, or rounded to the int8 or int4 codes
    that it stores. Item vectors come back as the catalogue holds them, as one table of residuals
    (text and residual are no longer apart).

    Args:
        contents: The bundle.
        new_items: Vectors of items beyond its catalogue, float32 (new, width).
        dropout: Of the training to come.

    Raises:
        NotRecoverableError: The tower is of another family, quantizes activations, or is GGUF
            alone.
    """
    weights = _weights(contents.user_tower)
    model = contents.model
    hidden = _hidden(weights, model.width)
    try:
        shape = TowerShape(model.width, model.blocks, model.heads, model.kv_heads, hidden)
    except PocketrecError as error:
        raise NotRecoverableError(f"the user tower is no student's: {error}") from error
    table = np.concatenate((contents.catalogue.vectors, new_items))
    student = Student(len(table), shape, None, dropout)
    try:
        with torch.no_grad():
            student.items.residual.copy_(torch.from_numpy(table))
            student.norm.weight.copy_(weights["norm.weight"])
            for number, block in enumerate(student.blocks):
                prefix = f"blocks.{number}."
                own = {k.removeprefix(prefix): v for k, v in weights.items() if prefix in k}
                _fill(block, own, shape)  # type: ignore[arg-type]
    except (KeyError, RuntimeError) as error:
        raise NotRecoverableError(
            f"the user tower's weights do not fit {shape}: {error}; distil a new bundle"
        ) from error
    return student


def _weights(tower: bytes | None) -> dict[str, Tensor]:
    if tower is None:
        raise NotRecoverableError("the bundle has a GGUF tower alone; update needs an ONNX one")
    return {name: torch.from_numpy(value) for name, value in stored_floats(tower).items()}


def _hidden(weights: dict[str, Tensor], width: int) -> int:
    try:
        return int(weights["blocks.0.feed_out"].shape[0])
    except KeyError as error:
        raise NotRecoverableError(
            f"the user tower of width {width} holds no {error}: it is no student of this family, "
            "or its activations are quantized; distil a new bundle"
        ) from error


def _fill(block: LlamaBlock, own: dict[str, Tensor], shape: TowerShape) -> None:
    """Take a fused block apart."""
    joined = own["attention_in"].T
    queries = shape.heads * shape.head_dim
    values = shape.kv_heads * shape.head_dim
    attention, feed = block.attention, block.feed
    # Queries and keys come first; their turned halves may stand between them and the values.
    attention.query.weight.copy_(joined[:queries] * math.sqrt(shape.head_dim))
    attention.key.weight.copy_(joined[queries : queries + values])
    attention.value.weight.copy_(joined[-values:])
    attention.output.weight.copy_(own["attention_out"].T)
    gate_up = own["feed_in"].T
    feed.gate.weight.copy_(gate_up[: shape.hidden])
    feed.up.weight.copy_(gate_up[shape.hidden :])
    feed.down.weight.copy_(own["feed_out"].T)
    block.attention_norm.weight.copy_(own["attention_norm.weight"])
    block.feed_norm.weight.copy_(own["feed_norm.weight"])


def check_recovered(student: Student, contents: BundleContents, tolerance: float = 1e-3) -> None:
    """Refuse a student that does not answer as the bundle does.

    Raises:
        NotRecoverableError: A score of the bundle's golden queries differs by more.
        DataError: The bundle has no golden query.
    """
    catalogue = contents.catalogue
    if not contents.golden.queries:
        raise DataError("the bundle has no golden query to check the recovered student with")
    student.eval()
    for query in contents.golden.queries:
        history = _indices(catalogue, query.history)[-contents.model.window :]
        found = _indices(catalogue, query.item_ids)
        with torch.inference_mode():
            table = student.item_vectors()
            user = student(table[history][None])[0, -1]
            scores = (table[found] @ user).numpy() + catalogue.bias[found]
        difference = float(np.abs(scores - np.asarray(query.scores)).max(initial=0.0))
        if not difference <= tolerance:
            raise NotRecoverableError(
                f"the recovered student scores a golden query {difference:.4f} away from the "
                f"bundle (limit {tolerance}); distil a new bundle"
            )


def _indices(catalogue: Catalogue, ids: Sequence[str]) -> list[int]:
    """Indices of golden ids, which a bundle's catalogue always holds."""
    found = (catalogue.index_of(item) for item in ids)
    return [index for index in found if index is not None]
