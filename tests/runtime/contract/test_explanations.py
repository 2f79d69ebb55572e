"""Leaving events out, on every backend; and the deletion test on a student that was trained."""

import numpy as np

from pocketrec_runtime import Engine
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.leave_one_out import user_vectors_without_each

PLACES, WINDOW = 25, 24


def apart(vectors, one, other):
    return float(np.abs(vectors @ (one - other)).max())


def test_shortened_histories_equal_fresh_ones(tower, case, vectors, queries):
    history = max(queries, key=len)
    assert len(history) == WINDOW
    before = tower.computed_positions
    found = user_vectors_without_each(tower, vectors.__getitem__, history)
    # Three groups of eight: 23, 15 and 7 events behind prefixes of 0, 8 and 16, which are grown.
    assert tower.computed_positions - before == 8 * (23 + 15 + 7) + 16
    for out, vector in enumerate(found):
        expected = tower.run(vectors[None, np.delete(history, out)])[0][0]
        assert apart(vectors, vector, expected) <= case.rounding


def test_named_events_matter_more_than_random_ones(made, settings, case):
    """Users mix two rings of items; what is recommended comes from one of them."""
    engine = Engine(assemble(made(case)), settings)
    rng = np.random.default_rng(4)
    named, random, on_ring = [], [], []
    for _ in range(6):
        first, second = rng.choice(12, 2, replace=False)
        rings = rng.permutation([first] * 5 + [second] * 7)
        history = [int(ring * PLACES + place) for ring, place in
                   zip(rings, rng.permutation(PLACES)[:12], strict=True)]  # fmt: skip
        ids = [engine.catalogue.ids[item] for item in history]
        item = engine.recommend(ids, 1).items[0].item_id
        explained = engine.explain(ids, item, top=3)
        gone = [event.position for event in explained.because]
        ring = engine.catalogue.index_of(item) // PLACES
        on_ring += [history[place] // PLACES == ring for place in gone]
        named.append(rank_without(engine, history, item, gone))
        random.append(
            np.mean([rank_without(engine, history, item, rng.choice(12, len(gone), replace=False))
                     for _ in range(4)])
        )  # fmt: skip
        predicted = explained.rank + sum(event.rank_drop for event in explained.because)
        assert abs(named[-1] - predicted) <= (0 if case.rounding <= 1e-4 else 3)
    assert np.mean(on_ring) > 0.6
    assert np.mean(np.log2(named)) > 1 + np.mean(np.log2(random))


def rank_without(engine, history, item, gone):
    """Rank among what is not in the whole history, after some events are gone."""
    kept = [event for place, event in enumerate(history) if place not in gone]
    scores = engine.scores(engine.prefill(kept)[1])
    scores[history] = -np.inf
    return 1 + int((scores > scores[engine.catalogue.index_of(item)]).sum())
