"""The text encoder: padding says nothing, order and every token say something."""

import torch

from pocketrec_distill.models import TowerShape
from pocketrec_distill.models.item_tower import ItemTower


def made() -> ItemTower:
    torch.manual_seed(0)
    shape = TowerShape(width=16, blocks=1, heads=2, kv_heads=2, hidden=24)
    return ItemTower(vocabulary=20, shape=shape, width=5).eval()


@torch.inference_mode()
def test_padding_changes_nothing() -> None:
    tower = made()
    short = tower(torch.tensor([[3, 7, 9]]))
    padded = tower(torch.tensor([[3, 7, 9, 0, 0, 0], [4, 4, 5, 6, 7, 8]]))
    assert short.shape == (1, 5)
    torch.testing.assert_close(padded[:1], short)
    # A negative maximum would otherwise be beaten by the padding's zero.
    assert not torch.equal(padded[1], padded[0])


@torch.inference_mode()
def test_an_empty_text_has_a_finite_vector_of_its_own() -> None:
    tower = made()
    empty = tower(torch.tensor([[0]]))
    assert torch.isfinite(empty).all()
    torch.testing.assert_close(empty[0], tower.head.bias)
    torch.testing.assert_close(tower(torch.tensor([[0, 0, 0], [1, 2, 3]]))[:1], empty)


@torch.inference_mode()
def test_reads_both_ways_and_in_order() -> None:
    tower = made()
    base = tower(torch.tensor([[3, 7, 9]]))
    for other in ([[9, 7, 3]], [[3, 7, 8]], [[2, 7, 9]]):
        assert (tower(torch.tensor(other)) - base).abs().max() > 1e-3


@torch.inference_mode()
def test_mean_and_maximum_by_hand() -> None:
    tower = made()
    # With silent blocks, the hidden states are the normed embeddings.
    for block in tower.blocks:
        torch.nn.init.zeros_(block.attention.output.weight)
        torch.nn.init.zeros_(block.feed.down.weight)
    rows = tower.tokens.weight[[3, 7]]
    rows = rows / (rows.pow(2).mean(dim=1, keepdim=True) + 1e-5).sqrt()
    pooled = torch.cat((rows.mean(dim=0), rows.amax(dim=0)))
    expected = tower.head.weight @ pooled + tower.head.bias
    torch.testing.assert_close(tower(torch.tensor([[3, 7, 0]]))[0], expected)
