"""Diversity and calibration: by hand, and against their formulas in plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketrec_runtime import CalibratedShares, Cap, Diversity, Pin, RuleContext, Rules
from pocketrec_runtime.rules import ScoreRanking, apply_rules


def ruled(catalogue, scores, k, history=(), **rules):
    context = RuleContext(history=tuple(history))
    ranking = ScoreRanking(np.array(scores, np.float32), 1.0)
    return apply_rules(Rules(**rules), catalogue, ranking, k, context=context)


def order(*arguments, **keywords):
    return ruled(*arguments, **keywords).indices.tolist()


def test_mmr_by_hand(make):
    # Items 0 and 1 point alike, 2 stands across, 3 points against 0. Relevance 1, .9, .5, 0.
    vectors = np.array([[2, 0, 0], [5, 0, 0], [0, 1, 0], [-1, 0, 0]])
    catalogue = make({"kind": (None,) * 4}, vectors)
    scores = [10, 9, 5, 0]
    assert order(catalogue, scores, 4, diversity=Diversity(0.0)) == [0, 1, 2, 3]
    # Strength .5 after item 0: item 1 has .45-.5, item 2 .25, item 3 0+.5; then 2 before 1.
    answer = ruled(catalogue, scores, 4, diversity=Diversity(0.5))
    assert answer.indices.tolist() == [0, 3, 2, 1]
    assert answer.placed_by == ((), ("diversity",), ("diversity",), ())


def test_mmr_counts_pins_further_down(make):
    # Item 0 (relevance 1) points as the pinned item 2 does, item 1 (.95) across.
    vectors = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]])
    catalogue = make({"kind": (None,) * 4}, vectors)
    pins = [Pin("i2", 2)]
    assert order(catalogue, [2, 1.9, 0, 0], 2, diversity=Diversity(0.5), pins=pins) == [1, 2]


def test_mmr_by_attribute(make):
    kinds = (("a", "b"), ("a",), ("c",), ())
    catalogue = make({"kind": kinds})
    # Relevance 1, .9, .3, 0; overlap of 1 with 0 is 1/2, of 2 and 3 is 0.
    scores = [10, 9, 3, 0]
    assert order(catalogue, scores, 3, diversity=Diversity(0.5, column="kind")) == [0, 1, 2]
    assert order(catalogue, scores, 3, diversity=Diversity(0.6, column="kind")) == [0, 2, 1]


def test_calibration_by_hand(make):
    catalogue = make({"genre": ("war", "war", "war", "love", "love")})
    scores = [5, 4, 3, 2, 1]
    # A history of 3 war and 1 love is answered 3 to 1, whatever the scores say.
    shares = CalibratedShares("genre", strength=0.99)
    answer = ruled(catalogue, scores, 4, history=[0, 1, 2, 3], calibration=shares)
    assert sorted(answer.indices.tolist()) == [0, 1, 2, 3]
    assert "calibration" in answer.placed_by[answer.indices.tolist().index(3)]
    wanted = CalibratedShares("genre", strength=0.99, target={"love": 5, "war": 5})
    assert sorted(order(catalogue, scores, 4, calibration=wanted)) == [0, 1, 3, 4]


def test_calibration_without_a_known_share_is_the_ranking(make):
    catalogue = make({"genre": (None, "war", "love")})
    shares = CalibratedShares("genre", strength=1.0)
    assert order(catalogue, [3, 2, 1], 3, calibration=shares) == [0, 1, 2]
    assert order(catalogue, [3, 2, 1], 3, history=[0], calibration=shares) == [0, 1, 2]


# --- against the formulas -----------------------------------------------------------------------


def cosine(a, b):
    lengths = math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0


def jaccard(a, b):
    return len(set(a) & set(b)) / len(set(a) | set(b)) if set(a) | set(b) else 0.0


def divergence(target, chosen, values):
    total = 0.0
    for value, p in target.items():
        q = sum(1 / len(values[i]) for i in chosen if value in values[i]) / len(chosen)
        total += p * math.log(p / (0.99 * q + 0.01 * p))
    return total


def greedy(scores, k, pool, gain_terms):
    """The papers' greedy algorithm over the pool, gains in plain floats."""
    low, high = min(scores[i] for i in pool), max(scores[i] for i in pool)
    chosen = []
    while len(chosen) < min(k, len(pool)):
        left = [i for i in pool if i not in chosen]
        gains = {}
        for i in left:
            relevance = (scores[i] - low) / (high - low) if high > low else 0.0
            gains[i] = gain_terms(relevance, chosen, i)
        best = max(gains.values())
        # Equal gains may differ in the last bits between two summations: then both are right.
        chosen.append(next(i for i in left if gains[i] >= best - 1e-12))
    return chosen


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 4), st.booleans())
def test_mmr_and_calibration_follow_their_formulas(make, seed, k, factor, by_column):
    rng = np.random.default_rng(seed)
    n = 20
    vectors = rng.normal(size=(n, 3)).astype(np.float32)
    vectors[rng.integers(n)] = 0
    values = [tuple(rng.choice(list("abcd"), rng.integers(0, 3), replace=False)) for _ in range(n)]
    scores = rng.normal(size=n).astype(np.float32)
    a, b = rng.uniform(0.05, 0.95, 2)
    target = {"a": 0.5, "b": 0.3, "c": 0.2}
    pool = sorted(range(n), key=lambda i: -scores[i])[: k * factor]

    def similarity(i, j):
        if by_column:
            return jaccard(values[i], values[j])
        return cosine(vectors[i].tolist(), vectors[j].tolist())

    def gain(relevance, chosen, i):
        nearest = max((similarity(i, j) for j in chosen), default=0.0)
        relevance *= (1 - a) * (1 - b)
        return relevance - a * nearest - b * divergence(target, [*chosen, i], values)

    catalogue = make({"kind": tuple(values)}, vectors)
    answer = order(
        catalogue,
        scores,
        k,
        diversity=Diversity(a, "kind" if by_column else None),
        calibration=CalibratedShares("kind", b, target),
        pool_factor=factor,
    )
    assert answer == greedy(scores.astype(float), k, pool, gain)


def test_a_cap_deepens_the_pool_of_a_diverse_answer(make):
    n = 40
    brands = ("big",) * 36 + ("w", "x", "y", "z")
    vectors = np.random.default_rng(5).normal(size=(n, 3))
    catalogue = make({"brand": brands}, vectors)
    scores = np.arange(n, 0, -1)
    answer = ruled(catalogue, scores, 4, diversity=Diversity(0.3), caps=[Cap("brand", 1)])
    assert answer.indices[0] == 0
    assert set(answer.indices[1:].tolist()) <= {36, 37, 38, 39}
    assert answer.indices.size == 4
    assert all("cap" in by for by in answer.placed_by[1:])


def test_the_same_call_gives_the_same_answer(make):
    rng = np.random.default_rng(1)
    catalogue = make({"kind": tuple(rng.choice(list("ab"), 50))}, rng.normal(size=(50, 3)))
    scores = rng.integers(0, 3, 50)  # many ties
    rules = {"diversity": Diversity(0.5), "calibration": CalibratedShares("kind", 0.2)}
    answers = {tuple(order(catalogue, scores, 9, history=[1, 2], **rules)) for _ in range(5)}
    assert len(answers) == 1


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_extreme_strengths(make, strength):
    catalogue = make({"kind": ("a", "a", "b")}, np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]]))
    expected = [0, 1, 2] if strength == 0 else [0, 2, 1]
    assert order(catalogue, [3, 2, 1], 3, diversity=Diversity(strength)) == expected
