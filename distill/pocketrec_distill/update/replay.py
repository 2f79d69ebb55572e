"""Replay without the old data: histories that the old student itself finds likely."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocketrec_distill.models.base import History
from pocketrec_distill.models.student import Student

_BATCH = 256


@torch.inference_mode()
def made_up_histories(
    student: Student,
    popularity: NDArray[np.float32],
    count: int,
    length: int,
    seed: int,
) -> list[History]:
    """Histories drawn from a student: generative replay (Shin et al., NeurIPS 2017).

    A first item is drawn by popularity, every next one from the student's probabilities of items
    that are not there yet. No user's history takes part, so that a bundle alone can be replayed.

    Args:
        student: The old student.
        popularity: Shares of its items, float32 (old items,); all 0 where nothing is known.
        count: How many.
        length: Events of each; fewer where there are not so many items.
        seed: Of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    student.eval()
    items = len(popularity)
    table = student.item_vectors()[:items]
    shares = torch.from_numpy(popularity.astype(np.float64))
    if not float(shares.sum()) > 0:
        shares = torch.ones(items, dtype=torch.float64)
    length = min(length, items)
    drawn: list[History] = []
    for start in range(0, count, _BATCH):
        rows = min(_BATCH, count - start)
        events = torch.multinomial(shares, rows, replacement=True, generator=generator)[:, None]
        while events.shape[1] < length:
            events = torch.cat((events, _next(student, table, events, generator)), dim=1)
        drawn += list(events.numpy().astype(np.int32))
    return drawn


def _next(student: Student, table: Tensor, events: Tensor, generator: torch.Generator) -> Tensor:
    scores = student(table[events])[:, -1] @ table.T
    scores = scores.scatter(1, events, -torch.inf)
    return torch.multinomial(scores.softmax(dim=-1), 1, generator=generator)
