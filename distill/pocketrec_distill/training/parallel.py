"""Data-parallel training over processes that torchrun started: the loss of one process, shared out.

Every process holds the whole model and all sequences, takes its share of each batch, and adds up
gradients with the others. Shares are weighed by what they count in the batch's mean, so that loss
and gradient are those of one process up to rounding, however uneven the shares are.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn

from pocketrec_distill.errors import ConfigError

TIMEOUT_S = 1800


@dataclass(frozen=True)
class Group:
    """The processes of this run.

    Attributes:
        rank: Number of this one, from 0.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process validates, writes and speaks."""
        return self.rank == 0

    def share(
        self, indices: NDArray[np.int64], counts: NDArray[np.floating]
    ) -> tuple[NDArray[np.int64], float]:
        """This process's part of a batch, and its part of the batch's mean, 0 to 1.

        Args:
            indices: Sequences of the batch, the same in every process.
            counts: What each of them counts, such as the sum of its targets' weights.
        """
        total = float(counts.sum())
        if self.size == 1 or total == 0:
            return indices[self.rank :: self.size], 1 / self.size
        mine = slice(self.rank, None, self.size)
        return indices[mine], float(counts[mine].sum()) / total

    def add_up(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its sum over all processes."""
        if self.size > 1:
            for tensor in tensors:
                distributed.all_reduce(tensor)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up gradients; a parameter that this process's share did not touch counts 0."""
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.requires_grad:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                distributed.all_reduce(parameter.grad)

    def from_leader(self, value: float) -> float:
        """The leading process's value, in every process."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        distributed.broadcast(shared, src=0)
        return float(shared)


ALONE = Group()
"""One process, which waits for no other."""


def current_group() -> Group:
    """The group of this process: one alone, unless `data_parallel` is open."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return ALONE
    return Group(distributed.get_rank(), distributed.get_world_size())


def started() -> int:
    """How many processes torchrun started; 1 without torchrun.

    Raises:
        ConfigError: torchrun's variables are there but make no sense.
    """
    size, rank = os.environ.get("WORLD_SIZE", "1"), os.environ.get("RANK", "0")
    if not (size.isdigit() and rank.isdigit() and int(rank) < int(size)):
        raise ConfigError(
            f"WORLD_SIZE is {size!r} and RANK {rank!r}; start several processes with torchrun"
        )
    return int(size)


def _backends() -> str:
    """NCCL where every process of this machine can have a CUDA device of its own, else Gloo."""
    devices, processes = torch.cuda.device_count(), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return "cpu:gloo,cuda:nccl" if devices >= processes else "gloo"


@contextmanager
def data_parallel() -> Iterator[Group]:
    """Join the processes that torchrun started, for as long as the context lasts.

    Without torchrun this process is alone, and nothing is opened.

    Raises:
        ConfigError: torchrun's variables are there but make no sense.
    """
    if started() == 1:
        yield ALONE
        return
    distributed.init_process_group(_backends(), timeout=timedelta(seconds=TIMEOUT_S))
    try:
        yield current_group()
    finally:
        distributed.destroy_process_group()
