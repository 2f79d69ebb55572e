"""Words and relations as vectors beside the LLM's states."""

import numpy as np
import pytest
from scipy import sparse

from pocketrec_distill.models.item_features import (
    beside,
    lexical_features,
    relation_features,
    singular_features,
)


def test_rows_keep_the_cosines_of_the_centred_matrix() -> None:
    rng = np.random.default_rng(0)
    matrix = sparse.csr_matrix(np.abs(rng.normal(size=(9, 5))))
    rows = singular_features(matrix, 4)
    assert rows.shape == (9, 4)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    # The leading directions of a matrix whose last singular value is cut off.
    left, strength, _ = np.linalg.svd(matrix.toarray(), full_matrices=False)
    kept = left[:, :4] * strength[:4]
    kept -= kept.mean(axis=0)
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    assert np.allclose(rows @ rows.T, kept @ kept.T, atol=1e-5)


def test_large_and_small_matrices_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    dense = np.where(rng.random((40, 30)) < 0.3, rng.random((40, 30)), 0)
    small = singular_features(sparse.csr_matrix(dense), 6)
    monkeypatch.setattr("pocketrec_distill.models.item_features._DENSE", 0)
    large = singular_features(sparse.csr_matrix(dense), 6)
    assert np.allclose(small, large, atol=1e-4)
    assert np.array_equal(large, singular_features(sparse.csr_matrix(dense), 6))


def test_texts_that_share_words_lie_together() -> None:
    texts = ["HP 74 ink", "HP 75 ink", "red stapler", "blue stapler", ""]
    rows = lexical_features(texts, 8)
    assert rows.shape == (5, 4)  # one less than the texts
    near = rows @ rows.T
    assert near[0, 1] > near[0, 2] + 0.3
    assert near[2, 3] > near[2, 0] + 0.3
    assert not rows[4].any()


@pytest.mark.parametrize("texts", [["a"], ["", "", ""], ["same", "same", "same"]])
def test_nothing_to_tell_apart(texts: list[str]) -> None:
    rows = lexical_features(texts, 4)
    assert len(rows) == len(texts)
    assert np.isfinite(rows).all()
    assert not rows.any()
    assert lexical_features(["red pen", "blue pen", "ink"], 0).shape == (3, 0)


def test_entities_are_compared_whole() -> None:
    rows = relation_features([["m.1", "m.2"], ["m.2", "m.1"], ["m.3"], [], ["m.3", "m.4"]], 3)
    assert np.isclose(rows[0] @ rows[1], 1, atol=1e-5)
    assert rows[2] @ rows[4] > rows[0] @ rows[2] + 0.3
    assert not rows[3].any()


def test_blocks_stand_side_by_side() -> None:
    states = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32) * 100
    more = np.eye(4, 2, dtype=np.float32)
    rows = beside(states, more)
    assert rows.shape == (4, 5)
    assert np.array_equal(rows[:, 3:], more)
    assert np.allclose((rows[:, :3] ** 2).sum(axis=1).mean(), 1, atol=1e-4)
