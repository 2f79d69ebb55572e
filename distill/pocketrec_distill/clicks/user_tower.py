"""The click user tower in the bundle's contract: the mean of a history, turned by the head."""

import torch
from torch import Tensor, nn

from pocketrec_distill.clicks.head import ClickHead
from pocketrec_distill.export.onnx import export_model


class ClickUserTower(nn.Module):
    """User vectors from item vectors, with the events so far as cache.

    Key and value of its one block are the item vectors themselves (one head as wide as they are):
    the mean of what was read in parts is the mean of what is read at once.

    Args:
        head: The learned weights.
    """

    def __init__(self, head: ClickHead) -> None:
        super().__init__()
        metric = torch.from_numpy(head.metric)
        turned = head.scale * (torch.eye(len(metric)) + metric)
        self.turned = nn.Parameter(turned.contiguous())
        self.taste = nn.Parameter(torch.from_numpy(head.taste))

    def forward(self, item_vectors: Tensor, past: list[Tensor]) -> tuple[Tensor, ...]:
        """User vector (batch, width), then key and value (batch, 1, past + length, width).

        Args:
            item_vectors: New events (batch, length, width).
            past: Key and value, (batch, 1, past length, width) each.
        """
        new = item_vectors[:, None]
        key, value = (torch.cat((part, new), dim=2) for part in past)
        mean = value[:, 0].mean(dim=1)
        return mean @ self.turned + self.taste, key, value


def export_click_user_tower(head: ClickHead) -> bytes:
    """The tower as ONNX, in the contract of docs/bundle-format.md with one block."""
    width = len(head.taste)
    batch, length, past_length = (torch.export.Dim(n) for n in ("batch", "length", "past_length"))
    past = [torch.zeros(2, 1, 5, width) for _ in range(2)]
    return export_model(
        ClickUserTower(head),
        (torch.zeros(2, 3, width), past),
        ["item_vectors", "past_key_values.0.key", "past_key_values.0.value"],
        ["user_vector", "present.0.key", "present.0.value"],
        ({0: batch, 1: length}, [{0: batch, 2: past_length} for _ in past]),
    )
