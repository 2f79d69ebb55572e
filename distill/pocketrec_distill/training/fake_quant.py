"""Quantization-aware fine-tuning: rounding in the forward pass, straight through in the backward.

Bengio, Léonard and Courville (2013); Jacob et al. (CVPR 2018).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from pocketrec_distill.export.weight_only import Bits, block_of, quantize_matrix
from pocketrec_distill.models.base import SequenceModel

# 4-bit rows start from this share of their largest component, then take the best-fitting scale.
ROW_CLIP = 0.85


def straight_through(exact: Tensor, rounded: Tensor) -> Tensor:
    """`rounded` forward, the gradient of `exact` backward."""
    return exact + (rounded - exact).detach()


def rounded_rows(vectors: Tensor, bits: Bits) -> Tensor:
    """Item vectors (items, width) as rows of 8 or 4 bits with a scale each would give them back."""
    largest = 127 if bits == 8 else 7
    scales = vectors.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / largest
    if bits == 4:
        scales = scales * ROW_CLIP
        codes = (vectors / scales).round().clamp(-largest, largest)
        squares = codes.pow(2).sum(dim=1, keepdim=True)
        fitted = (vectors * codes).sum(dim=1, keepdim=True) / squares.clamp_min(1e-12)
        scales = torch.where(fitted > 0, fitted, scales)
    return (vectors / scales).round().clamp(-largest, largest) * scales


def rounded_weight(weight: Tensor, bits: Bits) -> Tensor:
    """A `Linear`'s weight (outputs, inputs) as the exported tower will hold it."""
    codes, scales = quantize_matrix(weight.detach().T.contiguous().cpu().numpy(), bits)
    repeated = torch.from_numpy(scales).repeat_interleave(block_of(len(codes), bits), dim=0)
    return (torch.from_numpy(codes) * repeated).T.to(weight)


class FakeQuantWeight(nn.Module):
    """A parametrization: the weight as it will be stored."""

    def __init__(self, bits: Bits) -> None:
        super().__init__()
        self.bits: Bits = bits

    def forward(self, weight: Tensor) -> Tensor:
        """Same shape, rounded; the gradient passes."""
        return straight_through(weight, rounded_weight(weight, self.bits))


@contextmanager
def quantized(
    model: SequenceModel, *, tower_bits: Bits | None, row_bits: Bits | None
) -> Iterator[None]:
    """The model as it will be stored, for as long as the context lasts; trainable all the while.

    Afterwards its matrices keep the values that they were rounded to, so that storing them loses
    nothing more; item vectors are rounded when they are stored.

    Args:
        model: A student; its blocks' linear layers are rounded, and its item vectors.
        tower_bits: Of the tower's matrices; None leaves them.
        row_bits: Of item vectors; None leaves them.
    """
    layers = [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and not name.startswith("items.")
    ]
    if tower_bits is not None:
        for layer in layers:
            parametrize.register_parametrization(layer, "weight", FakeQuantWeight(tower_bits))

    def round_rows(_module: nn.Module, _inputs: Any, vectors: Tensor) -> Tensor:
        assert row_bits is not None  # noqa: S101  (the hook is registered only then)
        return straight_through(vectors, rounded_rows(vectors, row_bits))

    items = model.get_submodule("items")
    hook = None if row_bits is None else items.register_forward_hook(round_rows)
    try:
        yield
    finally:
        if hook is not None:
            hook.remove()
        if tower_bits is not None:
            for layer in layers:
                parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def round_tower(model: SequenceModel, bits: Bits) -> None:
    """Round the tower's matrices in place, as the exported tower of so many bits holds them."""
    with quantized(model, tower_bits=bits, row_bits=None):
        pass  # on leaving, matrices keep what they were rounded to
