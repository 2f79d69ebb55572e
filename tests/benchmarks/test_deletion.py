"""The deletion test of explanations: what is taken away, and the figures."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pocketrec_runtime import Engine

from .conftest import script

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def deletion() -> Iterator[ModuleType]:
    with script("explanations/deletion.py") as module:
        yield module


def test_one_users_fall_is_that_of_the_shortened_history(deletion) -> None:
    engine = Engine.open(ROOT / "tests" / "golden" / "v1_0" / "rings")
    history = [3, 4, 21, 6, 7, 9]
    found = deletion.fall(engine, history, 2, np.random.default_rng(0))
    ids = [engine.catalogue.ids[item] for item in history]
    best = engine.recommend(ids, 1).items[0].item_id
    without = engine.recommend(ids[:-2], len(engine.catalogue))
    others = [item.item_id for item in without.items if item.item_id not in ids]
    assert found.places["recent"] == pytest.approx(np.log2(others.index(best) + 1))
    assert found.places["named"] >= found.places["recent"]
    assert set(found.places) == set(found.lost) == set(deletion.WAYS)
    assert deletion.fall(engine, history[:3], 2, np.random.default_rng(0)) is None


def test_differences_are_paired(deletion) -> None:
    def fall(named: float, random: float):
        places = {**dict.fromkeys(deletion.WAYS, 0.0), "named": named, "random": random}
        return deletion.Fall(places, {way: float(at > 3) for way, at in places.items()})

    found = deletion.figures([fall(4.0, 1.0), fall(2.0, 1.5), fall(6.0, 0.5)])
    assert found["users"] == 3
    assert found["log2_rank"]["named"]["value"] == pytest.approx(4.0)
    assert found["more_than_random"]["named"]["value"] == pytest.approx((3 + 0.5 + 5.5) / 3)
    assert found["more_than_random"]["similar"]["value"] == pytest.approx(-1.0)
    assert found["left_top_10"]["named"]["value"] == pytest.approx(2 / 3)
    assert "random" not in found["more_than_random"]
    shown = deletion.table("set", {2: found})
    assert "| 2 | **named by the explanation** (one after the other) | 4.00 (2.00 to 6.00)" in shown
    assert "67% |" in shown
