"""The stage of item features: words and relations beside the LLM's states."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pocketrec_distill.config import DistillConfig
from pocketrec_distill.models.base import Floats
from pocketrec_distill.models.item_features import beside, lexical_features, relation_features
from pocketrec_distill.pipeline.dataset import Dataset
from pocketrec_distill.pipeline.stages import RunDirectory


def item_features(
    states: Floats, data: Dataset, config: DistillConfig, run: RunDirectory, key: Mapping[str, Any]
) -> Floats:
    """What text-fed models read of an item, float32 (items, any); see `models.item_features`.

    Args:
        states: Pooled LLM states (items, llm width).
        data: Texts and related entities.
        config: How wide the further blocks are.
        run: Where the stage keeps them.
        key: Key of the stage.
    """
    lexical, width = config.text.lexical, config.knowledge.width
    if not lexical and not data.entities:
        return beside(states)

    def make(folder: Path) -> None:
        blocks = [lexical_features(data.texts, lexical)]
        if data.entities:
            blocks.append(relation_features(data.entities, width))
        np.save(folder / "features.npy", np.concatenate(blocks, axis=1))

    folder = run.stage("item-words", key, make)
    return beside(states, np.load(folder / "features.npy"))
