"""A real, tiny encoder in a folder, and a world in which readers click what they read before."""

from pathlib import Path

import numpy as np
import pytest

TOPICS = ("football goal striker", "senate vote election", "recipe oven butter")
WORDS = ("monday", "tuesday", "report", "update", "story", "today", "local", "live")


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of 1 block, width 32, with word pieces for the words of this world; not trained."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    words = [*" ".join(TOPICS).split(), *WORDS, *"abcdefghijklmnopqrstuvwxyz0123456789.,"]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", *words]
    pieces += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=48,
        initializer_range=0.3,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def write_world(folder: Path, users: int = 60) -> tuple[Path, Path, Path]:
    """`train/behaviors.tsv`, `valid/behaviors.tsv` and `news.tsv`: a topic per reader.

    Every impression shows one item of each topic, and the reader clicks their own; items of the
    valid part stand in no impression of the training part.
    """
    rng = np.random.default_rng(2)
    lines = []
    for item in range(90):
        extra = " ".join(rng.choice(WORDS, 3))
        lines.append(f"N{item}\ttopic\tsub\t{TOPICS[item % 3]} {extra} {item}\t{extra}")
    (folder / "news.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for part, first, last in (("train", 0, 60), ("valid", 60, 90)):
        rows = []
        for user in range(users):
            topic = user % 3
            history = rng.choice(np.arange(topic, 60, 3), 4, replace=False)
            shown = [int(rng.choice(np.arange(first + t, last, 3))) for t in range(3)]
            order = rng.permutation(3)
            told = " ".join(f"N{shown[t]}-{int(t == topic)}" for t in order)
            past = " ".join(f"N{item}" for item in history)
            time = f"11/{1 + user % 9}/2019 6:{user % 60:02d}:00 AM"
            rows.append(f"{user}\tU{part}{user}\t{time}\t{past}\t{told}")
        (folder / part).mkdir()
        (folder / part / "behaviors.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return (
        folder / "train" / "behaviors.tsv",
        folder / "valid" / "behaviors.tsv",
        folder / "news.tsv",
    )
