"""The engine against the NumPy reference, and its answers for every kind of history."""

import dataclasses
import threading

import numpy as np
import pytest

import pocketrec_runtime as rt
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.errors import InputError, StateError


def ids(answer):
    return [item.item_id for item in answer.items]


def test_prefill_is_the_reference(engine, tiny, sizes, weights):
    items = [3, 0, 0, 4, 1]
    _, vector = engine.prefill(items)
    expected = tiny.reference_user_vector(sizes, weights, engine.catalogue.vectors[items])
    np.testing.assert_allclose(vector, expected, atol=1e-5)
    assert vector.shape == (8,)
    assert vector.dtype == np.float32


def test_append_equals_prefill_and_reuses_the_cache(contents):
    engine = rt.Engine(assemble(contents))
    history = [3, 0, 0, 4, 1, 2]
    state, vector = engine.prefill(history[:1])
    for length in range(2, 7):
        state, vector = engine.append(state, history[length - 1])
        again, expected = engine.prefill(history[:length])
        np.testing.assert_allclose(vector, expected, atol=1e-5)
        assert state.items == again.items == tuple(history[:length])
        assert state.seen == again.seen
    assert engine.reused_positions == 1 + 2 + 3 + 4 + 5


def test_full_window_is_read_again_from_its_newest_half(contents):
    engine = rt.Engine(assemble(contents))
    state, _ = engine.prefill([0, 1, 2, 3, 4, 0])
    state, vector = engine.append(state, 1)
    _, expected = engine.prefill([4, 0, 1])
    np.testing.assert_array_equal(vector, expected)
    assert state.items == (4, 0, 1)
    assert state.seen == {0, 1, 2, 3, 4}
    assert engine.reused_positions == 0


def test_window_of_one_keeps_the_new_event(contents):
    shape = dataclasses.replace(contents.model, window=1)
    engine = rt.Engine(assemble(dataclasses.replace(contents, model=shape)))
    state, _ = engine.prefill([0, 3])
    state, vector = engine.append(state, 2)
    assert state.items == (2,)
    np.testing.assert_array_equal(vector, engine.prefill([2])[1])


def test_old_states_stay_usable(engine):
    base, _ = engine.prefill([0, 1])
    _, one = engine.append(base, 2)
    engine.append(base, 3)
    _, again = engine.append(base, 2)
    np.testing.assert_array_equal(one, again)
    assert base.items == (0, 1)


def test_prefill_keeps_the_newest_window_and_sees_everything(engine):
    state, vector = engine.prefill([4, 0, 1, 2, 3, 0, 1, 2])
    assert state.items == (1, 2, 3, 0, 1, 2)
    assert state.seen == {0, 1, 2, 3, 4}
    np.testing.assert_array_equal(vector, engine.prefill([1, 2, 3, 0, 1, 2])[1])


def test_scores_are_dot_products_plus_bias(engine):
    vector = np.arange(8, dtype=np.float32)
    catalogue = engine.catalogue
    for item in range(5):
        row = catalogue.rows[item].astype(np.float64) * catalogue.scales[item]
        expected = row @ np.arange(8) + catalogue.bias[item]
        assert engine.scores(vector)[item] == pytest.approx(expected, abs=1e-4)


def test_recommend_is_the_scores_in_order(engine):
    _, vector = engine.prefill([0, 2])
    scores = engine.scores(vector)
    expected = sorted({1, 3, 4}, key=lambda i: -scores[i])
    answer = engine.recommend(["a", "c"], k=2)
    assert ids(answer) == [engine.catalogue.ids[i] for i in expected[:2]]
    assert [item.score for item in answer.items] == scores[expected[:2]].tolist()
    top = answer.items[0]
    assert top.probability == pytest.approx(1 / (1 + np.exp(-(1.5 * top.score - 0.5))), abs=1e-6)
    assert (answer.source, answer.unknown) == ("device", ())
    assert answer.model == engine.fingerprint == engine.manifest.fingerprint


def test_titles_come_along(engine):
    answer = engine.recommend(["a"], k=5, include_seen=True)
    titles = {item.item_id: item.title for item in answer.items}
    assert titles == {"a": "Alpha", "b": "Beta", "c": None, "d": "Delta", "é漢": "Épsilon 漢字"}


def test_seen_items_are_left_out_beyond_the_window(engine):
    history = ["b", "a", "a", "a", "a", "a", "a"]  # b is older than the window of 6
    assert set(ids(engine.recommend(history))) == {"c", "d", "é漢"}
    assert len(ids(engine.recommend(history, include_seen=True))) == 5


def test_everything_seen_leaves_nothing(engine):
    answer = engine.recommend(["a", "b", "c", "d", "é漢"])
    assert answer.items == ()
    assert answer.source == "device"


@pytest.mark.parametrize(
    ("history", "unknown"),
    [([], ()), (["zz", "\ud800", "zz", "x\0y"], ("zz", "\ud800", "x\0y"))],
)
def test_no_known_history_is_answered_by_popularity(engine, history, unknown):
    answer = engine.recommend(history, k=4)
    assert ids(answer) == ["b", "d", "a", "c"]  # .4 .3 .1 .1, the tie by index
    first = answer.items[0]
    assert first.score == first.probability == pytest.approx(0.4)
    assert (answer.source, answer.unknown) == ("popularity", unknown)
    assert answer.reason


def test_popularity_does_not_change_by_being_asked(engine):
    engine.recommend([], filters={"year": [1999]})
    assert ids(engine.recommend([])) == ["b", "d", "a", "c", "é漢"]


def test_unknown_ids_are_skipped_and_reported(engine):
    answer = engine.recommend(["a", "nope", "c", "nope", ""], k=3)
    assert answer.unknown == ("nope", "")
    assert answer.items == engine.recommend(["a", "c"], k=3).items


def test_a_million_events(engine):
    history = ["zz", "b"] * 500_000 + ["a", "a", "a", "a", "a", "c"]
    answer = engine.recommend(history)
    assert answer.unknown == ("zz",)
    assert set(ids(answer)) == {"d", "é漢"}
    newest = engine.score(["a"] * 5 + ["c"], ids(answer))
    assert answer.items == newest.items


@pytest.mark.parametrize("history", [["a", 5], [b"a"], [None], "abc", b"abc", ["a", ["b"]]])
def test_history_that_is_no_list_of_strings_is_refused(engine, history):
    with pytest.raises(InputError, match="history"):
        engine.recommend(history)


@pytest.mark.parametrize("k", [0, -3, 2.5, None])
def test_bad_k_is_refused(engine, k):
    for history in (["a"], []):
        with pytest.raises(InputError, match="k is"):
            engine.recommend(history, k)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"year": [1999]}, {"a", "d"}),
        ({"year": [None]}, {"c"}),
        ({"genres": ["drama"]}, {"a", "é漢"}),
        ({"genres": ("war", "comedy")}, {"a", "b", "d", "é漢"}),
        ({"genres": {"war"}, "year": {1999.0, 2001}}, {"a", "d"}),
        ({"genres": ["drama"], "title": ["Beta"]}, set()),
        ({"year": [1800]}, set()),
        ({"year": []}, set()),
        ({}, {"a", "b", "c", "d", "é漢"}),
    ],
)
def test_filters(engine, filters, expected):
    for history in (["a"], []):
        answer = engine.recommend(history, include_seen=True, filters=filters)
        assert set(ids(answer)) == expected


def test_filters_and_seen_both_hold(engine):
    assert ids(engine.recommend(["a"], filters={"genres": ["drama", "war"]})) in (
        ["d", "é漢"],
        ["é漢", "d"],
    )


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"colour": ["red"]}, "there are: genres, title, year"),
        ({"title": "Beta"}, r"give a list of allowed values: \['Beta'\]"),
        ({"year": 1999}, "give a list"),
        ({"year": [["x"]]}, "values are"),
    ],
)
def test_bad_filters_are_refused(engine, filters, message):
    with pytest.raises(InputError, match=message):
        engine.recommend(["a"], filters=filters)


def test_score_keeps_the_candidates_order_and_repeats(engine):
    answer = engine.score(["a", "x"], ["d", "nope", "b", "d", "a"])
    assert ids(answer) == ["d", "b", "d", "a"]
    assert answer.unknown == ("x",)
    assert answer.unknown_candidates == ("nope",)
    every = {i.item_id: i for i in engine.recommend(["a"], include_seen=True).items}
    assert answer.items == tuple(every[item] for item in ids(answer))
    assert engine.score(["a"], []).items == ()


def test_score_without_history_is_popularity(engine):
    answer = engine.score([], ["d", "a"])
    assert [item.score for item in answer.items] == pytest.approx([0.3, 0.1])
    assert answer.source == "popularity"


def test_score_candidates_serves_a_kept_state(engine):
    wanted = ["d", "nope", "b"]
    vector = engine.append(engine.prefill([0])[0], 2)[1]
    answer = engine.score_candidates(vector, wanted, unknown=("x",))
    expected = engine.score(["a", "x", "c"], wanted)
    scores = [item.score for item in expected.items]
    assert [item.score for item in answer.items] == pytest.approx(scores, abs=1e-6)
    assert ids(answer) == ids(expected) == ["d", "b"]
    assert (answer.source, answer.unknown) == (expected.source, expected.unknown)
    assert answer.unknown_candidates == ("nope",)
    assert engine.score_candidates(None, wanted) == engine.score([], wanted)
    with pytest.raises(InputError):
        engine.score_candidates(vector[:-1], wanted)
    with pytest.raises(InputError, match="candidates"):
        engine.score_candidates(vector, ["d", 7])


def test_rank_serves_a_kept_state(engine):
    state, _ = engine.prefill([0])
    state, vector = engine.append(state, 2)
    answer = engine.rank(vector, 3, exclude=state.seen)
    expected = engine.recommend(["a", "c"], k=3)
    assert ids(answer) == ids(expected)


def test_top_k_exclude_and_allow(engine):
    vector = engine.prefill([0])[1]
    allow = np.array([True, True, False, True, True])
    indices, scores = engine.top_k(vector, 9, exclude=[1, 1], allow=allow)
    assert set(indices.tolist()) == {0, 3, 4}
    assert (np.diff(scores) <= 0).all()
    assert allow.tolist() == [True, True, False, True, True]


@pytest.mark.parametrize("item", [-1, 5, 10**30, "a", 1.0, None])
def test_bad_item_indices_are_refused(engine, item):
    state, _ = engine.prefill([0])
    with pytest.raises(InputError):
        engine.prefill([0, item])
    with pytest.raises(InputError):
        engine.append(state, item)


def test_other_bad_arguments_are_refused(engine):
    with pytest.raises(InputError, match="empty history"):
        engine.prefill([])
    with pytest.raises(InputError, match="vector has shape"):
        engine.scores(np.zeros(7, np.float32))
    for exclude in ([5], [-1]):
        with pytest.raises(InputError, match="exclude"):
            engine.top_k(np.zeros(8, np.float32), 1, exclude=exclude)


def test_state_of_another_model_is_refused(engine, contents):
    catalogue = dataclasses.replace(contents.catalogue, bias=contents.catalogue.bias * 2)
    other = rt.Engine(assemble(dataclasses.replace(contents, catalogue=catalogue)))
    state, _ = other.prefill([0])
    with pytest.raises(StateError, match="rebuild"):
        engine.append(state, 1)


def test_malformed_state_is_refused(engine):
    state, _ = engine.prefill([0, 1])
    with pytest.raises(StateError, match="2"):
        dataclasses.replace(state, items=(0, 1, 2))
    with pytest.raises(StateError, match="blocks"):
        engine.append(dataclasses.replace(state, kv=state.kv[:1]), 1)


def test_encode_items(engine, contents):
    assert engine.encode_items(["a fox", "dogs"]).shape == (2, 8)
    shape = dataclasses.replace(contents.model, item_tower=None)
    without = dataclasses.replace(contents, model=shape, item_tower=None, tokenizer=None)
    with pytest.raises(InputError, match="no item tower"):
        rt.Engine(assemble(without)).encode_items(["a"])


def test_answers_are_json(engine):
    import json

    answer = json.loads(json.dumps(engine.recommend(["a"], k=1).as_dict()))
    assert set(answer) == {"items", "source", "reason", "model", "unknown"}
    assert set(answer["items"][0]) == {"item_id", "score", "probability", "title"}
    assert json.dumps(engine.score(["a"], ["b"]).as_dict())


def test_one_engine_serves_many_threads(contents):
    engine = rt.Engine(assemble(contents))
    histories = [[a, b, c] for a in range(5) for b in range(5) for c in (0, 3)]
    expected = [engine.prefill(history)[1] for history in histories]
    found = [None] * len(histories)

    def work(start):
        for i in range(start, len(histories), 4):
            state, _ = engine.prefill(histories[i][:2])
            found[i] = engine.append(state, histories[i][2])[1]

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert engine.reused_positions == 2 * len(histories)


def test_ranking_makes_no_float_copy_of_the_catalogue(contents):
    fresh = dataclasses.replace(contents.catalogue)
    engine = rt.Engine(assemble(dataclasses.replace(contents, catalogue=fresh)))
    engine.recommend(["a", "c"], 2)
    engine.score(["a"], ["b"])
    engine.score_texts(["a"], ["jump"])
    engine.score_texts([], ["jump"])
    vector = engine.prefill([1])[1]
    engine.scores(vector)
    assert "vectors" not in vars(engine.catalogue)
