"""MiniLM as item tower: the encoder as it was published, with a projection fitted to item vectors.

Reimers and Gurevych (Sentence-BERT, EMNLP 2019) for the mean over tokens; the projection is ridge
regression in closed form, its strength chosen on items that it has not seen.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.export.encoder import (
    MODEL_FILE,
    export_encoder,
    quantize_encoder,
    with_head,
)
from pocketrec_distill.training.held_out import held_out, mean_cosine
from pocketrec_distill.training.new_items import LevelOf, unchanged
from pocketrec_runtime.towers import OnnxItemTower

Floats = NDArray[np.float32]

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Ridge penalties tried, as shares of the mean variance of the pooled states."""
KEPT_COSINE = 0.97
"""The int8 tower is shipped only if its vectors stay this close to those of fp32."""
_VOCABULARY = "vocab.txt"


@dataclass(frozen=True)
class Projection:
    """vector = pooled @ weight + bias."""

    weight: Floats
    bias: Floats

    def apply(self, pooled: Floats) -> Floats:
        """Item vectors (items, width) of pooled states (items, encoder width)."""
        vectors: Floats = pooled @ self.weight + self.bias
        return vectors

    def placed(self, scale: float, shift: Floats) -> "Projection":
        """The projection whose vectors are `scale` times as long, and `shift` (width,) further."""
        return Projection(np.float32(scale) * self.weight, np.float32(scale) * self.bias + shift)


def fit_projection(pooled: Floats, targets: Floats, strength: float) -> Projection:
    """Ridge regression of item vectors on pooled states; the bias is not penalised.

    Args:
        pooled: float32 (items, encoder width).
        targets: float32 (items, width).
        strength: Penalty as a share of the mean variance of a pooled component.
    """
    centre, wanted = pooled.mean(axis=0, dtype=np.float64), targets.mean(axis=0, dtype=np.float64)
    x, y = pooled - centre, targets - wanted
    gram = x.T @ x
    penalty = strength * np.trace(gram) / len(gram) + 1e-9
    weight = np.linalg.solve(gram + penalty * np.eye(len(gram)), x.T @ y)
    return Projection(weight.astype(np.float32), (wanted - centre @ weight).astype(np.float32))


def choose_projection(
    pooled: Floats, targets: Floats, seed: int, level_of: LevelOf = unchanged
) -> tuple[Projection, dict[str, float]]:
    """The projection of all items, its strength the best for a tenth held out; and its figures.

    That tenth also gives the level of new items, see `LevelOf`.
    """
    out, kept = held_out(len(pooled), seed)
    unseen = {
        strength: fit_projection(pooled[kept], targets[kept], strength).apply(pooled[out])
        for strength in STRENGTHS
    }
    found = {strength: mean_cosine(rows, targets[out]) for strength, rows in unseen.items()}
    best = max(found, key=lambda strength: found[strength])
    projection = fit_projection(pooled, targets, best)
    train = mean_cosine(projection.apply(pooled), targets)
    level = level_of(out, unseen[best])
    figures = {"held_out_cosine": found[best], "train_cosine": train, "ridge": best}
    return projection.placed(level.scale, level.shift), {**figures, "scale": level.scale}


def fit_minilm_tower(
    texts: Sequence[str],
    targets: Floats,
    folder: Path,
    *,
    max_tokens: int,
    seed: int,
    level_of: LevelOf = unchanged,
) -> tuple[bytes, bytes, dict[str, float | str]]:
    """The item tower, int8 where it stays near fp32, its vocabulary, and how well it does.

    Args:
        texts: Item texts.
        targets: LLM-derived item vectors float32 (items, width).
        folder: An uncased BERT encoder in Hugging Face's layout, with vocab.txt.
        max_tokens: Tokens read of a text, marks among them; at least 3.
        seed: Of the held-out items.
        level_of: Places the vectors of new items among known ones, from the held-out items.

    Raises:
        MissingExtraError: optimum is not installed.
    """
    vocabulary = (folder / _VOCABULARY).read_bytes()
    with tempfile.TemporaryDirectory() as name:
        export_encoder(folder, Path(name))
        encoder = Path(name, MODEL_FILE).read_bytes()
    pooled = _encoded(_pooling(encoder), vocabulary, texts, max_tokens)
    projection, figures = choose_projection(pooled, targets, seed, level_of)
    fp32 = with_head(encoder, projection.weight, projection.bias)
    int8 = quantize_encoder(fp32, folder / "config.json")
    sample = texts[:256]
    exact, rounded = (_encoded(model, vocabulary, sample, max_tokens) for model in (fp32, int8))
    cosine = mean_cosine(exact, rounded)
    small = cosine >= KEPT_COSINE and len(int8) < len(fp32)
    return (
        int8 if small else fp32,
        vocabulary,
        {**figures, "precision": "int8" if small else "fp32", "cosine_to_fp32": cosine},
    )


def _pooling(encoder: bytes) -> bytes:
    """The encoder with no projection: the mean of its states over tokens."""
    import onnx

    output = onnx.load_model_from_string(encoder).graph.output[0]
    width = output.type.tensor_type.shape.dim[2].dim_value
    return with_head(encoder, np.eye(width, dtype=np.float32), np.zeros(width, np.float32))


def _encoded(model: bytes, vocabulary: bytes, texts: Sequence[str], max_tokens: int) -> Floats:
    """Vectors of texts through the runtime, as a device computes them."""
    import onnx

    width = onnx.load_model_from_string(model).graph.output[0].type.tensor_type.shape.dim[1]
    tower = OnnxItemTower(
        model, vocabulary, width=width.dim_value, max_tokens=max_tokens, kind="wordpiece"
    )
    # Texts of one length share a batch, so that little of it is padding.
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    found = np.empty((len(texts), width.dim_value), np.float32)
    found[order] = tower.encode([texts[row] for row in order])
    return found
