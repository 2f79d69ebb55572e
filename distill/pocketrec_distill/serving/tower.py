"""A user tower that reads many histories in one run, each from where its keys and values end.

Products with weights take the new events of all histories as one matrix, without padding: that is
where the time goes, and where the rows of many requests cost little more than those of one.
Attention pads, among histories with a like number of new events.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  (the field's own name)
from torch import Tensor

from pocketrec_distill.placement import CPU
from pocketrec_distill.serving.blocks import blocks_of
from pocketrec_distill.serving.slots import Claim
from pocketrec_distill.serving.tower_parts import TowerPart

# Histories whose new events differ by more than this factor do not pad each other.
_PADDING_FACTOR = 2


@dataclass(frozen=True)
class _Group:
    """Histories that attend together.

    Attributes:
        slots: Slot of each, int64 (histories,).
        tokens: Row of the packed events for each padded place, int64 (histories, places).
        valid: Which places are events, bool (histories, places).
        mask: What each place may attend to, bool (histories, 1, queries, length); queries are the
            places, once for each query head of a key head.
        length: Longest history, in events.
    """

    slots: Tensor
    tokens: Tensor
    valid: Tensor
    mask: Tensor
    length: int

    def to(self, device: torch.device) -> "_Group":
        """The same on a device."""
        slots, tokens, valid, mask = (
            part.to(device) for part in (self.slots, self.tokens, self.valid, self.mask)
        )
        return _Group(slots, tokens, valid, mask, self.length)


class CachedTower:
    """A tower and the keys and values of the histories that it read last.

    Not for several threads at once.

    Args:
        part: Weights and sizes.
        window: Longest history.
        slots: Histories kept; a claim's slot is below it.
        dtype: Of weights, keys and values: float32, or bfloat16 where the device multiplies it.
        device: Where all of it is.
    """

    def __init__(
        self,
        part: TowerPart,
        window: int,
        slots: int,
        dtype: torch.dtype,
        device: torch.device = CPU,
    ) -> None:
        self.part, self.shape = part, part.shape
        self.device = device
        self.items = part.tensors["items"].to(device, torch.float32).contiguous()
        self.blocks = blocks_of(part, window, dtype, device)
        size = (part.shape.blocks, 2, slots, part.shape.kv_heads, window, part.shape.head_dim)
        self.cache = torch.zeros(size, dtype=dtype, device=device)
        self.users = torch.zeros(slots, part.width, device=device)

    @torch.inference_mode()
    def read(self, claims: Sequence[Claim]) -> Tensor:
        """User vectors, float32 (claims, width), after the last event of each.

        The cache of each claim's slot then holds all of its events.

        Args:
            claims: Of different slots; those without new events are answered from memory.
        """
        fresh = sorted((claim for claim in claims if claim.new), key=lambda claim: claim.new)
        if fresh:
            slots = self._indices([claim.slot for claim in fresh])
            self.users[slots] = self._computed(fresh, slots)
        return self.users[self._indices([claim.slot for claim in claims])]

    def scores(self, users: Tensor) -> Tensor:
        """Scores of the whole catalogue for user vectors, float32 (users, items)."""
        return users @ self.items.T

    def _computed(self, claims: Sequence[Claim], slots: Tensor) -> Tensor:
        """User vectors of claims in the order of their new events."""
        counts = self._indices([claim.new for claim in claims])
        events = self._indices([i for claim in claims for i in claim.items[claim.cached :]])
        places = self._indices([p for c in claims for p in range(c.cached, len(c.items))])
        owners = slots.repeat_interleave(counts)
        heads = self.shape.heads // self.shape.kv_heads
        groups = [group.to(self.device) for group in _grouped(claims, heads)]
        scaled = self.items[events] * math.sqrt(self.part.width)
        positions = self.blocks.at(places)
        hidden = self.blocks.enter(scaled, positions)
        for block, cache in enumerate(self.cache):
            query, key, value = self.blocks.heads(block, hidden, positions)
            cache[0][owners, :, places] = key
            cache[1][owners, :, places] = value
            mixed = torch.cat([self._attended(query, cache, group) for group in groups])
            hidden = self.blocks.after(block, hidden, mixed)
        last = counts.cumsum(0) - 1
        return self.blocks.leave(hidden[last], scaled[last])

    def _indices(self, values: Sequence[int]) -> Tensor:
        return torch.tensor(values, device=self.device)

    def _attended(self, query: Tensor, cache: Tensor, group: _Group) -> Tensor:
        """Attention of a group's new events, packed (events, heads * head_dim)."""
        shape, (count, places) = self.shape, group.tokens.shape
        groups = shape.heads // shape.kv_heads
        key, value = (
            cache[part][:, :, : group.length].index_select(0, group.slots) for part in (0, 1)
        )
        # Query heads of one key head stand as more queries, so that keys are not repeated.
        asked = query[group.tokens].view(count, places, shape.kv_heads, groups, shape.head_dim)
        asked = asked.permute(0, 2, 3, 1, 4).reshape(count, shape.kv_heads, -1, shape.head_dim)
        mixed = F.scaled_dot_product_attention(asked, key, value, attn_mask=group.mask)
        mixed = mixed.view(count, shape.kv_heads, groups, places, shape.head_dim)
        return mixed.permute(0, 3, 1, 2, 4).reshape(count, places, -1)[group.valid]


def _grouped(claims: Sequence[Claim], heads: int) -> list[_Group]:
    """Groups of claims in the order of their new events, which is kept."""
    groups, start, first = [], 0, 0
    for end in range(1, len(claims) + 1):
        if end == len(claims) or claims[end].new > _PADDING_FACTOR * claims[start].new:
            groups.append(_group(claims[start:end], first, heads))
            first += sum(claim.new for claim in claims[start:end])
            start = end
    return groups


def _group(claims: Sequence[Claim], first: int, heads: int) -> _Group:
    """One group, whose packed events start at row `first`."""
    new = torch.tensor([claim.new for claim in claims])
    cached = torch.tensor([claim.cached for claim in claims])
    length = int((new + cached).max())
    local = torch.arange(int(new.max()))
    valid = local[None, :] < new[:, None]
    rows = first + (new.cumsum(0) - new)[:, None] + local[None, :]
    sees = torch.arange(length)[None, None, :] <= (cached[:, None] + local[None, :])[:, :, None]
    return _Group(
        slots=torch.tensor([claim.slot for claim in claims]),
        tokens=torch.where(valid, rows, first),
        valid=valid,
        mask=sees.repeat(1, heads, 1)[:, None],
        length=length,
    )
