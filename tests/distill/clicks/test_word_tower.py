"""Vocabulary, word tower and encoder: words that the catalogue never used are known."""

import numpy as np
import pytest
import sentencepiece
import torch

from pocketrec_distill.clicks.encoder import load_encoder
from pocketrec_distill.clicks.export import export_word_tower
from pocketrec_distill.clicks.vectors import standard_directions
from pocketrec_distill.clicks.vocabulary import spoken, word_vocabulary
from pocketrec_distill.clicks.word_tower import (
    WordTower,
    cosine,
    distil_word_tower,
    projected,
    word_weights,
)
from pocketrec_distill.errors import SourceError

TEXTS = ["The cat sat on the mat.", "A dog ran, far away!", "Cats and dogs 漢字"] * 4


def test_words_of_the_encoder_are_whole_pieces() -> None:
    model, pieces = word_vocabulary(TEXTS, [("Zebra", True), ("ing", False), ("!", True)], 300)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    assert processor.get_piece_size() == len(pieces)
    assert processor.encode("ZEBRA!", out_type=str) == ["▁zebra", "!"]
    assert processor.pad_id() == 0
    # What no piece holds falls back to bytes, so that no script is unreadable.
    assert len(processor.encode("한", out_type=int)) >= 3
    assert spoken("▁zebra") == "zebra"
    assert spoken("ing") == "ing"


def test_the_towers_vector_is_the_weighted_mean_at_unit_length() -> None:
    vectors = np.array([[9, 9], [3, 0], [0, 4]], np.float32)
    tower = WordTower(vectors, np.array([1, 1, 0.5], np.float32))
    found = tower(torch.tensor([[1, 2, 0], [0, 0, 0]])).detach().numpy()
    # 3 * (1, 0) + .5 * 4 * (0, 1) = (3, 2); padding counts nothing, alone it is 0.
    assert found[0] == pytest.approx(np.array([3, 2]) / np.sqrt(13))
    assert found[1].tolist() == [0.0, 0.0]


def test_the_exported_tower_reads_any_batch_and_length() -> None:
    import onnxruntime

    rng = np.random.default_rng(4)
    weights = rng.uniform(0.1, 1, 9).astype(np.float32)
    tower = WordTower(rng.normal(size=(9, 5)).astype(np.float32), weights)
    session = onnxruntime.InferenceSession(
        export_word_tower(tower), providers=["CPUExecutionProvider"]
    )
    for batch in (np.array([[3, 8, 3, 3, 0]]), np.array([[3, 4, 0], [5, 3, 6], [0, 0, 0]])):
        (found,) = session.run(["item_vector"], {"token_ids": batch})
        expected = tower(torch.from_numpy(batch)).detach().numpy()
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_frequent_words_count_less() -> None:
    weights = word_weights([np.array([1, 1, 1, 2])], 4)
    assert weights.tolist() == pytest.approx([1.0, 0.001 / 0.751, 0.001 / 0.251, 1.0])


def test_least_squares_finds_a_linear_map() -> None:
    rng = np.random.default_rng(0)
    pieces = rng.normal(size=(50, 6)).astype(np.float32)
    scaled = (pieces - pieces.mean(0)) / (pieces.std(0) + 1e-6)
    wanted = scaled @ rng.normal(size=(6, 3)).astype(np.float32)
    tokens = [rng.integers(1, 50, 4) for _ in range(300)]
    targets = np.stack([wanted[row].mean(0) for row in tokens]).astype(np.float32)
    found = projected(pieces, tokens, np.ones(50, np.float32), targets)
    tower = WordTower(found, np.ones(50, np.float32))
    assert cosine(tower, tokens, targets) > 0.99


def test_training_comes_nearer_and_leaves_unused_words_alone() -> None:
    rng = np.random.default_rng(1)
    pieces = rng.normal(size=(60, 5)).astype(np.float32)
    tokens = [rng.integers(1, 40, 5) for _ in range(200)]
    hidden = rng.normal(size=(60, 3))
    targets = np.stack([hidden[row].mean(0) for row in tokens]).astype(np.float32)
    start, before = distil_word_tower(pieces, tokens, targets, epochs=1, learning_rate=1e-9, seed=0)
    tower, fit = distil_word_tower(pieces, tokens, targets, epochs=30, learning_rate=1e-2, seed=0)
    assert fit.start_cosine == pytest.approx(before.train_cosine, abs=1e-3)
    assert fit.train_cosine > fit.start_cosine + 0.05
    assert fit.held_out_cosine > before.held_out_cosine
    unused = slice(40, 60)
    np.testing.assert_array_equal(
        tower.words.weight[unused].detach(), start.words.weight[unused].detach()
    )


def test_directions_keep_products_and_drop_what_all_share() -> None:
    rng = np.random.default_rng(2)
    states = rng.normal(size=(40, 6)).astype(np.float32) + np.float32([100, 0, 0, 0, 0, 0])
    found = standard_directions(states, 6)
    z = (states - states.mean(0)) / states.std(0)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    np.testing.assert_allclose(found @ found.T, z @ z.T, atol=1e-4)
    assert standard_directions(states[:3], 5).shape == (3, 5)


def test_the_encoder_says_its_words(encoder_folder) -> None:
    encoder = load_encoder(str(encoder_folder))
    words = encoder.word_pieces(10_000)
    told = {text: begins for _, text, begins in words}
    assert told["goal"] is True
    assert "[CLS]" not in told
    assert "[unused0]" not in told
    assert (words[0][1], encoder.word_pieces(3)) == ("football", words[:3])
    single = encoder.texts(["goal"], 16)
    np.testing.assert_allclose(encoder.pieces([words[1][0]]), single, atol=1e-5)
    both = encoder.texts(["goal striker monday", "goal"], 16)
    np.testing.assert_allclose(both[1:], single, atol=1e-5)


def test_no_encoder_is_named(tmp_path) -> None:
    with pytest.raises(SourceError, match="no folder with config"):
        load_encoder(str(tmp_path))
