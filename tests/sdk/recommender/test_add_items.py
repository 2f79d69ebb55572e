"""Items that an app adds: for every process and start, and for the next bundle."""

from pathlib import Path

import numpy as np
import pytest

from pocketrec import BundleError, InputError, NewItem, Recommender
from pocketrec_runtime import Engine, make_delta, write_delta
from pocketrec_runtime.errors import DeltaError

RINGS = Path(__file__).parents[2] / "golden" / "v1_0" / "rings"


def vector(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def ids(answer) -> list[str]:
    return [item.item_id for item in answer.items]


def test_an_added_item_is_recommended_from_then_on(opened) -> None:
    one, other = opened(), opened()
    user = one.user("Ada")
    user.record("50")
    assert ids(user.recommend(1)) == ["181"]
    one.add_items([NewItem("new", vector=vector(3, 0, 0, 0), columns={"title": "Brand new"})])
    best = user.recommend(1).items[0]
    assert (best.item_id, best.score, best.title) == ("new", 3.0, "Brand new")
    # Another process that has the store open, and the next start.
    assert ids(other.user("Ada").recommend(1)) == ["new"]
    one.close()
    again = opened()
    assert ids(again.user("Ada").recommend(1)) == ["new"]
    again.user("Ada").record("new")
    assert again.user("Ada").recommend(1).unknown == ()


def test_an_item_is_changed_in_place_and_keeps_what_is_not_said(opened) -> None:
    recommender = opened()
    user = recommender.user("Ada")
    user.record("50")
    recommender.add_items([NewItem("new", vector=vector(3, 0, 0, 0), columns={"title": "A"})])
    recommender.add_items([NewItem("new", columns={"genre": ["Drama"]})])
    recommender.add_items([NewItem("x,y", columns={"title": "Red"})])
    best = user.recommend(1, filters={"genre": ["Drama"]}).items[0]
    assert (best.item_id, best.score, best.title) == ("new", 3.0, "A")
    (scored,) = user.score(["x,y"]).items
    assert (scored.score, scored.title) == (0.25, "Red")


def test_a_retired_item_is_gone_until_it_is_added_again(opened) -> None:
    recommender = opened()
    user = recommender.user("Ada")
    user.record("50")
    recommender.add_items([NewItem("new", vector=vector(3, 0, 0, 0))], retire=["181"])
    assert ids(user.recommend(2)) == ["new", "عنصر"]
    recommender.add_items([], retire=["new"])
    assert ids(user.recommend(2)) == ["عنصر", "x,y"]
    recommender.add_items([NewItem("181"), NewItem("new")])
    assert ids(user.recommend(2)) == ["new", "181"]


@pytest.mark.parametrize(
    ("item", "error", "message"),
    [
        (NewItem("new", text="a text"), InputError, "no item tower"),
        (NewItem("new", vector=vector(1, 2)), InputError, "shape"),
        (NewItem("new"), BundleError, "not there to keep its vector"),
        (NewItem("new", vector=vector(1, 2, 3, 4), columns={"colour": "red"}), BundleError, "colo"),
        (NewItem("new", vector=vector(1, 2, 3, np.nan)), InputError, "kept|finite"),
        (NewItem("", vector=vector(1, 2, 3, 4)), InputError, "empty"),
    ],
)
def test_an_item_that_does_not_fit_leaves_all_as_it_was(opened, item, error, message) -> None:
    recommender = opened()
    good = NewItem("good", vector=vector(3, 0, 0, 0))
    with pytest.raises(error, match=message):
        recommender.add_items([good, item])
    assert recommender.store.items() == {}
    assert recommender.engine.catalogue.index_of("good") is None


def test_a_text_is_read_by_the_item_tower_once(tmp_path) -> None:
    item = NewItem("new ring", text="a golden ring", columns={"title": "Ring"})
    with Recommender.open(RINGS, store=tmp_path) as recommender:
        recommender.add_items([item])
        expected = recommender.engine.encode_items(["a golden ring"])
        index = recommender.engine.catalogue.index_of("new ring")
        found = recommender.engine.catalogue.vectors_of([index])
        assert np.abs(found - expected).max() <= np.abs(expected).max() / 127
    with Recommender.open(RINGS, store=tmp_path) as again:
        assert again.engine.catalogue.index_of("new ring") == index
        assert again._core._texts.encoded == 0
        user = again.user("Ada")
        user.record("new ring")
        assert user.recommend(3).source == "device"


def test_the_next_bundle_takes_what_it_can(opened, shifted_bundle, caplog) -> None:
    recommender = opened()
    vectors = [NewItem("new", vector=vector(3, 0, 0, 0)), NewItem("x,y", vector=vector(9, 0, 0, 0))]
    recommender.add_items(vectors, retire=["181"])
    recommender.user("Ada").record("50")
    assert ids(recommender.user("Ada").recommend(2)) == ["x,y", "new"]
    recommender.close()
    later = opened(shifted_bundle)
    # A vector of another model means nothing; what this bundle says of "x,y" is newer; 181 is gone.
    answer = later.user("Ada").recommend(3)
    assert [(i.item_id, i.score) for i in answer.items] == [
        ("x,y", 0.75),
        ("عنصر", 0.5),
        ("漢字", 0.0),
    ]
    assert "'new' was added to another bundle" in caplog.text


def test_texts_go_over_to_the_next_bundle(tmp_path, tiny_bundle) -> None:
    with Recommender.open(tiny_bundle, store=tmp_path) as recommender:
        with pytest.raises(InputError, match="no item tower"):
            recommender.add_items([NewItem("ring", text="a ring")])
        # As an app said it to a bundle that could read it.
        entry = '{"model": "of before", "retired": false, "text": "a ring", "columns": {"x": 1}}'
        recommender.store.put_items({"ring": entry})
    with Recommender.open(RINGS, store=tmp_path) as later:
        assert later.engine.catalogue.index_of("ring") == 30


def test_deltas_lie_under_what_the_app_adds(opened, tiny_bundle, tmp_path) -> None:
    engine = Engine.open(tiny_bundle)
    delta = make_delta(
        engine,
        [NewItem("new", vector=vector(3, 0, 0, 0)), NewItem("late", vector=vector(2, 0, 0, 0))],
        known_bias=np.full(5, -1, np.float32),
    )
    write_delta(tmp_path / "today.delta", delta)
    recommender = opened(deltas=[tmp_path / "today.delta"])
    user = recommender.user("Ada")
    user.record("50")
    assert ids(user.recommend(2)) == ["new", "late"]
    recommender.add_items([NewItem("mine", vector=vector(4, 0, 0, 0))], retire=["late"])
    assert ids(user.recommend(2)) == ["mine", "new"]
    (known,) = user.score(["181"]).items
    assert known.score == 0.0  # 1 by its vector, -1 by the bias of the day
    recommender.close()
    # Without the delta the app's own items are there all the same; what it retired is not known.
    assert ids(opened().user("Ada").recommend(2)) == ["mine", "181"]


def test_a_delta_for_another_bundle_opens_nothing(opened, tmp_path) -> None:
    write_delta(tmp_path / "other.delta", make_delta(Engine.open(RINGS), []))
    with pytest.raises(DeltaError, match="for model"):
        opened(deltas=[tmp_path / "other.delta"])
