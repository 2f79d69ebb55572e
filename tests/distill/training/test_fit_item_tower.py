"""Distilling the item tower: a tiny catalogue by heart, and text of any script."""

import math

import numpy as np
import pytest
import sentencepiece
import torch

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.training.item_tower import (
    ItemTowerSettings,
    encode,
    fit_item_tower,
    tokenize,
    train_tokenizer,
    vector_distance,
)

KINDS = ("red", "blue", "green", "fast", "slow", "heavy", "light")
THINGS = ("paper", "stapler", "lamp", "chair", "desk")
WORDS = KINDS + THINGS
TEXTS = [f"{a} {b}" for a in KINDS for b in THINGS]
SETTINGS = ItemTowerSettings(
    vocabulary=400, max_tokens=12, width=16, epochs=40, batch=8, learning_rate=1e-2
)


def targets() -> np.ndarray:
    """A vector per word, summed: what a tower can learn, and can guess of items left out."""
    rng = np.random.default_rng(0)
    vectors = dict(zip(WORDS, rng.normal(size=(len(WORDS), 6)), strict=True))
    return np.array([sum(vectors[word] for word in text.split()) for text in TEXTS], np.float32)


@pytest.fixture(scope="module")
def fitted() -> tuple[torch.nn.Module, bytes, dict[str, float]]:
    return fit_item_tower(TEXTS, targets(), SETTINGS, seed=1)


def opened(model: bytes) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=model)


def test_learns_a_tiny_catalogue(fitted: tuple[torch.nn.Module, bytes, dict[str, float]]) -> None:
    tower, model, figures = fitted
    assert figures["train_cosine"] > 0.97
    assert 0.6 < figures["held_out_cosine"] < figures["train_cosine"]
    tokens = tokenize(opened(model), TEXTS, SETTINGS.max_tokens)
    found = encode(tower, tokens)
    cosine = torch.nn.functional.cosine_similarity(found, torch.from_numpy(targets()))
    assert float(cosine.mean()) == pytest.approx(figures["train_cosine"], abs=1e-5)
    # The lengths are learned too, not only the angles.
    ratio = found.norm(dim=1) / torch.from_numpy(targets()).norm(dim=1)
    assert 0.8 < float(ratio.mean()) < 1.2


def test_a_seed_decides_everything(
    fitted: tuple[torch.nn.Module, bytes, dict[str, float]],
) -> None:
    settings = ItemTowerSettings(**{**vars(SETTINGS), "epochs": 1})
    first, second, other = (
        fit_item_tower(TEXTS, targets(), settings, seed=seed) for seed in (5, 5, 6)
    )
    assert first[1] == second[1] == fitted[1]
    assert first[2] == second[2] != other[2]


def test_the_tokenizer_is_as_the_bundle_asks(
    fitted: tuple[torch.nn.Module, bytes, dict[str, float]],
) -> None:
    _, model, figures = fitted
    tokenizer = opened(model)
    assert (tokenizer.pad_id(), tokenizer.unk_id()) == (0, 1)
    assert (tokenizer.bos_id(), tokenizer.eos_id()) == (-1, -1)
    assert tokenizer.get_piece_size() == figures["vocabulary"] <= 400


@pytest.mark.parametrize("text", ["七人の侍", "عنصر", "🦊", "ÅØ", "\u0301"])
def test_text_of_another_script_is_tokenized_by_bytes(
    fitted: tuple[torch.nn.Module, bytes, dict[str, float]], text: str
) -> None:
    tokenizer = opened(fitted[1])
    ids = tokenizer.encode(text, out_type=int)
    assert tokenizer.unk_id() not in ids
    assert sum(map(tokenizer.is_byte, ids)) >= len(text.encode()) - 1
    assert torch.isfinite(encode(fitted[0], tokenize(tokenizer, [text], 64))).all()


def test_scripts_differ_in_the_vector(
    fitted: tuple[torch.nn.Module, bytes, dict[str, float]],
) -> None:
    tower, model, _ = fitted
    first, second = encode(tower, tokenize(opened(model), ["七人の侍", "عنصر"], 64))
    assert (first - second).abs().max() > 1e-2


def test_tokens_are_cut_and_an_empty_text_is_padding(
    fitted: tuple[torch.nn.Module, bytes, dict[str, float]],
) -> None:
    tokens = tokenize(opened(fitted[1]), ["", TEXTS[0] * 30, "a"], max_tokens=5)
    assert tokens[0].tolist() == [0]
    assert len(tokens[1]) == 5
    assert all(row.dtype == np.int64 for row in tokens)


@pytest.mark.parametrize("texts", [["one"], ["same", "same"], ["\0", "a\0b"], ["七人", "侍"]])
def test_a_catalogue_of_next_to_nothing(texts: list[str]) -> None:
    settings = ItemTowerSettings(width=8, epochs=1)
    vectors = np.ones((len(texts), 4), np.float32)
    tower, model, figures = fit_item_tower(texts, vectors, settings, seed=0)
    assert all(map(math.isfinite, figures.values()))
    assert torch.isfinite(encode(tower, tokenize(opened(model), texts, 8))).all()


def test_more_characters_than_the_vocabulary_holds() -> None:
    # 2,000 ideographs, one of them common.
    texts = ["一" + chr(0x4E01 + 2 * i) + chr(0x4E02 + 2 * i) for i in range(1000)]
    tokenizer = opened(train_tokenizer(texts, 300))
    assert tokenizer.get_piece_size() <= 300
    assert not tokenizer.is_byte(tokenizer.encode("一", out_type=int)[-1])
    assert tokenizer.unk_id() not in tokenizer.encode(texts[-1], out_type=int)


def test_a_vocabulary_smaller_than_the_bytes_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"vocabulary is 299; .* at least 300"):
        ItemTowerSettings(vocabulary=299)


def test_distance_by_hand() -> None:
    wanted = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    assert float(vector_distance(wanted, wanted)) == pytest.approx(0, abs=1e-6)
    # Twice the length: no angle, and squared errors (25 + 4) over squared lengths (25 + 4).
    assert float(vector_distance(2 * wanted, wanted)) == pytest.approx(1.0)
    # A right angle, same length: cosine 0 and squared errors 2 * 29 over 29.
    turned = torch.tensor([[-4.0, 3.0], [2.0, 0.0]])
    assert float(vector_distance(turned, wanted)) == pytest.approx(3.0)


@pytest.mark.parametrize("name", list(vars(ItemTowerSettings())))
def test_settings_out_of_bounds_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"\[item_tower\] {name} is 0"):
        ItemTowerSettings(**{name: 0})
