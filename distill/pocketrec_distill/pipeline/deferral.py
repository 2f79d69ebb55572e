"""The deferral policy of a run: fitted on validation for the bundle, measured on test."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.deferral import Beliefs, Examples, deferral_curve, fit_policy
from pocketrec_distill.evaluation.metrics import CUTOFF, RankingMetrics
from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.models.base import History
from pocketrec_runtime import DeferralPolicy, Engine
from pocketrec_runtime.deferral import request_features

# Copies of queries whose history the device knows in part only.
MOST_HIDDEN = 1_000

Floats = NDArray[np.float64]


def fitted_policy(
    engine: Engine,
    queries: QuerySet,
    beliefs: Beliefs,
    device: RankingMetrics,
    server: RankingMetrics,
    seed: int,
) -> DeferralPolicy:
    """The policy for a bundle, from the validation queries.

    Args:
        engine: The bundle.
        queries: Validation.
        beliefs: What the teacher believed of each of them, in their order.
        device: The bundle's metrics on them.
        server: The teacher's.
        seed: Of folds, and of what is hidden.
    """
    rows, expected = [], []
    for place, history in enumerate(queries.histories):
        features, ranked = seen_by(engine, history, 0)
        rows.append(features)
        expected.append(beliefs.gain(place, ranked))
    gained = list(server.ndcg - device.ndcg)
    rng = np.random.default_rng(seed)
    for place in rng.permutation(len(queries))[:MOST_HIDDEN].tolist():
        history = queries.histories[place]
        if len(history) < 2:
            continue
        kept, unknown = _hidden(history, rng)
        features, ranked = seen_by(engine, kept, unknown)
        rows.append(features)
        expected.append(beliefs.gain(place, ranked))
        gained.append(np.nan)
    examples = Examples(np.array(rows), np.array(expected), np.array(gained))
    return fit_policy(examples, f"{len(queries)} validation queries", seed)


def deferral_report(
    engine: Engine,
    policy: DeferralPolicy,
    queries: QuerySet,
    device: RankingMetrics,
    server: RankingMetrics,
) -> Mapping[str, Any]:
    """What a policy brings on test: the section `deferral` of the report.

    Args:
        engine: The bundle.
        policy: Its policy.
        queries: Test.
        device: The bundle's metrics on them.
        server: The teacher's.
    """
    features = np.array([seen_by(engine, history, 0)[0] for history in queries.histories])
    expected = policy.expected_gain(features)
    curve = deferral_curve(expected, device.ndcg, server.ndcg)
    return {
        "fitted_on": policy.fitted_on,
        "validation": [vars(step) for step in policy.steps],
        "test": [asdict(point) for point in curve],
        "chosen": [
            {"share": step.share, **_chosen(expected >= step.threshold, device, server)}
            for step in policy.steps
        ],
    }


def seen_by(
    engine: Engine, history: Sequence[int] | History, unknown: int
) -> tuple[Floats, list[int]]:
    """The features of a request, and the device's own ten items for it."""
    known = [int(item) for item in history]
    vector = engine.prefill(known)[1]
    features, top = request_features(engine, vector, known, unknown)
    return features, top[:CUTOFF]


def _chosen(
    asked: NDArray[np.bool_], device: RankingMetrics, server: RankingMetrics
) -> dict[str, float]:
    """What the threshold of validation picks on test: it need not be the share it was made for."""
    gains = np.where(asked, server.ndcg - device.ndcg, 0.0)
    return {"deferred": float(asked.mean()), "gain": float(gains.mean())}


def _hidden(history: History, rng: np.random.Generator) -> tuple[list[int], int]:
    """A part of a history, as a device knows it whose catalogue lacks the other items."""
    items = np.unique(history)
    if len(items) < 2:
        return history.tolist(), 0
    hidden = rng.choice(items, int(rng.integers(1, len(items))), replace=False)
    return [item for item in history.tolist() if item not in hidden], len(hidden)
