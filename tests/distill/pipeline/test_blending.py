"""The blend's weights: what ranks best, not only what is likely."""

import numpy as np
import pytest

from pocketrec_distill.evaluation.metrics import ndcg_at, rank_of_target
from pocketrec_distill.models.base import Floats
from pocketrec_distill.models.blend import fit_weights
from pocketrec_distill.models.nearest_known import NearestKnown
from pocketrec_distill.pipeline.blending import LEAST_SHARE, choose_blend, choose_weights

ITEMS, QUERIES = 60, 2000


def ndcg(scores: Floats, histories: list[np.ndarray], targets: np.ndarray) -> float:
    ranks = [
        rank_of_target(row, history, int(target))
        for row, history, target in zip(scores, histories, targets, strict=True)
    ]
    return float(ndcg_at(np.array(ranks)).mean())


@pytest.fixture
def case() -> tuple[list[Floats], list[np.ndarray], np.ndarray]:
    """A part that knows half of the targets well, one that knows all a little, and noise."""
    rng = np.random.default_rng(0)
    targets = rng.integers(1, ITEMS, QUERIES)
    rows = np.arange(QUERIES)
    histories = [np.array([0], np.int32)] * QUERIES
    sharp = rng.normal(0, 0.3, (QUERIES, ITEMS)).astype(np.float32)
    sharp[rows[::2], targets[::2]] += 3
    broad = rng.normal(0, 1, (QUERIES, ITEMS)).astype(np.float32)
    broad[rows, targets] += 1
    noise = rng.normal(0, 1, (QUERIES, ITEMS)).astype(np.float32)
    return [sharp, broad, noise], histories, targets


def mixed(weights: tuple[float, ...], parts: list[Floats]) -> Floats:
    return np.sum([w * part for w, part in zip(weights, parts, strict=True)], axis=0)


def test_the_ranking_is_no_worse_than_that_of_likelihood_or_of_any_part(
    case: tuple[list[Floats], list[np.ndarray], np.ndarray],
) -> None:
    parts, histories, targets = case
    found = ndcg(mixed(choose_weights(parts, histories, targets), parts), histories, targets)
    likely = ndcg(mixed(fit_weights(parts, histories, targets), parts), histories, targets)
    assert found >= likely
    assert found > max(ndcg(part, histories, targets) for part in parts)


def test_what_only_disturbs_is_left_out(
    case: tuple[list[Floats], list[np.ndarray], np.ndarray],
) -> None:
    parts, histories, targets = case
    weights = choose_weights(parts, histories, targets)
    assert weights[2] * parts[2].std() < 0.1 * weights[0] * parts[0].std()


def test_what_says_next_to_nothing_is_not_asked(
    case: tuple[list[Floats], list[np.ndarray], np.ndarray],
) -> None:
    """Of noise, likelihood leaves a millionth, or a part large enough to be looked at."""
    (sharp, broad, _), histories, targets = case
    rng = np.random.default_rng(3)
    shares = []
    for _ in range(4):
        noise = rng.normal(0, 1, (QUERIES, ITEMS)).astype(np.float32)
        parts = [sharp, broad, noise]
        weights = choose_weights(parts, histories, targets)
        ranges = [w * np.ptp(part, axis=1).mean() for w, part in zip(weights, parts, strict=True)]
        assert min(ranges[:2]) > 0
        shares.append(ranges[2] / sum(ranges))
    assert shares.count(0) == 2
    assert all(share == 0 or share >= LEAST_SHARE for share in shares)


def test_the_scale_is_that_of_highest_likelihood(
    case: tuple[list[Floats], list[np.ndarray], np.ndarray],
) -> None:
    parts, histories, targets = case
    blended = mixed(choose_weights(parts, histories, targets), parts)
    (factor,) = fit_weights([blended], histories, targets)
    assert factor == pytest.approx(1.0, abs=0.02)


def test_parts_without_opinion_have_no_weight() -> None:
    flat = np.zeros((3, 4), np.float32)
    histories = [np.array([0], np.int32)] * 3
    assert choose_weights([flat, flat], histories, np.array([1, 2, 3])) == (0.0, 0.0)


def test_the_history_is_no_rival() -> None:
    """Item 0 scores highest by the good part, but stands in every history."""
    good = np.array([[9, 2, 1], [9, 1, 2]], np.float32)
    bad = -good
    histories = [np.array([0], np.int32)] * 2
    weights = choose_weights([good, bad], histories, np.array([1, 2]))
    assert weights[0] > weights[1]


def with_unknown(telling: bool) -> tuple[dict[str, Floats], NearestKnown, np.ndarray]:
    """A linear model that is weak, a control that is strong, and holds the unknown items down.

    Items come in pairs of one name, the second of each unknown; it is chosen as often as the first
    where the texts tell who likes what, else never.
    """
    rng = np.random.default_rng(1)
    topic = rng.integers(1, ITEMS // 2, QUERIES)
    targets = 2 * topic + (rng.random(QUERIES) < 0.5 if telling else 0)
    rows = np.arange(QUERIES)
    linear, control = rng.normal(0, 1, (2, QUERIES, ITEMS)).astype(np.float32)
    linear[rows, targets] += 1
    control[rows, 2 * topic] += 3
    control[:, 1::2] = -6
    names = [f"name{item // 2 if telling else item % 2}" for item in range(ITEMS)]
    nearest = NearestKnown.of(names, np.tile([1, 0], ITEMS // 2))
    return {"control": control, "linear": linear}, nearest, targets


def test_unknown_items_are_taken_for_their_neighbours_where_that_ranks_better() -> None:
    scores, nearest, targets = with_unknown(telling=True)
    histories = [np.array([0], np.int32)] * QUERIES
    before = {name: part.copy() for name, part in scores.items()}
    choice = choose_blend(scores, nearest, histories, targets)
    assert choice.nearest
    assert np.array_equal(scores["linear"], before["linear"])
    assert np.array_equal(scores["control"], nearest.fill_scores(before["control"]))
    # The weights are of what will be heard.
    assert choice.weights == choose_weights([*scores.values()], histories, targets)
    plain = choose_weights([*before.values()], histories, targets)
    found = ndcg(mixed(choice.weights, [*scores.values()]), histories, targets)
    assert found > ndcg(mixed(plain, [*before.values()]), histories, targets) + 0.1


def test_unknown_items_stay_down_where_texts_tell_nothing() -> None:
    scores, nearest, targets = with_unknown(telling=False)
    histories = [np.array([0], np.int32)] * QUERIES
    before = {name: part.copy() for name, part in scores.items()}
    choice = choose_blend(scores, nearest, histories, targets)
    assert not choice.nearest
    assert all(np.array_equal(scores[name], before[name]) for name in scores)
    assert choice.weights == choose_weights([*before.values()], histories, targets)


def test_linear_parts_are_never_filled() -> None:
    scores, nearest, targets = with_unknown(telling=True)
    asked = {"linear": scores["control"]}
    choice = choose_blend(asked, nearest, [np.array([0], np.int32)] * QUERIES, targets)
    assert not choice.nearest


FEW = 400
ALL_KNOWN = NearestKnown.of(["a"] * ITEMS, np.ones(ITEMS, np.int64))
HISTORIES = [np.array([0], np.int32)] * FEW


def few_queries(seed: int) -> tuple[list[Floats], np.ndarray]:
    """Three parts for FEW queries, noise all of them, and the targets."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(1, ITEMS, FEW)
    return list(rng.normal(0, 1, (3, FEW, ITEMS)).astype(np.float32)), targets


def told(part: Floats, targets: np.ndarray, much: float) -> Floats:
    """The part, its target so much higher in each query."""
    found = part.copy()
    found[np.arange(FEW), targets] += much
    return found


def test_the_llm_is_heard_where_it_ranks_better_beyond_doubt() -> None:
    """It is told nothing, a little and much, beside a control that knows some."""
    (noise, *others), targets = few_queries(5)
    control, linear = (told(part, targets, 1.0) for part in others)
    heard = []
    for much in (0.0, 0.3, 2.0):
        llm = told(noise, targets, much)
        scores = {"teacher": llm, "control": control, "linear": linear}
        found = choose_blend(scores, ALL_KNOWN, HISTORIES, targets).weights
        heard.append((choose_weights([*scores.values()], HISTORIES, targets)[0] > 0, found[0] > 0))
        if not found[0]:
            # What is left is weighed anew.
            assert found[1:] == choose_weights([control, linear], HISTORIES, targets)
    assert heard == [(True, False), (True, True), (True, True)]


def test_what_the_llm_said_too_is_heard_once_it_is_not() -> None:
    """The control says what the LLM does, a little less clearly; beside it, it has no weight."""
    (sharp, weak, blur), targets = few_queries(8)
    llm, linear = told(sharp, targets, 2.0), told(weak, targets, 1.0)
    scores = {"teacher": llm, "control": llm + np.float32(0.02) * blur, "linear": linear}
    assert choose_weights([*scores.values()], HISTORIES, targets)[1] == 0
    weights = choose_blend(scores, ALL_KNOWN, HISTORIES, targets).weights
    assert weights == (0.0, *choose_weights([scores["control"], linear], HISTORIES, targets))
    assert weights[1] > 0


@pytest.mark.parametrize("others", [{}, {"linear": np.zeros((50, ITEMS), np.float32)}])
def test_an_llm_is_heard_where_no_other_has_an_opinion(others: dict[str, Floats]) -> None:
    rng = np.random.default_rng(6)
    targets = rng.integers(1, ITEMS, 50)
    scores = {"teacher": rng.normal(0, 1, (50, ITEMS)).astype(np.float32), **others}
    histories = [np.array([0], np.int32)] * 50
    assert choose_blend(scores, ALL_KNOWN, histories, targets).weights[0] > 0
