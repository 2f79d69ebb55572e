"""Inner products of candidates with the reader that each was shown to, and their gradient."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_PART = 2048
"""Rows at once: of 128 wide a megabyte, which stays in the processor's caches."""


def products(users: Tensor, candidates: Tensor, impression: Tensor) -> Tensor:
    """<user vector, candidate> of each row, float32 (rows,); differentiable in the users.

    A reader's vector is not written out once for each of the candidates: on 160,000 of them, 128
    wide, one thread, that and its gradient take four times as long.

    Args:
        users: float32 (impressions, width).
        candidates: float32 (rows, width); constant.
        impression: Of each row, int64 (rows,).
    """
    found: Tensor = _Products.apply(users, candidates, impression)  # type: ignore[no-untyped-call]
    return found


class _Products(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, users: Tensor, candidates: Tensor, impression: Tensor) -> Tensor:
        ctx.save_for_backward(candidates, impression)
        ctx.users = users.shape
        return torch.cat(
            [
                torch.linalg.vecdot(users.index_select(0, impression[part]), candidates[part])
                for part in _parts(len(candidates))
            ]
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        candidates, impression = ctx.saved_tensors
        found = candidates.new_zeros(ctx.users)
        for part in _parts(len(candidates)):
            found.index_add_(0, impression[part], gradient[part, None] * candidates[part])
        return found, None, None


def _parts(rows: int) -> list[slice]:
    return [slice(start, start + _PART) for start in range(0, rows, _PART)]
