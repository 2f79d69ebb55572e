"""The replay of learning on the device: who is held out, what is predicted, the figures."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pocketrec_distill.config import load_config
from pocketrec_runtime import Engine
from pocketrec_runtime.adaptation import AdaptationSettings, Learner

from .conftest import load, script

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def replay() -> Iterator[ModuleType]:
    with script("adaptation/run.py") as module:
        yield module


def test_its_settings_are_settings() -> None:
    config = load_config(ROOT / "benchmarks" / "adaptation" / "held-out.toml")
    assert config.teachers.kinds == ("text", "ease")


def test_users_are_parted_whole() -> None:
    split = load("adaptation/split_users.py")
    lines = ["user\titem", *(f"u{n % 40}\ti{n}" for n in range(120))]
    train, held = split.split(lines, "\t")
    assert train[0] == held[0] == "user\titem"
    assert sorted(train[1:] + held[1:]) == sorted(lines[1:])
    users = [{line.split("\t")[0] for line in part[1:]} for part in (train, held)]
    assert not users[0] & users[1]
    assert all(split.is_held(user) for user in users[1])
    assert 4 <= len(users[1]) <= 20


def test_what_is_predicted(replay) -> None:
    predicted, test = replay.parts("Ann", 5, "last")
    assert predicted.tolist() == [False, False, False, True, True]
    assert test.tolist() == [False, False, False, False, True]
    halves = [replay.parts(f"user {n}", 3, "all") for n in range(50)]
    assert all(predicted.tolist() == [False, True, True] for predicted, _ in halves)
    assert 10 < sum(test.all() for _, test in halves) < 40
    assert all(test.all() or not test.any() for _, test in halves)


def test_a_walk_predicts_before_it_learns(replay) -> None:
    engine = Engine.open(ROOT / "tests" / "golden" / "v1_0" / "rings")
    settings = AdaptationSettings(rate=20.0, prior=1.0, bound=0.5)
    learner = Learner(engine, settings)
    items = [3, 4, 21, 4, 6, 7, 9]
    everything = np.arange(len(items)) > 0
    found = replay.walk(learner, engine, items, [settings], everything, everything)
    assert found.ndcg.shape == (5, 2), "a repeat is not predicted"
    assert found.ndcg[0, 0] == found.ndcg[0, 1], "nothing was learned before the first"
    for row, place in zip(found.ndcg, (1, 2, 4, 5, 6), strict=True):
        before = items[:place]
        vector = engine.reader.read(before)[1]
        adapted = learner.adapted(vector, learner.follow(None, before))
        for value, used in zip(row, (vector, adapted), strict=True):
            rank = engine.scan.ranks(used[None], items[place], before)[0]
            assert value == pytest.approx(1 / np.log2(rank + 1) if rank <= 10 else 0.0)
    last = np.arange(len(items)) >= 5
    part = replay.walk(learner, engine, items, [settings], last, last)
    np.testing.assert_array_equal(part.ndcg, found.ndcg[3:])


def test_users_weigh_alike(replay) -> None:
    def walk(test, frozen, adapted):
        values = np.array([[f, a] for f, a in zip(frozen, adapted, strict=True)])
        return replay.Walk(np.array(test), values)

    walks = [
        walk([False, True, True], [0.1, 0.2, 0.4], [0.2, 0.2, 0.6]),
        walk([False, True], [0.5, 0.6], [0.4, 0.9]),
        walk([False], [0.3], [0.3]),
    ]
    settings = [AdaptationSettings(rate=2.0)]
    tested = replay.figures(walks, settings, test=True)
    assert (tested["users"], tested["events"]) == (2, 3)
    assert tested["frozen"]["value"] == pytest.approx((0.3 + 0.6) / 2)
    assert tested["settings"][0]["difference"]["value"] == pytest.approx((0.1 + 0.3) / 2)
    choices = replay.figures(walks, settings, test=False)
    assert (choices["users"], choices["events"]) == (3, 3)
    shown = replay.table(choices, tested)
    assert "| **test** | 2 | 3 | 0.4500 (0.3000 to 0.6000) | 2 | 20 | +0.2000" in shown
