"""Losses of continued pretraining. Pure functions."""

import torch
from torch import Tensor
from torch.nn import functional


def next_token_loss(logits: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """Mean cross-entropy of each real token after those before it.

    Args:
        logits: float32 (texts, length, vocabulary).
        ids: Token ids int64 (texts, length), right-padded.
        mask: 1 for real tokens, 0 for padding, (texts, length).
    """
    known = mask[:, 1:].bool()
    return functional.cross_entropy(logits[:, :-1][known].float(), ids[:, 1:][known])


def info_nce(first: Tensor, second: Tensor, pairs: Tensor, temperature: float) -> Tensor:
    """InfoNCE with in-batch negatives, both ways (van den Oord et al., 2018; SimCSE, Gao, 2021).

    Row `i` of one side belongs to row `i` of the other, and to none of the others, save for those
    that are the same item as `i`'s own: these are no negatives and are left out.

    Args:
        first: Vectors float32 (pairs, width).
        second: Likewise.
        pairs: Item indices of both sides, int64 (pairs, 2).
        temperature: Divides the cosines.
    """
    cosines = functional.normalize(first, dim=1) @ functional.normalize(second, dim=1).T
    logits = cosines / temperature
    own = torch.eye(len(pairs), dtype=torch.bool, device=logits.device)
    left, right = pairs[:, 0], pairs[:, 1]
    # A column is no negative of a row that holds the same item on either side.
    same = (left[:, None] == right[None, :]) | (right[:, None] == right[None, :])
    forward = logits.masked_fill(same & ~own, -torch.inf)
    same_back = (left[:, None] == left[None, :]) | (left[:, None] == right[None, :])
    backward = logits.masked_fill(same_back & ~own, -torch.inf).T
    places = torch.arange(len(pairs), device=logits.device)
    return (
        functional.cross_entropy(forward, places) + functional.cross_entropy(backward, places)
    ) / 2
