"""The bag-of-pieces tower: tf-idf by hand, both forms of the ridge, and texts that it never saw."""

import math

import numpy as np
import pytest
import sentencepiece
import torch

from pocketrec_distill.export import export_item_tower
from pocketrec_distill.models.bag_tower import BagTower
from pocketrec_distill.models.tfidf import inverse_frequencies, weighted
from pocketrec_distill.pipeline.item_towers import made_item_tower
from pocketrec_distill.training.bag_tower import bags, fit_bag_tower, ridge_map
from pocketrec_distill.training.item_tower import ItemTowerSettings, encode, tokenize
from pocketrec_distill.training.new_items import Level
from pocketrec_runtime.towers import OnnxItemTower

# Piece 0 is padding; piece 3 stands in every text.
TOKENS = [np.array([3, 5, 3, 3, 0]), np.array([3, 4]), np.array([5, 3, 6]), np.array([0])]
PIECES, WIDTH = 7, 3
SETTINGS = ItemTowerSettings(kind="pieces", vocabulary=400, max_tokens=32)
WORDS = ("red", "blue", "lamp", "desk", "chair", "pen", "oak", "steel")


def test_tf_idf_by_hand() -> None:
    counts = bags(TOKENS, PIECES)
    assert counts.toarray()[0].tolist() == [0, 0, 0, 3, 0, 1, 0]
    assert counts.toarray()[3].tolist() == [0] * 7
    idf = inverse_frequencies(counts)
    assert idf[3] == pytest.approx(math.log(5 / 4) + 1)
    assert idf[4] == pytest.approx(math.log(5 / 2) + 1)
    rows = weighted(counts, idf).toarray()
    third, fifth = idf[3] * (1 + math.log(3)), idf[5]
    assert rows[0, 3] == pytest.approx(third / math.hypot(third, fifth), rel=1e-6)
    assert rows[0, 5] == pytest.approx(fifth / math.hypot(third, fifth), rel=1e-6)
    assert not rows[3].any()


def tower() -> BagTower:
    rng = np.random.default_rng(0)
    idf = inverse_frequencies(bags(TOKENS, PIECES)).astype(np.float32)
    table = rng.normal(size=(PIECES, WIDTH)).astype(np.float32)
    return BagTower(idf, table, np.array([0.5, -1.0, 2.0], np.float32))


def test_the_module_is_the_map_of_tf_idf() -> None:
    made = tower()
    counts = bags(TOKENS, PIECES)
    rows = weighted(counts, inverse_frequencies(counts))
    expected = rows @ made.tokens.weight.detach().numpy() + made.bias.detach().numpy()
    np.testing.assert_allclose(encode(made, TOKENS).numpy(), expected, atol=1e-6)
    assert expected[3].tolist() == [0.5, -1.0, 2.0]


def test_placed_vectors_are_scaled_and_shifted() -> None:
    made = tower()
    before = encode(made, TOKENS).numpy()
    made.place(1.5, torch.tensor([1.0, 0.0, -2.0]))
    np.testing.assert_allclose(
        encode(made, TOKENS).numpy(), 1.5 * before + [1.0, 0.0, -2.0], atol=1e-6
    )


def test_the_exported_tower_reads_any_batch_and_length() -> None:
    import onnxruntime

    made = tower()
    session = onnxruntime.InferenceSession(
        export_item_tower(made), providers=["CPUExecutionProvider"]
    )
    for batch in (np.array([[3, 5, 3, 3, 0]]), np.array([[3, 4, 0], [5, 3, 6], [0, 0, 0]])):
        (found,) = session.run(["item_vector"], {"token_ids": batch})
        expected = made(torch.from_numpy(batch)).detach().numpy()
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_both_forms_of_the_ridge_agree() -> None:
    """Fewer texts than pieces, and more."""
    from scipy import sparse

    rng = np.random.default_rng(1)
    for texts, pieces in ((5, 9), (9, 5)):
        rows = sparse.random(texts, pieces, 0.6, random_state=2, dtype=np.float32).tocsr()
        targets = rng.normal(size=(texts, WIDTH)).astype(np.float32)
        dense = rows.toarray()
        expected = np.linalg.solve(dense.T @ dense + 0.3 * np.eye(pieces), dense.T @ targets)
        np.testing.assert_allclose(ridge_map(rows, targets, 0.3), expected, atol=1e-5)


def texts_and_targets(count: int = 240) -> tuple[list[str], np.ndarray]:
    """Texts of three words; a target is the sum of its words' vectors, whatever their order."""
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(len(WORDS), WIDTH)).astype(np.float32)
    chosen = [rng.permutation(len(WORDS))[:3] for _ in range(count)]
    texts = [" ".join(WORDS[word] for word in row) for row in chosen]
    return texts, np.stack([vectors[row].sum(axis=0) for row in chosen])


def test_texts_that_it_never_saw() -> None:
    texts, targets = texts_and_targets()
    fitted, model, figures = fit_bag_tower(texts, targets, SETTINGS, seed=0)
    assert figures["held_out_cosine"] > 0.97
    assert figures["scale"] == 1.0
    tokenizer = sentencepiece.SentencePieceProcessor(model_proto=model)
    unseen = "steel pen red"
    assert unseen not in texts
    found = encode(fitted, tokenize(tokenizer, [unseen, "pen steel red"], 32)).numpy()
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
    again = fit_bag_tower(texts, targets, SETTINGS, seed=0)
    assert torch.equal(fitted.tokens.weight, again[0].tokens.weight)
    assert model == again[1]


def test_the_level_comes_from_texts_held_out_and_goes_into_the_file() -> None:
    texts, targets = texts_and_targets()
    asked: list[tuple[np.ndarray, np.ndarray]] = []

    def level(rows: np.ndarray, vectors: np.ndarray) -> Level:
        asked.append((rows, vectors))
        return Level(2.0, np.array([0.0, 1.0, 0.0], np.float32))

    model, tokenizer, figures = made_item_tower(texts, targets, SETTINGS, 0, level)
    plain, _, _ = made_item_tower(texts, targets, SETTINGS, 0)
    ((rows, vectors),) = asked
    assert len(rows) == 24
    assert vectors.shape == (24, WIDTH)
    assert figures["scale"] == 2.0
    read = [
        OnnxItemTower(file, tokenizer, width=WIDTH, max_tokens=32).encode(texts[:5])
        for file in (model, plain)
    ]
    # Both are int8, each with its own rounding.
    np.testing.assert_allclose(read[0], 2 * read[1] + [0.0, 1.0, 0.0], atol=0.1)
