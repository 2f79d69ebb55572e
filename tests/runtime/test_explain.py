"""Explanations: shortened histories read as fresh ones, drops and ranks by a plain reference."""

import dataclasses

import numpy as np
import pytest

import pocketrec_runtime as rt
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.scan import ItemRows, Scan
from pocketrec_runtime.scan.fixed import fix
from pocketrec_runtime.text_scoring import average_item


def reference(engine, known, item):
    """Score and rank of an item for a history, by one prefill and a sort."""
    vector = engine.prefill(known)[1]
    return scored(engine, vector, item)


def scored(engine, vector, item, history=(3, 0, 0, 4)):
    scores = engine.scores(vector)
    rivals = [i for i in range(len(scores)) if i not in history and i != item]
    return scores[item], 1 + sum((scores[i], -i) > (scores[item], -item) for i in rivals)


@pytest.mark.parametrize(
    "history",
    [[0, 3], [3, 0, 0, 4], [1, 2, 3, 4, 0, 2], [4, 1, 1, 2, 3, 4, 0], [2, 4, 1, 1, 2, 3, 4, 0, 3]],
)
def test_each_shortened_history_is_read_as_a_fresh_one(engine, history):
    found = engine.reader.without_each(history)
    newest = range(max(0, len(history) - engine.window), len(history))
    assert found.shape == (len(newest), 8)
    for row, place in zip(found, newest, strict=True):
        expected = engine.prefill(history[:place] + history[place + 1 :])[1]
        np.testing.assert_allclose(row, expected, atol=1e-6)


def test_a_window_of_one(contents):
    shape = dataclasses.replace(contents.model, window=1)
    engine = rt.Engine(assemble(dataclasses.replace(contents, model=shape)))
    np.testing.assert_array_equal(engine.reader.without_each([0, 3])[0], engine.prefill([0])[1])


def test_one_event_has_no_vector_without_it(engine):
    with pytest.raises(InputError, match="one event"):
        engine.reader.without_each([2])


@pytest.mark.parametrize("kind", ["int8", "float32"])
def test_ranks_are_those_of_a_sort(kind, monkeypatch):
    monkeypatch.setattr("pocketrec_runtime.scan.exact._CHUNK_BYTES", 8 * 5 * 40)
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(130, 5)).astype(np.float32)
    vectors[71] = vectors[20]  # a tie
    rows, scales = rt.quantize_rows(vectors) if kind == "int8" else (vectors, None)
    bias = np.where(np.arange(130) % 3 == 0, 0.25, 0.0).astype(np.float32)
    bias[71] = bias[20]
    shares, titles = np.full(130, 1 / 130, np.float32), {"title": [None] * 130}
    names = [str(index) for index in range(130)]
    catalogue = rt.Catalogue(names, rows, scales, bias, shares, titles)
    scan = Scan(catalogue)
    queries = rng.normal(size=(7, 5)).astype(np.float32) * (10.0 ** np.arange(-3, 4))[:, None]
    queries = queries.astype(np.float32)
    for item in (0, 20, 71, 129):
        found = scan.ranks(queries, item, exclude=[3, 99, item])
        for query, rank in zip(queries, found.tolist(), strict=True):
            scores = scan.scores(query)
            order = np.lexsort((np.arange(130), -scores))
            order = [i for i in order.tolist() if i == item or i not in {3, 99}]
            assert order.index(item) + 1 == rank
    parts = list(ItemRows(rows, scales, bias).scores_in_parts([fix(query) for query in queries]))
    together = np.concatenate([scores for _, scores in parts])
    np.testing.assert_array_equal(together.T, [scan.scores(query) for query in queries])
    assert len(parts) > 2
    with pytest.raises(InputError, match="NaN"):
        scan.ranks(np.full((1, 5), np.nan, np.float32), 0)


def test_drops_are_differences_of_score_and_rank(engine):
    given = ["d", "nobody", "a", "a", "é漢"]
    known, places = [3, 0, 0, 4], [0, 2, 3, 4]
    explained = engine.explain(given, "b")
    score, rank = reference(engine, known, 1)
    assert (explained.item_id, explained.title, explained.source) == ("b", "Beta", "device")
    assert explained.unknown == ("nobody",)
    assert (explained.score, explained.rank) == (pytest.approx(score, abs=1e-6), rank)
    assert explained.score == engine.score(given, ["b"]).items[0].score
    assert [event.position for event in explained.events] == places
    assert [event.item_id for event in explained.events] == ["d", "a", "a", "é漢"]
    for out, event in enumerate(explained.events):
        without, worse = reference(engine, known[:out] + known[out + 1 :], 1)
        assert event.score_drop == pytest.approx(score - without, abs=1e-5)
        assert event.rank_drop == worse - rank


def test_the_rank_is_the_place_in_the_recommendation(engine):
    answer = engine.recommend(["d", "a"], 5)
    for place, item in enumerate(answer.items, start=1):
        assert engine.explain(["d", "a"], item.item_id).rank == place


@pytest.mark.parametrize("item", range(5))
def test_named_events_are_measured_with_those_before_them_gone(engine, item):
    history, known = ["d", "a", "b", "é漢", "a"], [3, 0, 1, 4, 0]
    named_id = engine.catalogue.ids[item]
    explained = engine.explain(history, named_id, top=5)
    left = list(range(5))
    vector = engine.prefill(known)[1]
    before = scored(engine, vector, item, known)
    assert len(explained.because) >= (2 if item in (0, 3, 4) else 1)
    for named in explained.because:
        falls = {}
        for out in left:
            rest = [known[place] for place in left if place != out]
            vector = (
                engine.prefill(rest)[1] if rest else engine.user_vector(average_item(engine)[None])
            )
            after = scored(engine, vector, item, known)
            falls[out] = (after[1] - before[1], before[0] - after[0])
        best = max(falls, key=lambda out: falls[out])
        assert named.position == best
        assert named.rank_drop == falls[best][0]
        assert named.score_drop == pytest.approx(falls[best][1], abs=1e-5)
        before = (before[0] - falls[best][1], before[1] + falls[best][0])
        left.remove(best)
    assert [named.position for named in engine.explain(history, named_id, top=1).because] == [
        explained.because[0].position
    ]
    assert engine.explain(history, named_id, top=0).because == ()


def test_a_single_event_is_compared_with_the_average_reader(engine):
    explained = engine.explain(["d"], "b")
    average = engine.scores(engine.user_vector(average_item(engine)[None]))[1]
    [event] = explained.events
    assert event.score_drop == pytest.approx(explained.score - average, abs=1e-6)


@pytest.mark.parametrize("history", [[], ["nobody"]])
def test_without_a_known_history_popularity_explains_itself(engine, history):
    explained = engine.explain(history, "c")
    assert (explained.source, explained.events, explained.because) == ("popularity", (), ())
    # a, c and é漢 have a share of 0.1 each: ties stand in order of index.
    assert explained.rank == 4
    assert explained.score == pytest.approx(0.1)
    assert explained.unknown == tuple(history)


def test_what_cannot_be_explained_is_refused(engine):
    with pytest.raises(InputError, match="'nobody' is not in the catalogue"):
        engine.explain(["a"], "nobody")
    with pytest.raises(InputError, match="top is -1"):
        engine.explain(["a"], "b", top=-1)
    after = engine.with_delta(rt.make_delta(engine, [], retire=["b"]))
    with pytest.raises(InputError, match="'b' is not in the catalogue"):
        after.explain(["a"], "b")
    assert after.explain(["a"], "c").rank <= 3, "a retired item is no rival"
