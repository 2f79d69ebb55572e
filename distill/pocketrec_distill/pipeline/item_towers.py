"""Which item tower a bundle gets, and in which precision."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.export import export_item_tower, quantize_model
from pocketrec_distill.models.bag_tower import BagTower
from pocketrec_distill.models.item_tower import ItemTower
from pocketrec_distill.sources import minilm
from pocketrec_distill.training.bag_tower import fit_bag_tower
from pocketrec_distill.training.held_out import mean_cosine
from pocketrec_distill.training.item_tower import ItemTowerSettings, fit_item_tower
from pocketrec_distill.training.minilm_tower import fit_minilm_tower
from pocketrec_distill.training.new_items import LevelOf, unchanged
from pocketrec_runtime import ItemTowerShape
from pocketrec_runtime.shape import TokenizerKind

# An int8 item tower is shipped only if its vectors stay this close to those of fp32.
KEPT_COSINE = 0.99


def item_tower_shape(settings: ItemTowerSettings) -> ItemTowerShape:
    """What the manifest says of the item tower."""
    kind: TokenizerKind = "wordpiece" if settings.kind == "minilm" else "sentencepiece"
    return ItemTowerShape(settings.max_tokens, tokenizer=kind)


def made_item_tower(
    texts: Sequence[str],
    targets: NDArray[np.float32],
    settings: ItemTowerSettings,
    seed: int,
    level_of: LevelOf = unchanged,
) -> tuple[bytes, bytes, dict[str, Any]]:
    """The item tower's model, its tokenizer, and how well it does on unseen items.

    Args:
        texts: Item texts.
        targets: LLM-derived item vectors float32 (items, width).
        settings: Which tower, and its training.
        seed: Of every random choice.
        level_of: Places the vectors of new items among known ones, from items held out.
    """
    if settings.kind == "minilm":
        model, vocabulary, figures = fit_minilm_tower(
            texts,
            targets,
            minilm(),
            max_tokens=settings.max_tokens,
            seed=seed,
            level_of=level_of,
        )
        return model, vocabulary, dict(figures)
    fit = fit_bag_tower if settings.kind == "pieces" else fit_item_tower
    tower, tokenizer, scores = fit(texts, targets, settings, seed, level_of)
    model, precision, cosine = smallest_item_tower(tower)
    return model, tokenizer, {**scores, "precision": precision, "cosine_to_fp32": cosine}


def smallest_item_tower(tower: ItemTower | BagTower) -> tuple[bytes, str, float]:
    """The int8 item tower where its vectors stay close to those of fp32, else fp32.

    Returns:
        The model, its precision, and the mean cosine of the int8 vectors to those of fp32.
    """
    fp32 = export_item_tower(tower)
    int8 = quantize_model(fp32)
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, tower.tokens.num_embeddings, (64, 16))
    exact, rounded = (_run_item_tower(model, tokens) for model in (fp32, int8))
    cosine = mean_cosine(exact, rounded)
    if cosine >= KEPT_COSINE and len(int8) < len(fp32):
        return int8, "int8", cosine
    return fp32, "fp32", cosine


def _run_item_tower(model: bytes, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    vectors: NDArray[np.float32] = session.run(["item_vector"], {"token_ids": tokens})[0]
    return vectors
