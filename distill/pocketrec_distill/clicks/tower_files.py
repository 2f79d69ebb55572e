"""The click item tower as files of a stage: the ONNX model, its tokenizer, its own vectors."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.clicks.encoder import Encoder
from pocketrec_distill.clicks.export import export_word_tower
from pocketrec_distill.clicks.settings import ClickSettings
from pocketrec_distill.clicks.vocabulary import spoken, word_vocabulary
from pocketrec_distill.clicks.word_tower import distil_word_tower
from pocketrec_distill.export import quantize_model
from pocketrec_distill.training.held_out import mean_cosine
from pocketrec_distill.training.item_tower import tokenize
from pocketrec_runtime.towers import OnnxItemTower

Floats = NDArray[np.float32]

# An int8 tower is shipped only if its vectors stay this close to those of fp32.
KEPT_COSINE = 0.99
_PIECE_TOKENS = 16


@dataclass(frozen=True, eq=False)
class TowerFiles:
    """An exported item tower.

    Attributes:
        model: `item_tower.onnx`.
        tokenizer: `tokenizer.model`.
        vectors: What the runtime makes of the item texts, float32 (items, width).
        figures: How near it comes to the encoder, and its size.
    """

    model: bytes
    tokenizer: bytes
    vectors: Floats
    figures: Mapping[str, Any]

    def save(self, folder: Path) -> None:
        """Write everything into a folder."""
        (folder / "item_tower.onnx").write_bytes(self.model)
        (folder / "tokenizer.model").write_bytes(self.tokenizer)
        np.save(folder / "vectors.npy", np.ascontiguousarray(self.vectors))
        (folder / "figures.json").write_text(json.dumps(self.figures) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(
            (folder / "item_tower.onnx").read_bytes(),
            (folder / "tokenizer.model").read_bytes(),
            np.load(folder / "vectors.npy"),
            json.loads((folder / "figures.json").read_text(encoding="utf-8")),
        )


def make_tower(
    encoder: Encoder, texts: Sequence[str], exact: Floats, settings: ClickSettings, seed: int
) -> TowerFiles:
    """Distil, export and quantize the item tower of these texts.

    Args:
        encoder: The pretrained encoder.
        texts: Item texts.
        exact: What it should say of them, unit vectors float32 (items, width).
        settings: `[clicks]`.
        seed: Of the distillation.
    """
    import sentencepiece

    words = encoder.word_pieces(settings.vocabulary)
    tokenizer, pieces = word_vocabulary(
        texts, [(text, begins) for _, text, begins in words], settings.catalogue_pieces
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer)
    tokens = tokenize(processor, texts, settings.max_tokens)
    tower, fit = distil_word_tower(
        _piece_vectors(encoder, words, pieces),
        tokens,
        exact,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        seed=seed,
    )
    fp32 = export_word_tower(tower)
    int8 = quantize_model(fp32)
    full, rounded = (
        _encoded(model, tokenizer, texts, exact.shape[1], settings) for model in (fp32, int8)
    )
    near = mean_cosine(full, rounded)
    precise = near < KEPT_COSINE or len(int8) >= len(fp32)
    model, vectors = (fp32, full) if precise else (int8, rounded)
    figures = {
        **asdict(fit),
        "shipped_cosine": mean_cosine(vectors, exact),
        "int8_cosine_to_fp32": near,
        "precision": "fp32" if precise else "int8",
        "pieces": len(pieces),
        "bytes": len(model),
    }
    return TowerFiles(model, tokenizer, vectors, figures)


def _piece_vectors(
    encoder: Encoder, words: Sequence[tuple[int, str, bool]], pieces: Sequence[str]
) -> Floats:
    """The encoder's vector of every piece: its own pieces by id, the catalogue's as texts."""
    own = {(text.casefold(), begins): place for place, text, begins in words}
    ids = [own.get((spoken(piece), piece != spoken(piece)), own.get((piece, True)))
           for piece in pieces]  # fmt: skip
    known = [row for row, place in enumerate(ids) if place is not None]
    rest = [row for row, place in enumerate(ids) if place is None]
    vectors: Floats | None = None
    for rows, found in (
        (known, encoder.pieces([ids[row] or 0 for row in known]) if known else None),
        (rest, encoder.texts([spoken(pieces[row]) or " " for row in rest], _PIECE_TOKENS)
               if rest else None),
    ):  # fmt: skip
        if found is not None:
            if vectors is None:
                vectors = np.zeros((len(pieces), found.shape[1]), np.float32)
            vectors[rows] = found
    if vectors is None:
        raise ValueError("the vocabulary has no piece")
    return vectors


def _encoded(
    model: bytes, tokenizer: bytes, texts: Sequence[str], width: int, settings: ClickSettings
) -> Floats:
    tower = OnnxItemTower(model, tokenizer, width=width, max_tokens=settings.max_tokens)
    return tower.encode(texts)
