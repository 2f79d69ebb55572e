"""What an engine answers: a user vector, or none, turned into ranked items or scores."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.answers import (
    AnswerSource,
    RankedItem,
    Recommendation,
    Scores,
    answer_source,
    ranked_items,
    with_rules,
)
from pocketrec_runtime.lookup import Filters, drop_retired, filter_mask, most_popular, resolve
from pocketrec_runtime.rules import RuleContext, Rules, apply_rules, ranking_of

if TYPE_CHECKING:
    from pocketrec_runtime.engine import Engine


def rank(
    engine: "Engine",
    vector: NDArray[np.float32] | None,
    k: int,
    exclude: Collection[int],
    filters: Filters | None,
    unknown: tuple[str, ...],
    rules: Rules | None,
    context: RuleContext | None,
) -> Recommendation:
    """As `Engine.rank`."""
    engine.reader.check_process()
    catalogue = engine.catalogue
    allow = filter_mask(catalogue, filters)
    source, reason = answer_source(vector is not None, unknown)
    if rules is not None:
        ranking = ranking_of(catalogue, engine.scan, vector, engine.calibration.slope)
        ruled = apply_rules(
            rules, catalogue, ranking, k, exclude=exclude, allow=allow, context=context
        )
        items = _ranked(engine, ruled.indices, ruled.scores, source)
        items = with_rules(items, ruled.placed_by)
    elif vector is None:
        items = _ranked(engine, *most_popular(catalogue, k, exclude, allow), source)
    else:
        found = engine.top_k(vector, k, exclude=exclude, allow=allow)
        items = _ranked(engine, *found, source)
    return Recommendation(items, source, reason, engine.fingerprint, unknown)


def score_candidates(
    engine: "Engine",
    vector: NDArray[np.float32] | None,
    candidates: Sequence[str],
    unknown: tuple[str, ...],
) -> Scores:
    """As `Engine.score_candidates`."""
    catalogue = engine.catalogue
    wanted, missing = drop_retired(catalogue, *resolve(catalogue, candidates, "candidates"))
    source, reason = answer_source(vector is not None, unknown)
    indices = np.array(wanted, np.int64)
    scores = (
        catalogue.popularity[indices] if vector is None else engine.scan.scores(vector, indices)
    )
    items = _ranked(engine, indices, scores, source)
    return Scores(items, source, reason, engine.fingerprint, unknown, missing)


def _ranked(
    engine: "Engine",
    indices: NDArray[np.int64],
    scores: NDArray[np.float32],
    source: AnswerSource,
) -> tuple[RankedItem, ...]:
    shares = scores if source == "popularity" else engine.probability(scores)
    return ranked_items(engine.catalogue, indices, scores, shares)
