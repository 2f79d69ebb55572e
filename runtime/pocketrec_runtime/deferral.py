"""Deferral: whether a larger model elsewhere is likely to answer better than this device does.

A linear model of what the device knows without asking: how long the history is, how alike its
items are, and how sure the user tower is of its best items. What it predicts, and how much the
requests it picks gained on validation, is fitted when the bundle is made
(`pocketrec_distill.deferral`).
After learning to defer (Madras et al., NeurIPS 2018), with the student fixed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_runtime.catalogue import Catalogue
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.lookup import resolve

if TYPE_CHECKING:
    from pocketrec_runtime.engine import Engine

#: What the model knows, in the order of its weights; docs/bundle-format.md defines each.
FEATURES = (
    "log_events",
    "log_unknown",
    "margin_1_10",
    "margin_10_11",
    "margin_1_50",
    "entropy_50",
    "history_popularity",
    "top_popularity",
    "history_cosine",
    "history_norm",
    "top_norm",
    "nearest_cosine",
    "last_cosine",
)
#: So many of the best unseen items are looked at.
TOP = 50
MAX_STEPS = 100
# So many of the newest known events, and of the best items, are looked at as vectors.
_EVENTS, _SHOWN = 50, 10
# A feature far outside of what was seen when fitting says no more than one at the edge.
_MOST_DEVIATIONS = 4.0


@dataclass(frozen=True)
class DeferralStep:
    """What was measured for one share of requests, those of the highest expected gain.

    Attributes:
        share: Of requests that ask the server, above 0, at most 1.
        threshold: Expected gain from which on a request is among them.
        gain: NDCG@10 that all requests together gained on validation, a mean over all of them.
        low: Lower end of its 95% interval.
        high: Upper end.
    """

    share: float
    threshold: float
    gain: float
    low: float
    high: float

    def __post_init__(self) -> None:
        values = (self.share, self.threshold, self.gain, self.low, self.high)
        if not all(map(math.isfinite, values)) or not 0 < self.share <= 1:
            raise InputError(f"deferral step {values} is not finite, or its share is not in 0 to 1")
        if not self.low <= self.gain <= self.high:
            raise InputError(f"deferral gain {self.gain} lies outside {self.low} to {self.high}")


@dataclass(frozen=True)
class DeferralPolicy:
    """Which requests to send to a server, and what that is worth.

    Attributes:
        weights: One for each of FEATURES, of its deviation from `means` in `scales`.
        means: Of the features.
        scales: Of the features, above 0.
        intercept: Expected gain in NDCG@10 where every feature is at its mean.
        steps: Shares of requests, rising, thresholds not rising; empty where no share was shown to
            gain: then nothing is deferred.
        fitted_on: What it was fitted on, for people.
    """

    weights: tuple[float, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    intercept: float
    steps: tuple[DeferralStep, ...] = ()
    fitted_on: str = "not fitted"

    def __post_init__(self) -> None:
        for name in ("weights", "means", "scales"):
            values = getattr(self, name)
            if len(values) != len(FEATURES) or not all(map(math.isfinite, values)):
                raise InputError(
                    f"deferral {name} are {len(values)} numbers; give {len(FEATURES)} finite ones"
                )
        if min(self.scales) <= 0 or not math.isfinite(self.intercept):
            raise InputError("deferral scales must be above 0, and the intercept finite")
        if len(self.steps) > MAX_STEPS:
            raise InputError(f"deferral has {len(self.steps)} steps; the limit is {MAX_STEPS}")
        for before, after in zip(self.steps, self.steps[1:], strict=False):
            if after.share <= before.share or after.threshold > before.threshold:
                raise InputError("deferral steps must have rising shares and falling thresholds")

    def expected_gain(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expected gain in NDCG@10 of asking the server, (...), for features (..., FEATURES)."""
        deviations = (features - np.asarray(self.means)) / np.asarray(self.scales)
        bounded = np.clip(deviations, -_MOST_DEVIATIONS, _MOST_DEVIATIONS)
        return np.asarray(bounded @ np.asarray(self.weights) + self.intercept, np.float64)

    def threshold(self, share: float) -> float:
        """Expected gain from which on to ask, for at most this share; infinite for none.

        Raises:
            InputError: The share is not in 0 to 1.
        """
        step = self.step(share)
        return math.inf if step is None else step.threshold

    def step(self, share: float) -> DeferralStep | None:
        """The largest step of at most this share; None where nothing is to be deferred.

        Raises:
            InputError: The share is not in 0 to 1.
        """
        if not 0 <= share <= 1:
            raise InputError(f"deferral share is {share}; give 0 to 1")
        within = [step for step in self.steps if step.share <= share + 1e-9]
        return within[-1] if within else None

    def as_dict(self) -> Mapping[str, Any]:
        """The contents of `deferral.json`."""
        return {
            "features": list(FEATURES),
            "weights": list(self.weights),
            "means": list(self.means),
            "scales": list(self.scales),
            "intercept": self.intercept,
            "steps": [vars(step) for step in self.steps],
            "fitted_on": self.fitted_on,
        }


def request_features(
    engine: "Engine", vector: NDArray[np.float32], known: Sequence[int], unknown: int
) -> tuple[NDArray[np.float64], list[int]]:
    """The features of a request, float64 (FEATURES,), and the best unseen items, best first.

    Args:
        engine: What answers on the device.
        vector: The user vector of the history, (width,).
        known: Indices of the history's known items, oldest first, at least one.
        unknown: Different ids of the history that the catalogue does not hold.

    Raises:
        InputError: There is no known item.
    """
    if len(known) == 0:
        raise InputError("a history without a known item has no features; see `defers`")
    catalogue = engine.catalogue
    found, scores = engine.top_k(vector, TOP, exclude=frozenset(known))
    top, events = found.tolist(), list(known[-_EVENTS:])
    values = [
        math.log(len(known)),
        math.log1p(unknown),
        *_certainty(scores.astype(np.float64)),
        _mean_popularity(catalogue, events),
        _mean_popularity(catalogue, top[:_SHOWN]),
        *_geometry(
            _vectors(catalogue, events),
            _vectors(catalogue, top[:_SHOWN]),
            np.asarray(vector, np.float64),
        ),
    ]
    return np.array(values), top


def _certainty(scores: NDArray[np.float64]) -> list[float]:
    """Three margins between the best scores, and the entropy of their softmax."""
    if len(scores) == 0:
        return [0.0] * 4
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    last = len(scores) - 1

    def margin(higher: int, lower: int) -> float:
        return float(scores[min(higher, last)] - scores[min(lower, last)])

    entropy = -float((shares * np.log(np.maximum(shares, 1e-300))).sum())
    return [margin(0, 9), margin(9, 10), margin(0, TOP - 1), entropy]


def _geometry(
    history: NDArray[np.float64], top: NDArray[np.float64], user: NDArray[np.float64]
) -> list[float]:
    """How alike the history is, how long its vectors and the best items' are, and how near."""
    seen, shown, taste = _unit(history), _unit(top), _unit(user[None])[0]
    nearest = float((shown @ seen.T).max(axis=1).mean()) if len(shown) else 0.0
    return [
        float((seen @ seen.T).mean()),
        float(np.linalg.norm(history, axis=1).mean()),
        float(np.linalg.norm(top, axis=1).mean()) if len(top) else 0.0,
        nearest,
        float(seen[-1] @ taste),
    ]


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float64)


def _vectors(catalogue: Catalogue, items: Sequence[int]) -> NDArray[np.float64]:
    return np.asarray(catalogue.vectors_of(np.asarray(items, np.int64)), np.float64)


def _mean_popularity(catalogue: Catalogue, items: Sequence[int]) -> float:
    """Mean logarithm of popularity, log 2 for an item as popular as the mean; 0 for no items."""
    shares = catalogue.popularity[np.asarray(items, np.int64)].astype(np.float64)
    return float(np.log1p(shares * len(catalogue)).mean()) if len(shares) else 0.0


def defers(engine: "Engine", history: Sequence[str], share: float) -> bool:
    """Whether a request is among the share that a server is most likely to answer better.

    A share of 1 defers all, and so does a bundle without a policy. A history that holds nothing
    known is deferred where it holds ids: a server may know them.

    Args:
        engine: What answers on the device.
        history: Item ids, oldest first.
        share: Of requests, 0 to 1.

    Raises:
        InputError: The share is not in 0 to 1, or an id is no string.
    """
    policy = engine.deferral
    if share >= 1 or policy is None:
        return share > 0
    known, unknown = resolve(engine.catalogue, history, "history")
    threshold = policy.threshold(share)
    if not known:
        return len(unknown) > 0 and math.isfinite(threshold)
    vector = engine.prefill(known)[1]
    features, _ = request_features(engine, vector, known, len(unknown))
    return float(policy.expected_gain(features)) >= threshold
