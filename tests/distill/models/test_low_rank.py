"""The leading directions of a linear model, held to a dense decomposition."""

from typing import Any

import numpy as np
import pytest
import scipy.linalg
from numpy.typing import NDArray

from pocketrec_distill.models.floors import ItemItem, ease, gram_matrix
from pocketrec_distill.models.low_rank import leading_factors, truncated

ITEMS, REGULARIZATION = 60, 5.0


@pytest.fixture
def gram() -> NDArray[np.float32]:
    """Some items are in many histories, some in few."""
    rng = np.random.default_rng(3)
    likes = 1 / np.arange(1, ITEMS + 1)
    likes /= likes.sum()
    histories = [rng.choice(ITEMS, 8, replace=False, p=likes).astype(np.int32) for _ in range(300)]
    return gram_matrix(histories, ITEMS)[0]


@pytest.fixture
def model(gram: NDArray[np.float32]) -> ItemItem:
    return ease(gram, np.arange(ITEMS), ITEMS, REGULARIZATION, decay=0.9)


@pytest.mark.parametrize("rank", [1, 7, 20])
def test_what_is_kept_is_the_top_of_the_symmetric_spectrum(
    gram: NDArray[np.float32], model: ItemItem, rank: int
) -> None:
    inverse = np.linalg.inv(gram.astype(np.float64) + REGULARIZATION * np.eye(ITEMS))
    root = np.sqrt(1 / np.diag(inverse))
    symmetric = np.eye(ITEMS) - root[:, None] * inverse * root[None, :]
    values, directions = np.linalg.eigh(symmetric)
    best = np.argsort(-values)[:rank]
    kept = (directions[:, best] * values[best]) @ directions[:, best].T
    expected = kept / root[:, None] * root[None, :]
    cut = truncated(model, leading_factors(model, gram, REGULARIZATION, 20), rank)
    np.testing.assert_allclose(cut.weights, expected, atol=2e-4)
    assert (cut.decay, cut.items) == (model.decay, model.items)


def test_vectors_are_the_columns_that_candidates_are_scored_by(
    gram: NDArray[np.float32], model: ItemItem
) -> None:
    factors = leading_factors(model, gram, REGULARIZATION, 12)
    rows = factors.directions / factors.scale[:, None]
    np.testing.assert_allclose(rows @ factors.vectors.T, factors.weights(12), atol=1e-6)


def test_the_same_every_time(gram: NDArray[np.float32], model: ItemItem) -> None:
    first, second = (leading_factors(model, gram, REGULARIZATION, 9) for _ in range(2))
    np.testing.assert_array_equal(first.vectors, second.vectors)


def test_an_item_without_events_has_no_direction() -> None:
    alone = np.zeros((4, 4), dtype=np.float32)
    alone[:3, :3] = [[9, 5, 4], [5, 9, 5], [4, 5, 9]]
    whole = ease(alone, np.arange(4), 4, REGULARIZATION)
    factors = leading_factors(whole, alone, REGULARIZATION, 2)
    np.testing.assert_allclose(factors.vectors[3], 0, atol=1e-6)
    assert np.abs(factors.vectors[:3]).max() > 0.1


def test_what_inverse_iteration_cannot_find_is_found_all_the_same(
    gram: NDArray[np.float32], model: ItemItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = leading_factors(model, gram, REGULARIZATION, 10).weights(10)

    def no_convergence(*_: Any, **__: Any) -> Any:
        raise np.linalg.LinAlgError("eigenvectors failed to converge")

    monkeypatch.setattr(scipy.linalg, "eigh", no_convergence)
    found = leading_factors(model, gram, REGULARIZATION, 10).weights(10)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 3, ITEMS - 1, ITEMS])
def test_equal_directions_are_told_apart(rank: int) -> None:
    """Items in threes that only go with each other: each eigenvalue comes twenty times."""
    threes = np.kron(np.eye(ITEMS // 3), np.full((3, 3), 4.0)).astype(np.float32)
    model = ease(threes, np.arange(ITEMS), ITEMS, REGULARIZATION)
    factors = leading_factors(model, threes, REGULARIZATION, rank)
    assert factors.vectors.shape == (ITEMS, rank)
    strength = np.linalg.norm(factors.directions, axis=0)
    products = factors.directions.T @ factors.directions
    np.testing.assert_allclose(products, np.diag(strength**2), atol=1e-5)
    assert (np.diff(strength) <= 1e-6).all()
    assert strength[0] > 0.5
