"""Items added, changed and retired: what is recommended, what states live on, what is refused."""

import dataclasses

import numpy as np
import pytest

import pocketrec_runtime as rt
from pocketrec_runtime import limits
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.delta.file import MAGIC, decode_delta, encode_delta
from pocketrec_runtime.errors import (
    BundleError,
    BundleFormatError,
    BundleIntegrityError,
    BundleNotFoundError,
    BundleVersionError,
    DeltaError,
    InputError,
    StateError,
)
from pocketrec_runtime.storage import seal, unseal


def ids(answer):
    return [item.item_id for item in answer.items]


def item(name, **values):
    return rt.NewItem(name, **values)


def vector(*values):
    return np.array([*values, *[0] * (8 - len(values))], np.float32)


@pytest.fixture
def grown(engine):
    """b changed, two items new, d retired."""
    return engine.with_delta(
        rt.make_delta(
            engine,
            [
                item("f", vector=vector(127, -64), popularity=0.5, columns={"title": "Phi"}),
                item("b", text="a film about foxes", columns={"title": "New Beta"}),
                item("g", text="dogs", bias=0.75, columns={"genres": ["war"]}),
            ],
            retire=["d"],
        )
    )


def test_the_new_catalogue_by_hand(engine, grown, contents):
    catalogue = grown.catalogue
    assert list(catalogue.ids) == ["a", "b", "c", "d", "é漢", "f", "g"]
    assert list(catalogue.columns["title"]) == [
        "Alpha", "New Beta", None, "Delta", "Épsilon 漢字", "Phi", None,
    ]  # fmt: skip
    genres = catalogue.columns["genres"]
    assert (genres[1], genres[5], genres[6]) == (("comedy",), None, ("war",))
    assert list(catalogue.columns["year"]) == [1999, 2001, None, 1999, 2010.5, None, None]
    assert catalogue.rows[5].tolist() == [127, -64, 0, 0, 0, 0, 0, 0]
    assert catalogue.scales[5] == 1
    np.testing.assert_array_equal(catalogue.rows[[0, 2, 3, 4]], engine.catalogue.rows[[0, 2, 3, 4]])
    np.testing.assert_allclose(catalogue.bias, [0.1, 0, 0, 0.3, 0.05, 0, 0.75], atol=1e-7)
    # Shares .1 .4 .1 (.3 retired) .1 .5 0, scaled by their sum 1.2.
    expected = np.array([0.1, 0.4, 0.1, 0, 0.1, 0.5, 0]) / 1.2
    np.testing.assert_allclose(catalogue.popularity, expected, atol=1e-6)
    text = engine.encode_items(["a film about foxes"])[0]
    np.testing.assert_allclose(catalogue.vectors[1], text, atol=np.abs(text).max() / 200)
    assert engine.catalogue.ids == contents.catalogue.ids
    assert engine.catalogue.active is None


def test_retired_items_are_never_recommended_but_may_be_in_a_history(engine, grown):
    assert "d" in ids(engine.recommend(["a"], k=9))
    answers = [
        grown.recommend(["a"], k=9),
        grown.recommend([], k=9),
        grown.recommend(["a"], k=9, include_seen=True, filters={"genres": ["war", "drama"]}),
        grown.recommend(["d", "a"], k=9, include_seen=True),
    ]
    for answer in answers:
        assert "d" not in ids(answer)
        assert len(answer.items) > 0
    read = grown.prefill([3, 0])[1]
    np.testing.assert_array_equal(read, engine.prefill([3, 0])[1])
    assert grown.recommend(["d"], k=9).unknown == ()
    assert 3 not in grown.top_k(read, 9)[0]
    assert 3 not in grown.top_k(read, 9, allow=np.arange(7) < 4)[0]
    scores = grown.score(["a"], ["d", "f", "x", "d"])
    assert (ids(scores), scores.unknown_candidates) == (["f"], ("x", "d"))


def test_new_items_are_scored_filtered_and_listened_to(grown):
    user = grown.prefill([0, 5])[1]
    expected = float(vector(127, -64) @ user)
    assert grown.scores(user)[5] == pytest.approx(expected, rel=1e-5)
    assert ids(grown.recommend(["a"], k=9, filters={"genres": ["war"]})) == ["g"]
    assert ids(grown.recommend(["a"], k=9, filters={"title": ["New Beta"]})) == ["b"]
    assert ids(grown.recommend([], k=2)) == ["f", "b"]
    assert grown.recommend(["f", "zz"]).unknown == ("zz",)


def test_deltas_compose(engine, grown):
    again = grown.with_delta(
        rt.make_delta(
            grown,
            [item("d", columns={"title": "Back"}), item("h", vector=vector(1)), item("f")],
            retire=["a", "g"],
        )
    )
    assert list(again.catalogue.ids) == ["a", "b", "c", "d", "é漢", "f", "g", "h"]
    assert again.catalogue.active.tolist() == [False, True, True, True, True, True, False, True]
    assert again.catalogue.columns["title"][1:4] == ("New Beta", None, "Back")
    assert again.catalogue.columns["title"][5] == "Phi"
    assert set(ids(again.recommend(["h"], k=9))) == {"b", "c", "d", "é漢", "f"}
    assert len({engine.fingerprint, grown.fingerprint, again.fingerprint}) == 3
    assert again.recommend(["h"]).model == again.fingerprint
    assert engine.manifest is again.manifest


def test_the_same_deltas_give_the_same_fingerprint(engine):
    delta = rt.make_delta(engine, [item("x", vector=vector(1))])
    assert engine.with_delta(delta).fingerprint == engine.with_delta(delta).fingerprint
    other = rt.make_delta(engine, [item("x", vector=vector(1), bias=0.1)])
    assert engine.with_delta(other).fingerprint != engine.with_delta(delta).fingerprint


def test_states_go_on_where_no_old_vector_moved(engine):
    state, _ = engine.prefill([0, 2])
    added = engine.with_delta(
        rt.make_delta(engine, [item("x", vector=vector(3)), item("b")], retire=["c"])
    )
    later, user = added.append(state, 5)
    np.testing.assert_allclose(user, added.prefill([0, 2, 5])[1], atol=1e-5)
    with pytest.raises(StateError, match="rebuild"):
        engine.append(later, 1)  # it has read an item that this engine does not know
    elsewhere = engine.with_delta(rt.make_delta(engine, [item("y", vector=vector(-3))]))
    with pytest.raises(StateError, match="rebuild"):
        elsewhere.append(later, 1)  # whose index 5 is another item


def test_states_are_stale_where_an_old_vector_moved(engine):
    state, _ = engine.prefill([0, 2])
    changed = engine.with_delta(rt.make_delta(engine, [item("a", vector=vector(3))]))
    assert not changed.reader.can_read(state)
    with pytest.raises(StateError, match="rebuild"):
        changed.append(state, 1)
    state, _ = changed.prefill([0, 2])
    assert changed.reader.can_read(state)
    assert not engine.reader.can_read(state)


def test_a_vector_given_again_moves_nothing(engine):
    state, _ = engine.prefill([0, 2])
    same = engine.with_delta(
        rt.make_delta(engine, [item("a", vector=engine.catalogue.vectors[0].copy())])
    )
    np.testing.assert_array_equal(same.catalogue.rows, engine.catalogue.rows)
    assert same.reader.can_read(state)


def test_float_rows(contents):
    catalogue = dataclasses.replace(
        contents.catalogue, rows=contents.catalogue.vectors, scales=None
    )
    shape = dataclasses.replace(contents.model, rows="float32")
    changed = dataclasses.replace(contents, catalogue=catalogue, model=shape)
    engine = rt.Engine(assemble(rt.record_golden(changed, [["a"]])))
    delta = rt.make_delta(engine, [item("x", vector=vector(0.3)), item("a", vector=vector(0.7))])
    grown = engine.with_delta(delta)
    assert grown.catalogue.vectors[5].tolist() == vector(0.3).tolist()
    assert grown.catalogue.vectors[0].tolist() == vector(0.7).tolist()
    assert not grown.reader.can_read(engine.prefill([0])[0])


def test_an_empty_delta_changes_nothing_but_the_fingerprint(engine):
    same = engine.with_delta(rt.make_delta(engine, []))
    assert same.catalogue.rows is engine.catalogue.rows
    assert ids(same.recommend(["a"])) == ids(engine.recommend(["a"]))
    assert same.fingerprint != engine.fingerprint


def test_file_roundtrip(engine, tmp_path):
    delta = rt.make_delta(
        engine,
        [item("f", vector=vector(0.5), columns={"title": "é", "year": 2020}), item("a")],
        retire=["c"],
    )
    path = tmp_path / "today.delta"
    fingerprint = rt.write_delta(path, delta)
    assert path.read_bytes() == encode_delta(delta)
    found = rt.read_delta(path)
    assert len(fingerprint) == 64
    assert encode_delta(found) == encode_delta(delta)
    assert engine.with_delta(found).fingerprint == engine.with_delta(delta).fingerprint
    assert found.columns == {"title": ["é", "Alpha"], "year": [2020, 1999]}
    assert [entry.name for entry in tmp_path.iterdir()] == ["today.delta"]


@pytest.fixture
def told(engine):
    """New biases and shares of the five known items, and one item more."""
    return rt.make_delta(
        engine,
        [item("f", vector=vector(0.5), bias=0.25, popularity=0.5)],
        known_bias=np.array([1, 2, 3, 4, 5], np.float32),
        known_popularity=np.array([0.2, 0, 0.1, 0.2, 0], np.float32),
    )


def test_known_items_are_told_anew_and_states_go_on(engine, told):
    state, user = engine.prefill([0, 2])
    fresh = engine.with_delta(told)
    np.testing.assert_array_equal(fresh.catalogue.bias, np.float32([1, 2, 3, 4, 5, 0.25]))
    np.testing.assert_allclose(fresh.catalogue.popularity, [0.2, 0, 0.1, 0.2, 0, 0.5], atol=1e-7)
    moved = np.array([1, 2, 3, 4, 5], np.float32) - engine.catalogue.bias
    np.testing.assert_allclose(fresh.scores(user)[:5], engine.scores(user) + moved, atol=1e-5)
    assert fresh.reader.can_read(state)
    assert ids(fresh.recommend([], k=2)) == ["f", "a"]
    assert engine.catalogue.bias[1] == np.float32(-0.2), "the old engine stays as it is"


def test_what_is_put_counts_over_what_is_told(engine):
    delta = rt.make_delta(
        engine,
        [item("a", vector=vector(1), bias=9.0), item("b")],
        retire=["c"],
        known_bias=np.float32([1, 2]),
        known_popularity=np.float32([0.5]),
    )
    fresh = engine.with_delta(delta)
    expected = [9, 2, *engine.catalogue.bias[2:]]
    np.testing.assert_allclose(fresh.catalogue.bias, expected, atol=1e-7)
    expected = np.array([0.5, 0.4, 0, 0.3, 0.1]) / 1.3
    np.testing.assert_allclose(fresh.catalogue.popularity, expected, atol=1e-6)


def every_flipped_bit_is_found(data):
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 1 << at % 8
        with pytest.raises((BundleFormatError, BundleIntegrityError)):
            decode_delta(bytes(broken))


def version(data):
    return unseal(data, MAGIC, "delta")[0].text("format_version")


def test_known_items_of_a_file(engine, told, tmp_path):
    path = tmp_path / "today.delta"
    rt.write_delta(path, told)
    assert version(path.read_bytes()) == "1.1"
    found = rt.read_delta(path)
    np.testing.assert_array_equal(found.known_bias, told.known_bias)
    np.testing.assert_array_equal(found.known_popularity, told.known_popularity)
    assert engine.with_delta(found).fingerprint == engine.with_delta(told).fingerprint
    plain = dataclasses.replace(told, known_bias=None, known_popularity=None)
    assert version(encode_delta(plain)) == "1.0", "older readers know all of it"
    assert engine.with_delta(plain).fingerprint != engine.with_delta(told).fingerprint
    every_flipped_bit_is_found(path.read_bytes())


def test_more_known_items_than_there_are_are_refused(engine, told):
    for name, what in (("known_bias", "biases"), ("known_popularity", "popularity")):
        wide = dataclasses.replace(told, **{name: np.zeros(6, np.float32)})
        with pytest.raises(DeltaError, match=f"{what} of 6 items; the catalogue has 5"):
            engine.with_delta(wide)


def test_known_items_beyond_the_limit_are_refused(told, monkeypatch):
    monkeypatch.setattr(limits, "MAX_ITEMS", 4)
    with pytest.raises(BundleFormatError, match="tells of 5 items; the limit is 4"):
        decode_delta(encode_delta(told))


@pytest.mark.parametrize("section", ["known_bias.f32", "known_popularity.f32"])
def test_known_items_of_half_a_number_are_refused(told, section):
    header, sections = unseal(encode_delta(told), MAGIC, "delta")
    sections[section] = sections[section][:-2]
    values = {key: header.text(key) for key in ("format_version", "model")}
    values |= {key: header.integer(key) for key in ("items", "width")}
    with pytest.raises(BundleFormatError, match=section):
        decode_delta(seal(MAGIC, values, sections))


def test_every_cut_and_every_flipped_bit_is_found(engine):
    delta = rt.make_delta(engine, [item("f", vector=vector(0.5))], retire=["c"])
    data = encode_delta(delta)
    for length in range(len(data)):
        with pytest.raises((BundleFormatError, BundleIntegrityError)):
            decode_delta(data[:length])
    every_flipped_bit_is_found(data)


def test_a_delta_for_another_model_is_refused(engine, contents):
    calibrated = dataclasses.replace(contents, calibration=rt.Calibration(slope=2))
    other = rt.Engine(assemble(calibrated))
    with pytest.raises(DeltaError, match="for model"):
        engine.with_delta(rt.make_delta(other, [item("x", vector=vector(1))]))


@pytest.mark.parametrize(
    ("items", "retire", "message"),
    [
        ([item("x")], [], "'x' is not there to keep its vector"),
        ([], ["x"], "'x' is not there to be retired"),
        ([item("a", columns={"colour": "red"})], [], "column 'colour'"),
    ],
)
def test_a_delta_that_does_not_fit_is_refused(engine, items, retire, message):
    with pytest.raises(DeltaError, match=message):
        engine.with_delta(rt.make_delta(engine, items, retire=retire))


def test_a_delta_of_another_width_is_refused(engine):
    delta = rt.make_delta(engine, [item("x", vector=vector(1))])
    wide = dataclasses.replace(delta, vectors=np.ones((1, 9), np.float32))
    with pytest.raises(DeltaError, match="width 9"):
        engine.with_delta(wide)


@pytest.mark.parametrize(
    ("items", "retire", "message"),
    [
        ([item("x", vector=vector(1)), item("x", vector=vector(1))], [], "stands twice"),
        ([item("", vector=vector(1))], [], "non-empty"),
        ([item("a")], ["a"], "both put and retired"),
        ([item("x", vector=vector(np.nan))], [], "vectors hold NaN"),
        ([item("x", vector=vector(1), bias=np.inf)], [], "bias hold NaN"),
        ([item("x", vector=vector(1), popularity=-0.5)], [], "popularity is below 0"),
        ([item("x", vector=np.ones(3, np.float32))], [], "shape"),
        ([item("x", vector=vector(1), columns={"title": 5})], [], "title"),
        ([item("x", vector=vector(1), columns={"year": float("nan")})], [], "nan"),
    ],
)
def test_bad_values_are_refused(engine, items, retire, message):
    with pytest.raises(InputError, match=message):
        engine.with_delta(rt.make_delta(engine, items, retire=retire))


def test_an_item_says_what_it_is():
    with pytest.raises(InputError, match="a text and a vector"):
        item("x", text="t", vector=vector(1))
    with pytest.raises(InputError, match="a bias but"):
        item("x", bias=1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kept": np.array([1], np.int8)}, "kept are"),
        ({"bias": np.zeros(2, np.float32)}, "bias are"),
        ({"kept": np.array([True])}, "kept has a vector"),
        ({"columns": {"title": ["a", "b"]}}, "2 values for 1"),
        ({"vectors": np.ones(8, np.float32)}, "vectors have shape"),
        ({"known_bias": np.zeros(2)}, "known_bias are"),
        ({"known_bias": np.zeros((2, 2), np.float32)}, "known_bias are"),
        ({"known_bias": np.array([np.inf], np.float32)}, "known_bias hold NaN"),
        ({"known_popularity": np.array([-1], np.float32)}, "known_popularity is below 0"),
    ],
)
def test_bad_arrays_are_refused(engine, change, message):
    delta = rt.make_delta(engine, [item("x", vector=vector(1))])
    with pytest.raises(InputError, match=message):
        dataclasses.replace(delta, **change)


def test_other_versions_missing_files_and_folders_are_refused(engine, tmp_path, monkeypatch):
    with pytest.raises(BundleNotFoundError):
        rt.read_delta(tmp_path / "nothing")
    with pytest.raises(BundleError, match="cannot be read"):
        rt.read_delta(tmp_path)
    monkeypatch.setattr("pocketrec_runtime.delta.file.FORMAT_VERSION", "2.0")
    path = tmp_path / "new.delta"
    rt.write_delta(path, rt.make_delta(engine, []))
    with pytest.raises(BundleVersionError, match=r"2\.0"):
        rt.read_delta(path)
    with pytest.raises(BundleError, match="was not written"):
        rt.write_delta(tmp_path / "no" / "folder", rt.make_delta(engine, []))


def test_a_catalogue_with_retired_items_is_no_bundle(grown, contents, tmp_path):
    shape = dataclasses.replace(contents.model, items=7)
    changed = dataclasses.replace(contents, catalogue=grown.catalogue, model=shape)
    with pytest.raises(InputError, match="no retired items"):
        rt.write_bundle(tmp_path / "bundle", changed)
