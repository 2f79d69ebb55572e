"""Which items stand for a large catalogue in one step, and what the student says of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pocketrec_distill.models.base import History
from pocketrec_distill.training.losses import MASKED, log_partition

# Half of the draws are even, half by popularity to this power (Mikolov et al., 2013): hard
# negatives are popular, and an even share keeps every importance weight bounded.
POPULARITY_POWER = 0.75
EVEN_SHARE = 0.5
# The student's own top items are looked for among this many drawn items at most, anew each step.
MINING_POOL = 16_384
# Scores held at once while mining.
_MAX_SCORES = 16_000_000


@dataclass(frozen=True)
class Proposal:
    """The distribution that negatives are drawn from.

    Attributes:
        log_probabilities: float32 (items,).
        cumulative: float64 (items,), the last is 1.
    """

    log_probabilities: Tensor
    cumulative: Tensor

    @classmethod
    def from_sequences(cls, sequences: Sequence[History], items: int) -> "Proposal":
        """Half even, half by how often an item stands in the sequences."""
        counts = np.bincount(np.concatenate(sequences), minlength=items).astype(np.float64)
        popular = counts**POPULARITY_POWER
        shares = EVEN_SHARE / items + (1 - EVEN_SHARE) * popular / popular.sum()
        cumulative = torch.from_numpy(np.cumsum(shares))
        return cls(torch.from_numpy(np.log(shares).astype(np.float32)), cumulative)

    def to(self, device: torch.device) -> "Proposal":
        """The same on a device."""
        return Proposal(self.log_probabilities.to(device), self.cumulative.to(device))

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Items int64 (count,), with replacement, by torch's generator, and their log weights.

        A log weight is -log(count * probability): for how many items a draw stands.
        """
        points = torch.rand(count, dtype=torch.float64, device=self.cumulative.device)
        points = points * self.cumulative[-1]
        drawn = torch.searchsorted(self.cumulative, points).clamp_max(len(self.cumulative) - 1)
        return drawn, -self.log_probabilities[drawn] - np.log(count)


@torch.no_grad()
def own_top(users: Tensor, table: Tensor, count: int) -> Tensor:
    """The student's own best items of a drawn pool, int64 (positions, count).

    Args:
        users: User vectors (positions, width).
        table: Item vectors (items, width).
        count: Items per position.
    """
    items, device = len(table), table.device
    if items > MINING_POOL:
        pool = torch.randperm(items, device=device)[:MINING_POOL]
    else:
        pool = torch.arange(items, device=device)
    vectors, count = table[pool], min(count, len(pool))
    chunk = max(1, _MAX_SCORES // len(pool))
    parts = [(part @ vectors.T).topk(count, dim=-1).indices for part in torch.split(users, chunk)]
    return pool[torch.cat(parts)]


def first_of_each(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Where an item stands for the first time in its row, bool, and the rows sorted.

    Args:
        rows: Item indices int64 (positions, columns); negative ones are no items.
    """
    ordered, places = rows.sort(dim=-1, stable=True)
    fresh = torch.ones_like(ordered, dtype=torch.bool)
    fresh[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = torch.empty_like(fresh).scatter_(-1, places, fresh & (ordered >= 0))
    return first, ordered


def contained(values: Tensor, ordered: Tensor) -> Tensor:
    """Which of `values`, (columns,) or (positions, columns), stand in each sorted row: bool."""
    wanted = values.expand(len(ordered), -1).contiguous()
    places = torch.searchsorted(ordered, wanted).clamp_max(ordered.shape[1] - 1)
    return ordered.gather(-1, places) == wanted


@dataclass(frozen=True)
class Closure:
    """What the student says of the items that stand for the catalogue, at some positions.

    Attributes:
        candidates: Scores of the teacher's candidates (positions, candidates); MASKED for none.
        rest: Log sum of exp over all other items, estimated (positions,).
        unseen: The same without the items of the history, which are never recommended.
        target: Score of the item that came next (positions,).
        bar: Score of the last of as many own top items as there are candidates (positions,).
    """

    candidates: Tensor
    rest: Tensor
    unseen: Tensor
    target: Tensor
    bar: Tensor

    def __getitem__(self, positions: Tensor) -> "Closure":
        """The same at some positions, given as a mask."""
        parts = (self.candidates, self.rest, self.unseen, self.target, self.bar)
        return Closure(*(part[positions] for part in parts))

    @property
    def partition(self) -> Tensor:
        """Log sum of exp over the whole catalogue, estimated (positions,)."""
        columns = torch.cat((self.candidates, self.rest[:, None]), dim=-1)
        return torch.logsumexp(columns, dim=-1)


def close(
    users: Tensor, table: Tensor, targets: Tensor, candidates: Tensor, *, seen: Tensor, own: int,
    drawn: tuple[Tensor, Tensor],
) -> Closure:  # fmt: skip
    """Score the closed set: candidates, target, the student's own top items, and draws.

    Args:
        users: User vectors (positions, width).
        table: Item vectors (items, width).
        targets: Items that came next, int64 (positions,).
        candidates: The teacher's, int64 (positions, candidates), negative for none.
        seen: Items of the history at each position, int64 (positions, longest).
        own: How many of the student's own top items are looked for.
        drawn: Draws and their log weights, from `Proposal.draw`.
    """
    count = candidates.shape[1]
    mined = own_top(users, table, own)
    exact = torch.cat((candidates, targets[:, None], mined), dim=-1)
    scores = torch.einsum("pw,pcw->pc", users, table[exact.clamp_min(0)])
    first, ordered = first_of_each(exact)
    log_weights = torch.where(first, 0.0, MASKED)
    draws, draw_weights = drawn
    others = torch.cat((exact[:, count:], draws.expand(len(exact), -1)), dim=-1)
    rest_scores = torch.cat((scores[:, count:], users @ table[draws].T), dim=-1)
    repeated = contained(draws, ordered)
    rest_weights = torch.cat(
        (log_weights[:, count:], torch.where(repeated, MASKED, draw_weights)), dim=-1
    )
    history = seen.sort(dim=-1).values
    unseen_weights = torch.where(contained(others, history), MASKED, rest_weights)
    known = (scores + log_weights).detach()
    bar = known.topk(max(1, min(count, known.shape[1])), dim=-1).values[:, -1]
    return Closure(
        candidates=scores[:, :count] + log_weights[:, :count],
        rest=log_partition(rest_scores, rest_weights),
        unseen=log_partition(rest_scores, unseen_weights),
        target=scores[:, count],
        bar=bar,
    )
