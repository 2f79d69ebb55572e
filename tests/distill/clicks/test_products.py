"""Products of candidates with their readers: the plain way's values and gradients, in parts."""

import pytest
import torch

from pocketrec_distill.clicks import products as module
from pocketrec_distill.clicks.products import products


@pytest.mark.parametrize("part", [1, 3, 7, 100])
def test_parts_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    monkeypatch.setattr(module, "_PART", part)
    generator = torch.Generator().manual_seed(0)
    candidates = torch.randn(13, 5, generator=generator)
    # Readers without a candidate, and one whose candidates lie in two parts.
    impression = torch.tensor([1, 1, 1, 2, 2, 2, 2, 2, 4, 5, 5, 5, 5])
    pulls = torch.randn(13, generator=generator)
    gradients = []
    for way in (products, lambda u, c, i: (u[i] * c).sum(dim=1)):
        users = torch.randn(7, 5, generator=torch.Generator().manual_seed(1), requires_grad=True)
        found = way(users, candidates, impression)
        (found * pulls).sum().backward()
        gradients.append((found.detach(), users.grad))
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain)
    assert not gradients[0][1][[0, 3, 6]].any()
