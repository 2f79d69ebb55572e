"""Fine-tuning for a precision: the forward pass rounds as storage will, the gradient passes."""

import numpy as np
import pytest
import torch

from pocketrec_distill.export.weight_only import quantize_matrix
from pocketrec_distill.models import TowerShape
from pocketrec_distill.models.student import Student
from pocketrec_distill.training import TrainSettings, fit
from pocketrec_distill.training.fake_quant import (
    quantized,
    rounded_rows,
    rounded_weight,
    straight_through,
)
from pocketrec_runtime import quantize_rows

ITEMS = 12
SHAPE = TowerShape(width=32, blocks=1, heads=2, kv_heads=1, hidden=24)


def made() -> Student:
    torch.manual_seed(0)
    states = np.random.default_rng(0).normal(size=(ITEMS, 5)).astype(np.float32)
    return Student(ITEMS, SHAPE, states, dropout=0.0).eval()


def test_the_gradient_passes_straight_through() -> None:
    x = torch.tensor([0.2, 0.7], requires_grad=True)
    y = straight_through(x, x.round())
    assert y.tolist() == [0.0, 1.0]
    (y * torch.tensor([3.0, 5.0])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [3.0, 5.0]


def test_rows_of_8_bits_are_those_of_the_runtime() -> None:
    vectors = torch.randn(7, 5, generator=torch.Generator().manual_seed(2))
    rows, scales = quantize_rows(vectors.numpy())
    torch.testing.assert_close(
        rounded_rows(vectors, 8), torch.from_numpy(rows * scales[:, None]), atol=1e-6, rtol=0
    )


def test_rows_of_4_bits_have_15_values_and_fit_better_than_the_plain_scale() -> None:
    vectors = torch.randn(40, 64, generator=torch.Generator().manual_seed(2))
    found = rounded_rows(vectors, 4)
    assert max(len(row.unique()) for row in found) <= 15
    scales = vectors.abs().amax(dim=1, keepdim=True) / 7
    plain = (vectors / scales).round() * scales
    assert float((found - vectors).pow(2).sum()) < float((plain - vectors).pow(2).sum())
    assert not rounded_rows(torch.zeros(2, 3), 4).any()


@pytest.mark.parametrize("bits", [8, 4])
def test_a_weight_is_rounded_as_it_is_exported(bits: int) -> None:
    weight = torch.randn(6, 64, generator=torch.Generator().manual_seed(4))
    codes, scales = quantize_matrix(np.ascontiguousarray(weight.T.numpy()), bits)
    full = np.repeat(scales, 64 // len(scales), axis=0)
    torch.testing.assert_close(rounded_weight(weight, bits), torch.from_numpy((codes * full).T))


def test_inside_the_model_is_what_will_be_stored_and_outside_it_keeps_that() -> None:
    model, plain = made(), made()
    events = torch.randn(1, 4, 32, generator=torch.Generator().manual_seed(1))
    with quantized(model, tower_bits=4, row_bits=4):
        inside = model(events).detach()
        rows = model.item_vectors().detach()
    torch.testing.assert_close(rows, rounded_rows(plain.item_vectors(), 4))
    assert float((inside - plain(events)).detach().abs().max()) > 1e-3
    assert torch.equal(model(events), inside)
    assert torch.equal(model.item_vectors(), plain.item_vectors())
    assert set(model.state_dict()) == set(plain.state_dict())
    # The projection of text makes item vectors; it is not a part of the tower.
    assert torch.equal(model.items.projection.weight, plain.items.projection.weight)


def test_nothing_is_rounded_where_nothing_is_asked_for() -> None:
    model, plain = made(), made()
    events = torch.randn(1, 4, 32)
    with quantized(model, tower_bits=None, row_bits=None):
        assert torch.equal(model(events), plain(events))
        assert torch.equal(model.item_vectors(), plain.item_vectors())


def test_fine_tuning_lowers_the_loss_of_the_stored_model() -> None:
    """The cycle 0 -> 1 -> ... -> 11 -> 0, with a tower and rows of 4 bits."""
    cycle = [((start + np.arange(5)) % ITEMS).astype(np.int32) for start in range(ITEMS)]
    model = made()
    steps = iter(range(1, 99))
    settings = TrainSettings(epochs=25, patience=25, batch=6, learning_rate=5e-3)
    with quantized(model, tower_bits=4, row_bits=4):
        curve = fit(model, cycle, lambda _: float(next(steps)), settings)
    assert curve[-1].loss < 0.5 * curve[0].loss
    with torch.inference_mode():
        rows = rounded_rows(model.item_vectors(), 4)
        scores = model.eval()(rows[torch.tensor([[3, 4, 5]])])[0, -1] @ rows.T
    assert int(scores.argmax()) == 6
