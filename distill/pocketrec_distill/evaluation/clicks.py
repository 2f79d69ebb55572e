"""Measuring a bundle on impressions, through the runtime: candidates by id, or from text alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.clicks.inputs import read_clicks
from pocketrec_distill.config import DistillConfig
from pocketrec_distill.data.impressions import Impressions
from pocketrec_distill.errors import DataError
from pocketrec_distill.evaluation.pointwise import Scored, summarise_clicks
from pocketrec_distill.llm.text import TextTemplate
from pocketrec_runtime import Engine
from pocketrec_runtime.text_scoring import average_item, history_vectors


def evaluate_clicks(
    engine: Engine, impressions: Path, items: Path | None, part: str, config: DistillConfig
) -> dict[str, Any]:
    """Click metrics of a bundle on impressions.

    With item texts, every candidate is scored from its text, whether the catalogue holds it or
    not; without, by its row, and candidates that the catalogue does not hold are left out and
    counted. Histories are read by id, and from text where the catalogue lacks an item. Texts are
    made with the configuration's template, or with that which the bundle says it learned from.

    Raises:
        DataError: The files cannot be read, there is no such part, or nothing can be measured.
    """
    data = read_clicks(impressions, items, config.data)
    if part not in data.parts:
        raise DataError(f"no part {part!r} in {impressions}; there: {', '.join(data.parts)}")
    texts: dict[str, str] = {}
    if data.items is not None:
        template = config.text.template or str(engine.manifest.provenance.get("text_template", ""))
        rendered = TextTemplate(template).render(data.items.item_ids, data.items.columns)
        texts = dict(zip(data.items.item_ids, rendered, strict=True))
    scored, left_out = score_impressions(engine, data.parts[part], texts)
    return {
        "part": part if impressions.is_dir() else impressions.name,
        "model": engine.fingerprint,
        "candidates_scored_from": "text" if texts else "catalogue rows",
        "candidates_left_out": left_out,
        **summarise_clicks(scored),
    }


def score_impressions(
    engine: Engine, impressions: Impressions, texts: Mapping[str, str]
) -> tuple[Scored, int]:
    """Every candidate's score and probability, as `Engine.score_texts` gives them.

    A text is encoded once, however often it is shown.

    Returns:
        The scores, and the number of candidates that had neither text nor row.

    Raises:
        DataError: No candidate could be scored.
    """
    vectors, bias = _candidate_vectors(engine, impressions, texts)
    users = {user: place for place, user in enumerate(dict.fromkeys(impressions.users))}
    history_users: dict[int, NDArray[np.float32]] = {}
    scores: list[float] = []
    rows: list[tuple[int, int, int]] = []
    left_out = 0
    for at, (user, history, shown, labels) in enumerate(
        zip(
            impressions.users,
            impressions.histories,
            impressions.candidates,
            impressions.labels,
            strict=True,
        )
    ):
        if id(history) not in history_users:
            history_users[id(history)] = _user_vector(engine, history, texts)
        for item, label in zip(shown, labels.tolist(), strict=True):
            if item not in vectors:
                left_out += 1
                continue
            scores.append(float(vectors[item] @ history_users[id(history)]) + bias[item])
            rows.append((at, users[user], label))
    if not rows:
        raise DataError("no candidate has a row in the bundle or a text; give --items")
    place = np.array(rows, dtype=np.int64)
    found = np.array(scores)
    probabilities = engine.probability(found).astype(np.float64)
    scored = Scored(found, probabilities, place[:, 2].astype(np.bool_), place[:, 0], place[:, 1])
    return scored, left_out


def _candidate_vectors(
    engine: Engine, impressions: Impressions, texts: Mapping[str, str]
) -> tuple[dict[str, NDArray[np.float32]], dict[str, float]]:
    """Vector and bias of each candidate: from its text where it has one, else its row."""
    shown = list(dict.fromkeys(item for ids in impressions.candidates for item in ids))
    spoken = [item for item in shown if item in texts]
    vectors: dict[str, NDArray[np.float32]] = {}
    bias: dict[str, float] = {}
    if spoken:
        encoded = engine.encode_items([texts[item] for item in spoken])
        vectors |= dict(zip(spoken, encoded, strict=True))
        bias |= dict.fromkeys(spoken, engine.manifest.model.new_item_bias)
    catalogue = engine.catalogue
    for item in shown:
        index = catalogue.index_of(item)
        if item not in vectors and index is not None:
            vectors[item] = catalogue.vectors[index]
            bias[item] = float(catalogue.bias[index])
    return vectors, bias


def _user_vector(
    engine: Engine, history: tuple[str, ...], texts: Mapping[str, str]
) -> NDArray[np.float32]:
    events, _ = history_vectors(engine, history, texts)
    return engine.user_vector(events if len(events) else average_item(engine)[None])
