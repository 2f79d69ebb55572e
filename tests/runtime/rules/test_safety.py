"""Deny lists hold against everything else, and the last look is a look of its own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketrec_runtime import (
    Boost,
    CalibratedShares,
    Cap,
    Deny,
    Diversity,
    ExposureLimit,
    Pin,
    Quota,
    RuleContext,
    Rules,
)
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.rules import ScoreRanking, apply_rules
from pocketrec_runtime.rules.apply import without_denied
from pocketrec_runtime.rules.select import Placed

N = 12
LABELS = tuple(("adult", "violence", "calm")[i % 3] for i in range(N))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_nothing_brings_a_denied_item_back(make, data):
    ids = st.sets(st.integers(0, N - 1), max_size=6)
    labels = st.sets(st.sampled_from(["adult", "violence"]))
    denied_ids, denied_labels = data.draw(ids), data.draw(labels)
    pinned = data.draw(st.permutations(range(N)))[:5]
    allow = np.array(data.draw(st.lists(st.booleans(), min_size=N, max_size=N)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    catalogue = make({"label": LABELS}, rng.normal(size=(N, 3)))
    rules = Rules(
        deny=Deny(ids={f"i{i}" for i in denied_ids}, attributes={"label": denied_labels}),
        pins=[Pin(f"i{i}", place) for place, i in enumerate(pinned, start=1)],
        boosts=[Boost(1e6, attributes={"label": ["adult", "violence"]})],
        caps=[Cap("label", data.draw(st.integers(1, 9)))],
        quotas=[Quota("label", "adult", least=data.draw(st.integers(1, 5)))],
        diversity=Diversity(0.4) if data.draw(st.booleans()) else None,
        calibration=CalibratedShares("label", target={"adult": 1}),
        pool_factor=data.draw(st.integers(1, 3)),
    )
    scores = rng.normal(size=N).astype(np.float32)
    answer = apply_rules(
        rules, catalogue, ScoreRanking(scores, 1.0), data.draw(st.integers(1, 15)), allow=allow
    )
    for index in answer.indices.tolist():
        assert index not in denied_ids
        assert LABELS[index] not in denied_labels
        assert allow[index]
    assert len(set(answer.indices.tolist())) == answer.indices.size


def test_the_last_look_removes_what_a_faulty_step_let_through():
    placed = [Placed(2, ()), Placed(0, ("pinned",)), Placed(1, ())]
    denied = np.array([True, False, False])
    assert without_denied(placed, denied) == [Placed(2, ()), Placed(1, ())]


# --- exposure -----------------------------------------------------------------------------------

SHOWN = {"i0": [100, 190, 195], "i1": [195, 60], "i2": [250, 199], "gone": [199, 199, 199]}


@pytest.mark.parametrize(
    ("times", "period_s", "expected"),
    [
        (1, 100, [3, 4]),  # after 100: i0 twice, i1 once, i2 twice (one of them ahead of now)
        (2, 100, [1, 3, 4]),
        (3, 100, [0, 1, 2, 3, 4]),  # the showing at 100 itself is a period ago
        (3, 100.5, [1, 2, 3, 4]),
        (2, 1000, [3, 4]),
    ],
)
def test_an_item_shown_too_often_is_left_out(make, times, period_s, expected):
    catalogue = make({"label": LABELS[:5]})
    rules = Rules(exposure=ExposureLimit(times, period_s), pins=[Pin("i0", 1)])
    context = RuleContext(shown=SHOWN, now_s=200)
    scores = np.array([5, 4, 3, 2, 1], np.float32)
    answer = apply_rules(rules, catalogue, ScoreRanking(scores), 9, context=context)
    assert answer.indices.tolist() == expected


def test_an_exposure_limit_needs_a_clock(make):
    rules = Rules(exposure=ExposureLimit(1))
    with pytest.raises(InputError, match="now_s"):
        apply_rules(rules, make({"label": LABELS}), ScoreRanking(np.ones(N, np.float32)), 3)
    with pytest.raises(InputError, match="now_s is nan"):
        RuleContext(now_s=float("nan"))
