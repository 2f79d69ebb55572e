"""Candidates scored from text: the inner product of the two towers' vectors, by hand."""

import dataclasses

import numpy as np
import pytest

import pocketrec_runtime as rt
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.errors import InputError

TEXTS = ["ab ba", "c", "ab ba"]


def test_a_texts_score_is_the_product_of_both_towers(engine) -> None:
    answer = engine.score_texts(["a", "c"], TEXTS)
    _, user = engine.prefill([engine.catalogue.index_of(item) for item in ("a", "c")])
    expected = engine.encode_items(TEXTS) @ user + engine.manifest.model.item_tower.bias
    assert [item.score for item in answer.items] == pytest.approx(expected.tolist())
    assert answer.items[0] == answer.items[2] != answer.items[1]
    wanted = 1 / (1 + np.exp(-(1.5 * expected - 0.5)))
    assert [item.probability for item in answer.items] == pytest.approx(wanted.tolist(), abs=1e-6)
    assert (answer.source, answer.unknown, answer.model) == ("device", (), engine.fingerprint)


def test_a_history_of_texts_keeps_its_order_among_ids(engine) -> None:
    given = {"new": "ab ba"}
    answer = engine.score_texts(["new", "a", "ghost"], ["c"], history_texts=given)
    row = engine.catalogue.vectors[engine.catalogue.index_of("a")]
    history = np.stack([engine.encode_items(["ab ba"])[0], row])
    bias = engine.manifest.model.item_tower.bias
    expected = float(engine.encode_items(["c"])[0] @ engine.user_vector(history) + bias)
    assert answer.items[0].score == pytest.approx(expected)
    assert answer.unknown == ("ghost",)
    turned = engine.score_texts(["a", "new"], ["c"], history_texts=given)
    assert turned.items[0].score != pytest.approx(expected, abs=1e-4)


def test_the_catalogues_own_row_goes_over_a_text(engine) -> None:
    plain = engine.score_texts(["a"], ["c"])
    assert engine.score_texts(["a"], ["c"], history_texts={"a": "ab ba"}).items == plain.items


def test_only_the_newest_window_counts(engine) -> None:
    long = ["c"] + ["a"] * engine.window
    assert engine.score_texts(long, ["c"]).items == engine.score_texts(long[1:], ["c"]).items


@pytest.mark.parametrize(("history", "word"), [([], "empty"), (["ghost"], "nothing")])
def test_without_a_known_history_the_average_reader_answers(engine, history, word) -> None:
    answer = engine.score_texts(history, TEXTS)
    catalogue = engine.catalogue
    mean = (catalogue.popularity @ catalogue.vectors) / catalogue.popularity.sum()
    user = engine.user_vector(mean[None].astype(np.float32))
    bias = engine.manifest.model.item_tower.bias
    expected = engine.encode_items(TEXTS) @ user + bias
    assert [item.score for item in answer.items] == pytest.approx(expected.tolist(), abs=1e-5)
    assert (answer.source, answer.unknown) == ("popularity", tuple(history))
    assert word in answer.reason


def test_popularity_that_is_not_known_counts_alike(contents) -> None:
    nothing = np.zeros_like(contents.catalogue.popularity)
    catalogue = dataclasses.replace(contents.catalogue, popularity=nothing)
    engine = rt.Engine(assemble(dataclasses.replace(contents, catalogue=catalogue)))
    user = engine.user_vector(catalogue.vectors.mean(axis=0, keepdims=True))
    bias = engine.manifest.model.item_tower.bias
    expected = float(engine.encode_items(["c"])[0] @ user + bias)
    assert engine.score_texts([], ["c"]).items[0].score == pytest.approx(expected, abs=1e-5)


def test_what_cannot_be_scored_is_named(engine, contents) -> None:
    with pytest.raises(InputError, match="history is one str"):
        engine.score_texts("a", ["c"])
    with pytest.raises(InputError, match=r"history_texts\['x'\] is 3"):
        engine.score_texts(["x"], ["c"], history_texts={"x": 3})
    with pytest.raises(InputError, match="events, width"):
        engine.user_vector(np.empty((0, 8), np.float32))
    shape = dataclasses.replace(contents.model, item_tower=None)
    bare = dataclasses.replace(contents, model=shape, item_tower=None, tokenizer=None)
    with pytest.raises(InputError, match="no item tower"):
        rt.Engine(assemble(bare)).score_texts(["a"], ["c"])
    assert engine.score_texts(["a"], []).items == ()
