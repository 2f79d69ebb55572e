"""From validation queries to a deferral policy: a ridge regression, cross-fitted.

What is learned is not the gain on the one item that came next: in nine of ten queries neither model
has it among its ten, and the rest is noise. Learned is the gain that the teacher itself expects,
over all items that may come next; its softmax is calibrated, so the two agree in the mean. What a
share of requests gains is then measured on the items that did come next, on queries that the
predictions were not fitted on.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.evaluation.bootstrap import mean_interval
from pocketrec_runtime import DeferralPolicy, DeferralStep
from pocketrec_runtime.deferral import FEATURES

#: Shares of requests for which the gain is measured.
SHARES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0)
# Below this many queries no share can be told from chance.
LEAST_QUERIES = 100
_FOLDS = 5
_RIDGE = 100.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Examples:
    """Queries with what the device knows of each, and what a server would have gained.

    Attributes:
        features: As `pocketrec_runtime.deferral.FEATURES`, (queries, FEATURES).
        expected: NDCG@10 that the teacher expects to gain, (queries,).
        gained: NDCG@10 that it gained on the item that came next, (queries,); NaN for queries of
            which a part was hidden from the device: they say what an unknown item is worth.
    """

    features: Floats
    expected: Floats
    gained: Floats


def fit_policy(examples: Examples, fitted_on: str, seed: int = 0) -> DeferralPolicy:
    """The policy for a student and its teacher.

    A share of requests becomes a step of the policy where the whole 95% interval of its gain lies
    above 0: where the student is as good as its teacher, there is none, and nothing is deferred.

    Args:
        examples: Validation queries.
        fitted_on: What they are, in words.
        seed: Of the folds.
    """
    whole = np.isfinite(examples.gained)
    features, expected = examples.features[whole], examples.expected[whole]
    policy = replace(_ridge(features, expected), fitted_on=fitted_on)
    if not whole.all():
        policy = _with_unknown(policy, examples.features[~whole], examples.expected[~whole])
    if whole.sum() < LEAST_QUERIES:
        return policy
    predicted = _cross_fitted(features, expected, seed)
    return replace(policy, steps=_steps(predicted, examples.gained[whole]))


def _with_unknown(policy: DeferralPolicy, features: Floats, expected: Floats) -> DeferralPolicy:
    """The policy with a weight for unknown items, from queries of which a part was hidden.

    What is known of the rest keeps its weights: hidden items would bend them.
    """
    place = FEATURES.index("log_unknown")
    unknown = features[:, place]
    rest = expected - policy.expected_gain(features)
    weight = float(unknown @ rest / max(float(unknown @ unknown), 1e-9))
    weights = [*policy.weights]
    # Nobody needs a device that asks less often for knowing less.
    weights[place] = max(0.0, weight)
    return replace(policy, weights=tuple(weights))


def _steps(predicted: Floats, gained: Floats) -> tuple[DeferralStep, ...]:
    order = np.argsort(-predicted, kind="stable")
    steps = []
    for share in SHARES:
        count = max(1, round(share * len(order)))
        taken = np.zeros(len(order))
        taken[order[:count]] = gained[order[:count]]
        interval = mean_interval(taken)
        if interval.low > 0:
            threshold = float(predicted[order[count - 1]])
            low, high = min(interval.low, interval.value), max(interval.high, interval.value)
            steps.append(DeferralStep(share, threshold, interval.value, low, high))
    return tuple(steps)


def _cross_fitted(features: Floats, expected: Floats, seed: int) -> Floats:
    """Each query's expected gain by a regression that did not see it."""
    folds = np.random.default_rng(seed).permutation(len(expected)) % _FOLDS
    predicted = np.zeros(len(folds))
    for fold in range(_FOLDS):
        out = folds == fold
        predicted[out] = _ridge(features[~out], expected[~out]).expected_gain(features[out])
    return predicted


def _ridge(features: Floats, targets: Floats) -> DeferralPolicy:
    """Ridge regression on features in standard deviations; one that never varies has no weight."""
    means, scales = features.mean(axis=0), features.std(axis=0)
    scales = np.where(scales > 1e-9, scales, 1.0)
    deviations = (features - means) / scales
    gram = deviations.T @ deviations + _RIDGE * np.eye(len(FEATURES))
    weights = np.linalg.solve(gram, deviations.T @ (targets - targets.mean()))
    return DeferralPolicy(
        tuple(weights.tolist()),
        tuple(means.tolist()),
        tuple(scales.tolist()),
        float(targets.mean()),
    )
