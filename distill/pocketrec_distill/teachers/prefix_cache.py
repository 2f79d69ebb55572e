"""Scoring many suffixes after one prefix: the prefix's keys and values are computed once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass
class PrefixCount:
    """How much was computed, and how much reused.

    Attributes:
        prefixes: Prefixes computed.
        prefix_tokens: Tokens in them, each computed once.
        suffixes: Suffixes scored.
        reused_tokens: Prefix tokens that suffixes read from the cache instead of computing them.
    """

    prefixes: int = 0
    prefix_tokens: int = 0
    suffixes: int = 0
    reused_tokens: int = 0


def suffix_logits(
    lm: Any,
    prefix: Tensor,
    suffixes: Sequence[Sequence[int]],
    *,
    tokens: Tensor,
    padding: int,
    batch: int,
    count: PrefixCount,
) -> Tensor:
    """Logits of some next tokens after `prefix + suffix`, for each suffix.

    Args:
        lm: A causal LM with its head.
        prefix: Token ids int64 (1, prefix length); computed once.
        suffixes: Token ids of each suffix, not empty.
        tokens: Which next tokens' logits are wanted, int64 (tokens,).
        padding: Token id that fills shorter suffixes; masked out.
        batch: Suffixes per pass.
        count: Is raised by what was computed.

    Returns:
        float32 (suffixes, tokens).
    """
    shared = lm(input_ids=prefix, use_cache=True, logits_to_keep=1).past_key_values
    layers = [(layer.keys, layer.values) for layer in shared.layers]
    count.prefixes += 1
    count.prefix_tokens += prefix.shape[1]
    # Similar lengths share a batch; the order is restored at the end.
    order = sorted(range(len(suffixes)), key=lambda row: len(suffixes[row]))
    found = torch.empty(len(suffixes), len(tokens))
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        chosen = [list(suffixes[row]) for row in rows]
        found[rows] = _one_pass(lm, layers, chosen, tokens, padding).cpu()
        count.suffixes += len(rows)
        count.reused_tokens += len(rows) * prefix.shape[1]
    return found


def _one_pass(
    lm: Any,
    layers: Sequence[tuple[Tensor, Tensor]],
    suffixes: Sequence[list[int]],
    tokens: Tensor,
    padding: int,
) -> Tensor:
    device, before = layers[0][0].device, layers[0][0].shape[2]
    lengths = torch.tensor([len(suffix) for suffix in suffixes], device=device)
    longest = int(lengths.max())
    ids = torch.tensor([s + [padding] * (longest - len(s)) for s in suffixes], device=device)
    places = torch.arange(longest, device=device)
    kept = (places < lengths[:, None]).long()
    mask = torch.cat((torch.ones(len(ids), before, dtype=torch.long, device=device), kept), dim=1)
    last, which = torch.unique(lengths - 1, return_inverse=True)
    output = lm(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(places + before).expand(len(ids), -1),
        past_key_values=_expanded(layers, len(ids)),
        use_cache=True,
        logits_to_keep=last,
    )
    logits: Tensor = output.logits[torch.arange(len(ids), device=device), which]
    return logits[:, tokens.to(device)].float()


def _expanded(layers: Sequence[tuple[Tensor, Tensor]], rows: int) -> Any:
    """A fresh cache of one prefix, `rows` times; what is appended leaves the prefix alone."""
    from transformers import DynamicCache

    cache = DynamicCache()
    for index, (keys, values) in enumerate(layers):
        cache.update(
            keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), layer_idx=index
        )
    return cache
