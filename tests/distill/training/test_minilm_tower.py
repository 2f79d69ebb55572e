"""A BERT encoder as item tower: the same tokens and vectors as Hugging Face's, in a bundle."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec_distill.training.held_out import mean_cosine
from pocketrec_distill.training.minilm_tower import (
    choose_projection,
    fit_minilm_tower,
    fit_projection,
)
from pocketrec_runtime.towers import OnnxItemTower
from pocketrec_runtime.wordpiece import WordPiece

WORDS = [
    "red", "star", "blue", "moon", "the", "of", "a", "walk", "quiet", "loud", "ocean", "city",
    "東", "京", "!", ",", "'", "-", "##s", "##ing", "##ed",
]  # fmt: skip
LETTERS = [chr(c) for c in range(ord("a"), ord("z") + 1)]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *LETTERS[1:],
              *(f"##{letter}" for letter in LETTERS if letter != "s")]  # fmt: skip
TEXTS = [
    "Red stars, walking", "the blue Moon!", "", "quiet ocean - the city's walk", "東京 walk",
    "Ünïcode café ÉCLAIR", "a\u200bb \ufffd x", "naïve " * 30, "zzz 123 ☃ ok", "loud",
    "İstanbul ǅ ﬁ Σίσυφος", "tab\tnew\nline\u00a0nbsp", "dash—dash", "مرحبا بالعالم", "नमस्ते",
]  # fmt: skip


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of 2 blocks, width 16, as Hugging Face saves it."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=24, max_position_embeddings=64, initializer_range=0.3,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


def sample_texts() -> list[str]:
    """The texts above, and every character up to kana that all Unicode tables agree on."""
    old = unicodedata.ucd_3_2_0.category
    chars = [chr(c) for c in range(0x20, 0x3100) if old(chr(c)) == unicodedata.category(chr(c))]
    return TEXTS + ["".join(chars[at : at + 40]) for at in range(0, len(chars), 40)]


def test_tokens_are_those_of_hugging_face(encoder: Path) -> None:
    from transformers import BertTokenizerFast

    theirs = BertTokenizerFast.from_pretrained(encoder)
    ours = WordPiece((encoder / "vocab.txt").read_bytes())
    checked = 0
    for text in sample_texts():
        expected = theirs(text, truncation=True, max_length=32)["input_ids"]
        assert ours.encode(text, 32) == expected, text
        checked += 1
    assert checked > 200


def test_a_projection_finds_what_is_linear() -> None:
    rng = np.random.default_rng(0)
    pooled = rng.normal(size=(60, 5)).astype(np.float32) + 3
    weight = rng.normal(size=(5, 2)).astype(np.float32)
    targets = pooled @ weight - 1
    found = fit_projection(pooled, targets, 1e-6)
    np.testing.assert_allclose(found.weight, weight, atol=1e-3)
    np.testing.assert_allclose(found.apply(pooled), targets, atol=1e-3)
    # Endless strength leaves the mean alone.
    flat = fit_projection(pooled, targets, 1e9)
    np.testing.assert_allclose(
        flat.apply(pooled), targets.mean(axis=0)[None].repeat(60, 0), atol=1e-3
    )


def test_the_strength_is_the_one_that_generalises() -> None:
    rng = np.random.default_rng(1)
    pooled = rng.normal(size=(40, 30)).astype(np.float32)
    noisy = pooled[:, :1] + rng.normal(size=(40, 2)).astype(np.float32)
    _, figures = choose_projection(pooled, noisy, seed=0)
    assert figures["ridge"] >= 0.1
    assert figures["held_out_cosine"] < figures["train_cosine"]


def test_cosine_by_hand() -> None:
    a = np.array([[1, 0], [0, 2], [0, 0]], np.float32)
    b = np.array([[2, 0], [0, -1], [1, 1]], np.float32)
    assert mean_cosine(a, b) == pytest.approx(0.0)
    assert mean_cosine(a[:1], b[:1]) == pytest.approx(1.0)


def test_the_tower_is_the_encoder_with_its_projection(encoder: Path) -> None:
    from transformers import BertModel, BertTokenizerFast

    texts = [*TEXTS, *(f"{a} {b}" for a in WORDS[:9] for b in WORDS[:9])]
    tokenizer = BertTokenizerFast.from_pretrained(encoder)
    model = BertModel.from_pretrained(encoder).eval()

    def pooled(text: str) -> np.ndarray:
        ids = tokenizer(text, truncation=True, max_length=24, return_tensors="pt")
        with torch.inference_mode():
            return model(**ids).last_hidden_state[0].mean(dim=0).numpy()

    states = np.stack([pooled(text) for text in texts])
    rng = np.random.default_rng(2)
    targets = (states @ rng.normal(size=(16, 3))).astype(np.float32)
    tower, vocabulary, figures = fit_minilm_tower(texts, targets, encoder, max_tokens=24, seed=0)
    opened = OnnxItemTower(tower, vocabulary, width=3, max_tokens=24, kind="wordpiece")
    found = opened.encode(texts)
    print(figures)  # noqa: T201  (says how close)
    assert float(figures["held_out_cosine"]) > 0.95
    assert mean_cosine(found, targets) > 0.95
    # Alone or in a batch; int8 scales activations by what stands beside them, so nearly.
    alone = np.concatenate([opened.encode([text]) for text in texts[:4]])
    assert mean_cosine(alone, found[:4]) > 0.99
    assert np.isfinite(opened.encode([""])).all()


@pytest.mark.download
def test_the_published_encoder_agrees_with_transformers() -> None:
    from transformers import AutoModel, AutoTokenizer

    from pocketrec_distill.sources import minilm

    folder = minilm()
    theirs = AutoTokenizer.from_pretrained(folder)
    ours = WordPiece((folder / "vocab.txt").read_bytes())
    for text in sample_texts():
        assert ours.encode(text, 64) == theirs(text, truncation=True, max_length=64)["input_ids"]
    model = AutoModel.from_pretrained(folder).eval()
    texts = [text for text in TEXTS if text]
    with torch.inference_mode():
        states = np.stack(
            [
                model(**theirs(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0).numpy()
                for text in texts
            ]
        )
    targets = np.ascontiguousarray(states[:, :8])
    tower, vocabulary, figures = fit_minilm_tower(texts, targets, folder, max_tokens=64, seed=0)
    assert figures["precision"] == "int8"
    assert len(tower) < 30_000_000
    opened = OnnxItemTower(tower, vocabulary, width=8, max_tokens=64, kind="wordpiece")
    assert mean_cosine(opened.encode(texts), targets) > 0.95
