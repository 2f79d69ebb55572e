"""Rules applied to a ranking: which items, in which order, and why."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.catalogue import Catalogue
from pocketrec_runtime.rules.bound import BoundRules, bind, overexposed
from pocketrec_runtime.rules.bounds import Bounds
from pocketrec_runtime.rules.objectives import (
    NearestPlaced,
    Objective,
    SharesDivergence,
    target_shares,
)
from pocketrec_runtime.rules.ranking import BoostedRanking, Ranking
from pocketrec_runtime.rules.select import Placed, Selection
from pocketrec_runtime.rules.settings import RuleContext, Rules
from pocketrec_runtime.scan import check_k, check_mask, checked_rows


@dataclass(frozen=True, eq=False)
class RuledAnswer:
    """The items that rules leave, top first.

    Attributes:
        indices: (m,) int64 item indices.
        scores: (m,) float32 scores of the model, boosts not in them.
        placed_by: Per item the rules that put it where it stands, none where it is the model's
            own choice.
    """

    indices: NDArray[np.int64]
    scores: NDArray[np.float32]
    placed_by: tuple[tuple[str, ...], ...]


def apply_rules(
    rules: Rules,
    catalogue: Catalogue,
    ranking: Ranking,
    k: int,
    *,
    exclude: Collection[int] = (),
    allow: NDArray[np.bool_] | None = None,
    context: RuleContext | None = None,
) -> RuledAnswer:
    """The answer of k items that rules make of a ranking. Pure: no clock, no file, no chance.

    Hard rules (deny, pins, boosts, caps, quotas, exposure) give exactly what they would give
    over the whole ranking. Diversity and calibration are greedy and choose among the best
    k * pool_factor items, as their papers do: an approximation of the best set.

    Args:
        rules: What to apply.
        catalogue: n items.
        ranking: Scores of the n items; NaN and infinities are left out.
        k: How many items, at least 1.
        exclude: Item indices that are not recommended.
        allow: (n,) True where an item may be recommended; None is all.
        context: The user's history, what the user was shown, and the present.

    Raises:
        InputError: k, an index or the mask is out of bounds, a rule names a column that the
            catalogue lacks, or an exposure limit was given no clock.
    """
    k = check_k(k)
    context = RuleContext() if context is None else context
    bound = bind(rules, catalogue)
    eligible = _eligible(bound, catalogue, exclude, allow, context)
    bounds = Bounds(rules, catalogue, eligible)
    objectives = _objectives(rules, catalogue, context)
    choosy = bounds.active or objectives
    ordered = BoostedRanking(ranking, bound.factors) if bound.factors else ranking
    selection = Selection(
        ordered.top,
        eligible,
        bounds,
        objectives,
        pool_size=min(k, len(catalogue)) * (rules.pool_factor if choosy else 1),
    )
    placed = without_denied(selection.run(k, _finite(bound.pins, ranking)), bound.denied)
    indices = np.array([item.index for item in placed], np.int64)
    by = tuple((*item.by, *_boosts_of(bound, item.index)) for item in placed)
    return RuledAnswer(indices, ranking.scores(indices), by)


def without_denied(placed: list[Placed], denied: NDArray[np.bool_]) -> list[Placed]:
    """The placed items that are not denied.

    Denied items were left out before anything else. They are again at the very end, so that no
    rule in between, present or future, can bring one back.
    """
    return [item for item in placed if not denied[item.index]]


def _eligible(
    bound: BoundRules,
    catalogue: Catalogue,
    exclude: Collection[int],
    allow: NDArray[np.bool_] | None,
    context: RuleContext,
) -> NDArray[np.bool_]:
    eligible = ~bound.denied
    if catalogue.active is not None:
        eligible &= catalogue.active
    if allow is not None:
        check_mask(allow, len(catalogue))
        eligible &= allow
    eligible[checked_rows(exclude, len(catalogue))] = False
    if bound.rules.exposure is not None:
        eligible[overexposed(bound.rules.exposure, context, catalogue)] = False
    return eligible


def _finite(pins: tuple[tuple[int, int], ...], ranking: Ranking) -> list[tuple[int, int]]:
    """The pins whose score is a number: the ranking leaves out the others by itself."""
    scores = ranking.scores(np.array([index for _, index in pins], np.int64)) if pins else ()
    return [pin for pin, score in zip(pins, scores, strict=True) if np.isfinite(score)]


def _objectives(rules: Rules, catalogue: Catalogue, context: RuleContext) -> dict[str, Objective]:
    objectives: dict[str, Objective] = {}
    if rules.diversity is not None:
        objectives["diversity"] = NearestPlaced(rules.diversity, catalogue)
    if rules.calibration is not None:
        target = target_shares(rules.calibration, catalogue, context.history)
        if target:
            objectives["calibration"] = SharesDivergence(rules.calibration, catalogue, target)
    return objectives


def _boosts_of(bound: BoundRules, index: int) -> tuple[str, ...]:
    if bound.log_factors is None or bound.log_factors[index] == 0:
        return ()
    return ("boosted",) if bound.log_factors[index] > 0 else ("demoted",)
