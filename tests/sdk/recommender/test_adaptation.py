"""Learning of one user through the recommender: off by default, kept, reset, erased."""

from pathlib import Path

import numpy as np
import pytest

from pocketrec_runtime.adaptation import AdaptationSettings, Learner

RINGS = Path(__file__).parents[2] / "golden" / "v1_0" / "rings"
SETTINGS = AdaptationSettings(rate=4.0, prior=1.0, bound=0.5)


def taken(recommender, user="Ann"):
    for item in ("1-3", "0-7", "2-1", "1-4"):
        recommender.user(user).record(item)
    return recommender.user(user)


def taste_files(recommender):
    return sorted(recommender.store.states_folder.glob("*.taste"))


def test_nothing_is_learned_by_default(opened) -> None:
    recommender = opened(RINGS)
    user = taken(recommender)
    view = recommender._core.view("Ann")
    expected = view.read.engine.prefill(view.read.known)[1]
    np.testing.assert_allclose(view.vector, expected, atol=1e-6)
    user.reset_adaptation()
    recommender.close()
    assert taste_files(recommender) == []


def test_answers_come_from_the_adapted_vector(opened) -> None:
    recommender = opened(RINGS, adaptation=SETTINGS)
    user = taken(recommender)
    engine, known = recommender.engine, recommender._core.view("Ann").read.known
    learner = Learner(engine, SETTINGS)
    frozen = engine.reader.read(known)[1]
    vector = learner.adapted(frozen, learner.follow(None, known))
    assert np.abs(vector - frozen).max() > 1e-3
    expected = engine.rank(vector, 5, exclude=known)
    scores = {item.item_id: item.score for item in expected.items}
    assert {i.item_id: i.score for i in user.recommend(5).items} == pytest.approx(scores, abs=1e-5)
    found = user.score(list(scores)).items
    assert {i.item_id: i.score for i in found} == pytest.approx(scores, abs=1e-5)


def test_what_was_learned_outlives_the_process_and_a_reset_too(opened) -> None:
    first = opened(RINGS, adaptation=SETTINGS)
    taken(first)
    before = first._core.view("Ann").vector
    first.close()
    assert len(taste_files(first)) == 1
    second = opened(RINGS, adaptation=SETTINGS)
    np.testing.assert_allclose(second._core.view("Ann").vector, before, atol=1e-6)
    second.user("Ann").reset_adaptation()
    frozen = second.engine.reader.read(second._core.view("Ann").read.known)[1]
    second.close()
    third = opened(RINGS, adaptation=SETTINGS)
    np.testing.assert_allclose(third._core.view("Ann").vector, frozen, atol=1e-6)
    third.user("Ann").record("2-8")
    known = third._core.view("Ann").read.known
    plain = third.engine.reader.read(known)[1]
    assert np.abs(third._core.view("Ann").vector - plain).max() > 1e-3, "learning goes on"


@pytest.mark.parametrize("later", [SETTINGS, None])
def test_erase_leaves_no_file(opened, later) -> None:
    first = opened(RINGS, adaptation=SETTINGS)
    taken(first)
    taken(first, "Bob")
    first._core.view("Ann")
    first._core.view("Bob")
    first.close()
    assert len(taste_files(first)) == 2
    second = opened(RINGS, adaptation=later)
    second.user("Ann").erase()
    assert len(taste_files(second)) <= 1
    second._core.view("Bob")
    second.close()
    assert len(taste_files(second)) <= 1
