"""Hidden states of a teacher as a further target of its depth-pruned student (SLMRec)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pocketrec_distill.llm.base import decoder_blocks
from pocketrec_distill.models.teacher import Teacher
from pocketrec_distill.training.losses import hidden_alignment

MOST_GROUPS = 4
"""SLMRec found four groups of blocks best."""


def group_ends(depth: int, groups: int) -> list[int]:
    """Numbers, from 0, of the last block of each of `groups` equal parts of `depth` blocks."""
    return [round(depth * group / groups) - 1 for group in range(1, groups + 1)]


class Alignment:
    """The distance between hidden states, group of blocks by group of blocks.

    Args:
        teacher: Gives the states; nothing of it is changed.
        weight: What the distance counts in the loss.
    """

    def __init__(self, teacher: Teacher, weight: float) -> None:
        self.teacher, self.weight = teacher, weight
        self._table: Tensor | None = None

    def __call__(self, states: list[Tensor], items: Tensor) -> Tensor:
        """Weighted distance of the student's states to the teacher's.

        Args:
            states: After each of the student's blocks, (batch, length, width) each.
            items: The events, int64 (batch, length), negative where a history has ended.
        """
        wanted = self._teacher_states(items)
        groups = min(MOST_GROUPS, len(states))
        there = items >= 0
        ours = [states[end][there] for end in group_ends(len(states), groups)]
        theirs = [wanted[end][there] for end in group_ends(len(wanted), groups)]
        return self.weight * hidden_alignment(ours, theirs)

    @torch.no_grad()
    def _teacher_states(self, items: Tensor) -> list[Tensor]:
        if self._table is None:
            self.teacher.eval()
            self._table = self.teacher.item_vectors()
        with recorded(decoder_blocks(self.teacher.llm)) as states:
            self.teacher(self._table[items.clamp_min(0)])
        return states


@contextmanager
def recorded(blocks: nn.ModuleList) -> Iterator[list[Tensor]]:
    """A list that takes up what each block answers, as float32, while the context lasts."""
    states: list[Tensor] = []

    def keep(_block: nn.Module, _inputs: Any, output: Any) -> None:
        hidden = output[0] if isinstance(output, tuple) else output
        states.append(hidden.float())

    hooks = [block.register_forward_hook(keep) for block in blocks]
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()
