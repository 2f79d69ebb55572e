"""The deferral policy: its features by hand, its arithmetic, and its file."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from pocketrec_runtime import (
    DeferralPolicy,
    DeferralStep,
    Engine,
    defers,
    make_delta,
    read_bundle,
    write_bundle,
)
from pocketrec_runtime.bundle import assemble
from pocketrec_runtime.deferral import FEATURES, request_features
from pocketrec_runtime.errors import BundleFormatError, InputError

COUNT = len(FEATURES)
STEPS = (DeferralStep(0.1, 0.5, 0.02, 0.01, 0.03), DeferralStep(0.4, 0.25, 0.05, 0.02, 0.08))


def policy(**weights: float) -> DeferralPolicy:
    """Weights by name; features stand as they are, the intercept is 0."""
    return DeferralPolicy(
        weights=tuple(weights.get(name, 0.0) for name in FEATURES),
        means=(0.0,) * COUNT,
        scales=(1.0,) * COUNT,
        intercept=0.0,
        steps=STEPS,
        fitted_on="by hand",
    )


def engine_with(tiny_bundle, found: DeferralPolicy | None) -> Engine:
    return Engine(assemble(replace(read_bundle(tiny_bundle).contents, deferral=found)))


def test_features_of_a_request_by_hand(tiny_bundle) -> None:
    engine = engine_with(tiny_bundle, None)
    # The user vector is the last item's: 50 is (1,0,0,0), 漢字 is (0,0,1,0).
    known = engine.catalogue.indices_of(["漢字", "50"])
    features, top = request_features(engine, engine.prefill(known)[1], known, 2)
    found = dict(zip(FEATURES, features.tolist(), strict=True))
    # 181 scores 1, عنصر its bias .5, "x,y" its bias .25.
    assert [engine.catalogue.ids[item] for item in top] == ["181", "عنصر", "x,y"]
    assert found["log_events"] == pytest.approx(math.log(2))
    assert found["log_unknown"] == pytest.approx(math.log(3))
    # Fewer than ten items: the last stands for those that are not there.
    assert [found[name] for name in ("margin_1_10", "margin_10_11", "margin_1_50")] == [
        0.75,
        0,
        0.75,
    ]
    shares = np.exp([1.0, 0.5, 0.25])
    shares /= shares.sum()
    assert found["entropy_50"] == pytest.approx(float(-(shares * np.log(shares)).sum()))
    # Popularities .15 and .4 of five items; of the shown .3, .05 and .1.
    assert found["history_popularity"] == pytest.approx((math.log(1.75) + math.log(3)) / 2)
    assert found["top_popularity"] == pytest.approx(
        (math.log(2.5) + math.log(1.25) + math.log(1.5)) / 3
    )
    # The two are orthogonal, each has cosine 1 with itself.
    assert found["history_cosine"] == pytest.approx(0.5)
    assert found["history_norm"] == pytest.approx(1.0)
    assert found["top_norm"] == pytest.approx((math.sqrt(2) + math.sqrt(2) + 1) / 3)
    # 181 is (1,1,0,0), عنصر (0,0,1,1), "x,y" (0,1,0,0).
    assert found["nearest_cosine"] == pytest.approx((math.sqrt(0.5) + math.sqrt(0.5) + 0) / 3)
    assert found["last_cosine"] == pytest.approx(1.0)


def test_retired_items_are_not_looked_at(tiny_bundle) -> None:
    engine = engine_with(tiny_bundle, None)
    engine = engine.with_delta(make_delta(engine, [], retire=["181"]))
    known = engine.catalogue.indices_of(["50"])
    _, top = request_features(engine, engine.prefill(known)[1], known, 0)
    assert "181" not in [engine.catalogue.ids[item] for item in top]


def test_a_history_of_everything_leaves_nothing_to_rank(tiny_bundle) -> None:
    engine = engine_with(tiny_bundle, None)
    known = list(range(5))
    features, top = request_features(engine, engine.prefill(known)[1], known, 0)
    assert top == []
    assert np.isfinite(features).all()


def test_without_a_known_item_there_are_no_features(tiny_bundle) -> None:
    engine = engine_with(tiny_bundle, None)
    with pytest.raises(InputError, match="no features"):
        request_features(engine, np.zeros(4, np.float32), [], 1)


def test_the_expected_gain_is_a_sum_of_bounded_deviations() -> None:
    weights = [0.0] * COUNT
    weights[0], weights[3] = 0.5, -0.25
    means, scales = [0.0] * COUNT, [1.0] * COUNT
    means[0], scales[3] = 1.0, 2.0
    found = DeferralPolicy(tuple(weights), tuple(means), tuple(scales), 0.125)
    features = np.zeros((3, COUNT))
    features[0, [0, 3]] = 3.0, 4.0  # deviations 2 and 2
    features[1, 0] = 1e9  # bounded at 4
    features[2, 0] = 1.0
    assert found.expected_gain(features).tolist() == [0.625, 2.125, 0.125]


@pytest.mark.parametrize(
    ("share", "threshold"),
    [(0.0, math.inf), (0.09, math.inf), (0.1, 0.5), (0.39, 0.5), (1.0, 0.25)],
)
def test_a_share_takes_the_largest_step_within_it(share: float, threshold: float) -> None:
    assert policy().threshold(share) == threshold


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_out_of_bounds_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="share"):
        policy().threshold(share)


def test_requests_above_the_threshold_are_deferred(tiny_bundle) -> None:
    # log_events of 1, 2 and 4 events: 0, .69, 1.39; thresholds .5 and .25, halved by the weight.
    engine = engine_with(tiny_bundle, policy(log_events=0.5))
    histories = [["50"], ["50", "181"], ["50", "181", "x,y", "漢字"]]
    assert [defers(engine, history, 0.1) for history in histories] == [False, False, True]
    assert [defers(engine, history, 0.4) for history in histories] == [False, True, True]
    assert [defers(engine, history, 1.0) for history in histories] == [True] * 3
    assert [defers(engine, history, 0.0) for history in histories] == [False] * 3


def test_unknown_items_count_once_each(tiny_bundle) -> None:
    engine = engine_with(tiny_bundle, policy(log_unknown=0.5))
    assert not defers(engine, ["50"], 0.4)
    assert defers(engine, ["new", "50"], 0.4)  # log 2 / 2 is above .25, below .5
    assert not defers(engine, ["new", "new", "50"], 0.1)
    assert defers(engine, ["new", "newer", "50"], 0.1)


def test_a_history_without_a_known_item(tiny_bundle) -> None:
    engine = engine_with(tiny_bundle, policy())
    assert defers(engine, ["new"], 0.4)
    assert not defers(engine, [], 0.4)
    nothing = engine_with(tiny_bundle, replace(policy(), steps=()))
    assert not defers(nothing, ["new"], 0.4)
    assert not defers(nothing, ["50"], 0.99)


def test_a_bundle_without_a_policy_defers_all(tiny_bundle) -> None:
    engine = engine_with(tiny_bundle, None)
    assert defers(engine, ["50"], 0.01)
    assert not defers(engine, ["50"], 0.0)


def test_a_policy_stands_in_a_bundle_of_1_2(tiny_bundle, tmp_path) -> None:
    contents = read_bundle(tiny_bundle).contents
    found = replace(policy(log_events=0.5), intercept=-0.125)
    written = write_bundle(tmp_path / "b", replace(contents, deferral=found))
    assert written.format_version == "1.2"
    assert read_bundle(tmp_path / "b").contents.deferral == found
    engine = Engine.open(tmp_path / "b")
    assert engine.deferral == found
    assert engine.with_delta(make_delta(engine, [], retire=["181"])).deferral == found
    assert write_bundle(tmp_path / "c", contents).format_version == "1.0"


def file_of(found: DeferralPolicy) -> dict:
    return json.loads(json.dumps(dict(found.as_dict())))


def decoded(values: object) -> DeferralPolicy | None:
    from pocketrec_runtime.bundle.deferral_file import decode

    return decode(json.dumps(values).encode())


def test_features_that_this_runtime_does_not_know_are_no_policy() -> None:
    assert decoded(file_of(policy())) == policy()
    assert decoded(file_of(policy()) | {"features": [*FEATURES, "weather"]}) is None


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"weights": [0.0] * (COUNT - 1)}, InputError, "weights are 12"),
        ({"weights": ["0"] * COUNT}, BundleFormatError, "weights"),
        ({"weights": [True] * COUNT}, BundleFormatError, "weights"),
        ({"scales": [0.0] * COUNT}, InputError, "above 0"),
        ({"intercept": None}, BundleFormatError, "intercept"),
        ({"steps": 7}, BundleFormatError, "steps"),
        ({"steps": [7]}, BundleFormatError, "steps"),
        ({"steps": [vars(STEPS[1]), vars(STEPS[0])]}, InputError, "rising"),
        ({"steps": [vars(STEPS[0]) | {"share": 0.0}]}, InputError, "share"),
        ({"steps": [vars(STEPS[0]) | {"gain": 1.0}]}, InputError, "outside"),
        ({"fitted_on": 7}, BundleFormatError, "fitted_on"),
    ],
)
def test_a_file_of_another_form_is_refused(change, error, message) -> None:
    with pytest.raises(error, match=message):
        decoded(file_of(policy()) | change)


def test_more_steps_than_the_limit_are_refused() -> None:
    many = tuple(replace(STEPS[0], share=(n + 1) / 200) for n in range(101))
    with pytest.raises(InputError, match="101 steps"):
        replace(policy(), steps=many)
