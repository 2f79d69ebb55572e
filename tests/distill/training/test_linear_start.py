"""A new student that starts as a linear model: the same ranking, before a single step."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pocketrec_distill.models import SequenceScorer, TowerShape
from pocketrec_distill.models.base import Floats, Scorer
from pocketrec_distill.models.student import Student
from pocketrec_distill.training.linear_start import (
    Choices,
    LinearVectors,
    start_as_linear,
)

ITEMS, WINDOW = 30, 20
SHAPES = {
    "a block": TowerShape(width=16, blocks=1, heads=2, kv_heads=2, hidden=24),
    "two blocks": TowerShape(width=16, blocks=2, heads=4, kv_heads=4, hidden=24),
}
RNG = np.random.default_rng(5)
VECTORS = RNG.normal(size=(ITEMS, 16)).astype(np.float32)
TEXTS = RNG.normal(size=(ITEMS, 6)).astype(np.float32)
HISTORIES = [RNG.choice(ITEMS, 8, replace=False).astype(np.int32) for _ in range(60)]
ALL = np.ones(ITEMS, dtype=np.bool_)


def expected(histories: list[np.ndarray], vectors: Floats) -> Floats:
    """A user is the mean of the normed vectors of the history."""
    normed = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    users = np.stack([normed[history].mean(axis=0) for history in histories])
    return users @ vectors.T


def choices(vectors: Floats, seed: int = 0) -> Choices:
    """Users follow the linear model: the next item is drawn from its softmax."""
    scores = 6 * expected(HISTORIES, vectors)
    for row, history in zip(scores, HISTORIES, strict=True):
        row[history] = -np.inf
    drawn = np.random.default_rng(seed).gumbel(size=scores.shape)
    targets = (scores + drawn).argmax(axis=1)

    def agreement(scorer: Scorer) -> float:
        return float(np.corrcoef(scorer.scores(HISTORIES).ravel(), scores_of_all.ravel())[0, 1])

    scores_of_all = expected(HISTORIES, vectors)
    return Choices(HISTORIES, targets, agreement, WINDOW)


def student(shape: TowerShape, texts: Floats | None = TEXTS) -> Student:
    torch.manual_seed(1)
    return Student(ITEMS, shape, texts, dropout=0.1)


@pytest.mark.parametrize("name", SHAPES)
def test_ranks_as_the_linear_model_before_any_step(name: str) -> None:
    model = student(SHAPES[name])
    start_as_linear(model, LinearVectors(VECTORS, ALL), choices(VECTORS), 1.0)
    found = SequenceScorer(model, WINDOW).scores(HISTORIES)
    for ours, theirs in zip(found, expected(HISTORIES, VECTORS), strict=True):
        assert np.corrcoef(ours, theirs)[0, 1] > 0.97


@pytest.mark.parametrize(("heads", "kv_heads"), [(2, 1), (4, 2)])
def test_shared_keys_and_values_keep_the_leading_directions(heads: int, kv_heads: int) -> None:
    """Keys and values of 8 in all: the first 8 of 16 dimensions are all that can be heard."""
    vectors = VECTORS.copy()
    vectors[:, 8:] = 0
    model = student(TowerShape(16, 1, heads, kv_heads, hidden=24))
    start_as_linear(model, LinearVectors(vectors, ALL), choices(vectors), 1.0)
    found = SequenceScorer(model, WINDOW).scores(HISTORIES)
    for ours, theirs in zip(found, expected(HISTORIES, vectors), strict=True):
        assert np.corrcoef(ours, theirs)[0, 1] > 0.97


def test_item_vectors_are_the_models_and_text_where_it_knows_none() -> None:
    known = np.arange(ITEMS) < 20
    model = student(SHAPES["a block"])
    start_as_linear(model, LinearVectors(VECTORS, known), choices(VECTORS), 1.0)
    found = model.item_vectors().detach().numpy()
    # Turned in space: what vectors say of each other is all that counts.
    ours, theirs = found[:20] @ found[:20].T, VECTORS[:20] @ VECTORS[:20].T
    np.testing.assert_allclose(ours, ours[0, 0] / theirs[0, 0] * theirs, rtol=1e-3, atol=1e-3)
    text = model.items.from_text().detach().numpy()
    np.testing.assert_allclose(found[20:], text[20:], atol=1e-6)
    assert np.abs(text[20:]).max() > 0


def test_text_carries_what_it_can() -> None:
    """Vectors that are a linear map of the text leave nothing to residuals, but for the ridge."""
    vectors = TEXTS @ RNG.normal(size=(6, 16)).astype(np.float32)
    model = student(SHAPES["a block"])
    start_as_linear(model, LinearVectors(vectors, ALL), choices(vectors), 1.0)
    residual = model.items.residual.detach().numpy()
    whole = model.item_vectors().detach().numpy()
    assert (residual**2).sum() < 0.2 * (whole**2).sum()


def test_without_texts_all_is_residual() -> None:
    model = student(SHAPES["a block"], None)
    start_as_linear(model, LinearVectors(VECTORS, ALL), choices(VECTORS), 1.0)
    assert model.items.text is None
    rows = model.items.residual.detach().numpy()
    assert np.corrcoef((rows @ rows.T).ravel(), (VECTORS @ VECTORS.T).ravel())[0, 1] > 0.999


def test_strong_directions_are_spread_over_all_dimensions() -> None:
    """Rows are rounded to few bits with one scale each."""
    skewed = VECTORS * np.float32(0.5) ** np.arange(16, dtype=np.float32)
    model = student(SHAPES["two blocks"], None)
    start_as_linear(model, LinearVectors(skewed, ALL), choices(skewed), 1.0)
    strength = model.items.residual.detach().numpy().std(axis=0)
    assert skewed.std(axis=0).max() > 1000 * skewed.std(axis=0).min()
    assert strength.max() < 20 * strength.min()


def test_as_sharp_as_the_labels() -> None:
    """At half of the temperature all vectors are twice as long; the order is the same."""
    calm = student(SHAPES["two blocks"])
    start_as_linear(calm, LinearVectors(VECTORS, ALL), choices(VECTORS), 1.0)
    sharp = student(SHAPES["two blocks"])
    start_as_linear(sharp, LinearVectors(VECTORS, ALL), choices(VECTORS), 0.5)
    with torch.no_grad():
        torch.testing.assert_close(sharp.item_vectors(), 2 * calm.item_vectors())
    scores = [SequenceScorer(model, WINDOW).scores(HISTORIES) for model in (calm, sharp)]
    np.testing.assert_allclose(scores[1], 2 * scores[0], rtol=1e-2, atol=1e-2)


def test_calibrated_on_what_came_next() -> None:
    """Targets were drawn from the softmax of 6 times the model: its scores come out at about 6."""
    model = student(SHAPES["a block"])
    start_as_linear(model, LinearVectors(VECTORS, ALL), choices(VECTORS), 1.0)
    found = SequenceScorer(model, WINDOW).scores(HISTORIES)
    slope = np.polyfit(expected(HISTORIES, VECTORS).ravel(), found.ravel(), 1)[0]
    assert 4 < slope < 9


@pytest.mark.parametrize("known", [False, True])
def test_a_model_that_knows_nothing_changes_nothing(known: bool) -> None:
    model, untouched = student(SHAPES["a block"]), student(SHAPES["a block"])
    nothing = LinearVectors(np.zeros_like(VECTORS), np.full(ITEMS, known))
    start_as_linear(model, nothing, choices(VECTORS), 1.0)
    for name, value in model.state_dict().items():
        assert torch.equal(value, untouched.state_dict()[name])


def test_everything_may_still_learn() -> None:
    model = student(SHAPES["two blocks"])
    start_as_linear(model, LinearVectors(VECTORS, ALL), choices(VECTORS), 1.0)
    model.train()
    items = torch.from_numpy(np.stack(HISTORIES)).long()
    vectors = model.item_vectors()
    loss = torch.nn.functional.cross_entropy(
        model(vectors[items])[:, -1] @ vectors.T, torch.from_numpy(choices(VECTORS).targets)
    )
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name


def test_a_single_query_that_comes_true_makes_no_vectors_without_end() -> None:
    """Items nearly alike, one of them sure: likelihood asks for any length, 16 bits do not."""
    alike = (1 + 1e-3 * RNG.normal(size=VECTORS.shape)).astype(np.float32)
    history = [HISTORIES[0]]
    model = student(SHAPES["a block"], None)
    start_as_linear(model, LinearVectors(alike, ALL), choices(alike), 1.0)
    leads = SequenceScorer(model, WINDOW).scores(history)[0]
    leads[HISTORIES[0]] = -np.inf
    sure = replace(choices(alike), histories=history, targets=np.array([leads.argmax()]))
    model = student(SHAPES["a block"], None)
    start_as_linear(model, LinearVectors(alike, ALL), sure, 0.5)
    scores = SequenceScorer(model, WINDOW).scores(history)
    assert np.abs(scores).max() == pytest.approx(200, rel=0.05), "certain, over the temperature"
