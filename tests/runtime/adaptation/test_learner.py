"""Learning beside a frozen model: the residual is a gradient, the offset bounded, and it helps."""

import dataclasses

import numpy as np
import pytest

import pocketrec_runtime as rt
from pocketrec_runtime.adaptation import AdaptationSettings, Learner, UserOffset
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.errors import InputError, StateError

EVERY = AdaptationSettings(rate=1.0, prior=10.0, bound=0.5, candidates=100)


@pytest.fixture(scope="module")
def clusters(contents) -> rt.Engine:
    """60 items in three directions, read by a tower that was never trained."""
    rng = np.random.default_rng(2)
    centres = rng.normal(size=(3, 8))
    vectors = 0.3 * (centres[np.arange(60) % 3] + 0.4 * rng.normal(size=(60, 8)))
    rows, scales = rt.quantize_rows(vectors.astype(np.float32))
    catalogue = rt.Catalogue(
        ids=[str(item) for item in range(60)],
        rows=rows,
        scales=scales,
        bias=rng.normal(scale=0.1, size=60).astype(np.float32),
        popularity=np.full(60, 1 / 60, np.float32),
        columns={"title": [None] * 60},
    )
    shape = dataclasses.replace(contents.model, items=60)
    return rt.Engine(
        assemble(
            dataclasses.replace(contents, model=shape, catalogue=catalogue, golden=rt.Golden())
        )
    )


def log_likelihood(engine, vector, item, seen):
    """Of an item coming next among the unseen ones, in float64."""
    catalogue = engine.catalogue
    scores = catalogue.vectors.astype(np.float64) @ vector + catalogue.bias
    unseen = [i for i in range(len(scores)) if i not in seen]
    return scores[item] - np.log(np.exp(scores[unseen]).sum())


def test_the_residual_is_the_gradient_of_the_log_likelihood(clusters):
    seen = frozenset({3, 4, 17})
    vector = clusters.prefill([3, 4, 17])[1]
    found = Learner(clusters, EVERY).residual(vector, 21, seen)
    for axis, value in enumerate(found):
        step = np.zeros(8)
        step[axis] = 1e-5
        up, down = (log_likelihood(clusters, vector + s, 21, seen) for s in (step, -step))
        assert value == pytest.approx((up - down) / 2e-5, abs=1e-5)


def test_the_best_items_stand_for_the_catalogue(clusters):
    vector = clusters.prefill([3, 4])[1]
    best = [item for item in np.argsort(-clusters.scores(vector)).tolist() if item not in {3, 4}]
    few = dataclasses.replace(EVERY, candidates=2)
    found = Learner(clusters, few).residual(vector, best[9], frozenset({3, 4}))
    chosen = [best[0], best[1], best[9]]
    shares = np.exp(clusters.scores(vector)[chosen].astype(np.float64))
    vectors = clusters.catalogue.vectors[chosen]
    expected = vectors[2] - shares @ vectors / shares.sum()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_offset_is_a_shrunken_bounded_step():
    settings = AdaptationSettings(rate=0.5, prior=1.0, bound=0.25)
    offset = UserOffset.none(2).after(np.array([1.0, 0.0])).after(np.array([1.0, 3.0]), 2.0)
    assert offset.weight == 3.0
    assert offset.total.tolist() == [3.0, 6.0]
    vector = np.array([40.0, 0.0], np.float32)
    # 0.5 * (3, 6) / (3 + 1)
    assert offset.applied(vector, settings).tolist() == [40.375, 0.75]
    short = offset.applied(np.array([0.0, 2.0], np.float32), settings)
    assert np.linalg.norm(short - [0.0, 2.0]) == pytest.approx(0.25 * 2.0)
    assert (short - [0.0, 2.0])[1] == pytest.approx(2 * (short - [0.0, 2.0])[0])
    assert UserOffset.none(2).applied(vector, settings) is vector
    assert offset.applied(vector, dataclasses.replace(settings, rate=0.0)) is vector


def test_learning_goes_on_where_it_stopped(clusters):
    learner = Learner(clusters, EVERY)
    history = [5, 9, 5, 44, 2, 31, 9, 18, 7, 50]  # longer than the window of 6, with repeats
    once = learner.follow(None, history)
    steps = None
    for length in range(1, len(history) + 1):
        steps = learner.follow(steps, history[:length])
    np.testing.assert_allclose(steps.offset.total, once.offset.total, atol=1e-6)
    assert steps.offset.weight == once.offset.weight == 7, "first events of items, but the first"
    assert learner.follow(once, history) is once
    expected = np.zeros(8)
    for place in (1, 3, 4, 5, 7, 8, 9):
        vector = clusters.reader.read(history[:place])[1]
        expected += learner.residual(vector, history[place], frozenset(history[:place]))
    np.testing.assert_allclose(once.offset.total, expected, atol=1e-5)


def test_another_history_or_model_is_learned_anew(clusters):
    learner = Learner(clusters, EVERY)
    history = [5, 9, 44, 2]
    learned = learner.follow(None, history)
    fresh = learner.follow(None, [5, 9, 44, 3, 8])
    for changed in (learned, learner.follow(None, [5, 9, 44, 3, 8, 6])):
        np.testing.assert_array_equal(
            learner.follow(changed, [5, 9, 44, 3, 8]).offset.total, fresh.offset.total
        )
    moved = dataclasses.replace(learned, model="0" * 64, offset=learned.offset.after(np.ones(8)))
    np.testing.assert_array_equal(learner.follow(moved, history).offset.total, learned.offset.total)


def test_only_the_newest_events_are_caught_up_with(clusters):
    history = [5, 9, 44, 2, 31]
    learner = Learner(clusters, dataclasses.replace(EVERY, max_events=2))
    assert learner.follow(None, history).offset.weight == 2


def test_what_the_model_does_not_foresee_is_learned(clusters):
    """Each user takes what lies in one direction; the untrained tower cannot know it."""
    learner = Learner(clusters, dataclasses.replace(EVERY, rate=20.0, prior=5.0))
    frozen, adapted = [], []
    for user in range(30):
        rng = np.random.default_rng(user)
        own = np.argsort(-(clusters.catalogue.vectors @ rng.normal(size=8)))[:24].tolist()
        history = rng.permutation(own)[:16].tolist()
        vector = clusters.reader.read(history)[1]
        learned = learner.follow(None, history)
        rest = [item for item in own if item not in history]
        for ranks, used in ((frozen, vector), (adapted, learner.adapted(vector, learned))):
            found = [clusters.scan.ranks(used[None], item, history)[0] for item in rest]
            ranks.append(np.mean(found))
    assert np.mean(adapted) < 0.95 * np.mean(frozen)


@pytest.mark.parametrize(
    "wrong",
    [{"rate": -1.0}, {"prior": float("nan")}, {"bound": 1.5}, {"candidates": 0},
     {"max_events": 0}],
)  # fmt: skip
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        AdaptationSettings(**wrong)


def test_a_damaged_offset_is_refused():
    with pytest.raises(StateError, match="finite"):
        UserOffset(np.array([0.0, np.inf]))
    with pytest.raises(StateError, match="events"):
        UserOffset(np.zeros(2), -1.0)
