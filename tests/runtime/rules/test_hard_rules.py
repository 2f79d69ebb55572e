"""Pins, boosts, caps, quotas and deny lists: by hand, and against walks and enumerations."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketrec_runtime import Boost, Cap, Deny, Pin, Quota, Rules
from pocketrec_runtime.errors import InputError
from pocketrec_runtime.rules import ScoreRanking, apply_rules

# Seven items, best first; b has three, c two, d one, and one has no brand.
BRANDS = ("b", "b", "c", "b", None, "c", "d")
SCORES = np.array([7, 6, 5, 4, 3, 2, 1], np.float32)


@pytest.fixture(scope="module")
def shop(make):
    return make({"brand": BRANDS})


def ruled(catalogue, k, allow=None, scores=SCORES, slope=1.0, **rules):
    answer = apply_rules(Rules(**rules), catalogue, ScoreRanking(scores, slope), k, allow=allow)
    assert answer.scores.tolist() == scores[answer.indices].tolist()
    return answer


def order(*arguments, **keywords):
    return ruled(*arguments, **keywords).indices.tolist()


def test_no_rule_is_the_ranking(shop):
    answer = ruled(shop, 4)
    assert answer.indices.tolist() == [0, 1, 2, 3]
    assert answer.placed_by == ((), (), (), ())
    assert order(shop, 99) == [0, 1, 2, 3, 4, 5, 6]


def test_ties_stand_by_index_and_nan_never(shop):
    scores = np.array([1, 2, 2, math.nan, math.inf, -math.inf, 2], np.float32)
    assert order(shop, 9, scores=scores) == [1, 2, 6, 0]


def test_a_pin_moves_an_item_and_says_so(shop):
    answer = ruled(shop, 4, pins=[Pin("i5", 2), Pin("i0", 4)])
    assert answer.indices.tolist() == [1, 5, 2, 0]
    assert answer.placed_by == ((), ("pinned",), (), ("pinned",))


def test_a_pin_below_k_has_no_effect_and_a_short_answer_moves_it_up(shop):
    assert order(shop, 2, pins=[Pin("i6", 3)]) == [0, 1]
    assert order(shop, 9, pins=[Pin("i0", 9)]) == [1, 2, 3, 4, 5, 6, 0]
    few = np.array([True, False, True, False, False, False, False])
    assert order(shop, 7, allow=few, pins=[Pin("i0", 6)]) == [2, 0]


@pytest.mark.parametrize("position", [1, 3])
def test_a_pin_brings_nothing_back(shop, position):
    pins = [Pin("i1", position)]
    assert order(shop, 3, pins=pins, deny=Deny(ids=["i1"])) == [0, 2, 3]
    assert order(shop, 3, pins=pins, deny=Deny(attributes={"brand": ["b"]})) == [2, 4, 5]
    seen = np.arange(7) != 1
    assert order(shop, 3, pins=pins, allow=seen) == [0, 2, 3]


def test_a_pin_of_an_unknown_item_has_no_effect(shop):
    assert order(shop, 2, pins=[Pin("gone", 1)]) == [0, 1]


def test_a_boost_multiplies_the_odds(shop):
    # ln(20) / 1 is 2.996: item 6 (score 1) passes 3 and stays below 4.
    answer = ruled(shop, 5, boosts=[Boost(20, ids=["i6"])])
    assert answer.indices.tolist() == [0, 1, 2, 3, 6]
    assert answer.placed_by[-1] == ("boosted",)
    assert answer.scores[-1] == 1
    # With slope 0.5 the same odds are 5.99 of score: 6.99 passes 6 and stays below 7.
    assert order(shop, 3, slope=0.5, boosts=[Boost(20, ids=["i6"])]) == [0, 6, 1]


def test_boosts_multiply_and_lower(shop):
    boosts = [Boost(20, ids=["i6"]), Boost(0.001, attributes={"brand": ["b"]})]
    answer = ruled(shop, 7, boosts=boosts)
    # b falls by 6.9: 0.1, -0.9, -2.9; item 6 stands at 3.996.
    assert answer.indices.tolist() == [2, 6, 4, 5, 0, 1, 3]
    assert answer.placed_by[4] == ("demoted",)
    undone = [Boost(4, ids=["i6"]), Boost(0.25, ids=["i6"])]
    assert ruled(shop, 7, boosts=undone).placed_by[6] == ()


def test_a_boost_of_a_share_multiplies_it(shop):
    shares = np.array([0.3, 0.25, 0.2, 0.1, 0.1, 0.03, 0.02], np.float32)
    boosts = [Boost(9, ids=["i5"])]
    assert order(shop, 3, scores=shares, slope=None, boosts=boosts) == [0, 5, 1]


def test_a_cap_holds_and_items_without_a_value_are_free(shop):
    answer = ruled(shop, 5, caps=[Cap("brand", 1)])
    assert answer.indices.tolist() == [0, 2, 4, 6]
    assert answer.placed_by == ((), ("cap",), ("cap",), ("cap",))
    assert order(shop, 5, caps=[Cap("brand", 2)]) == [0, 1, 2, 4, 5]


def test_a_cap_holds_against_pins(shop):
    pins = [Pin("i3", 1), Pin("i1", 2)]
    assert order(shop, 3, pins=pins, caps=[Cap("brand", 1)]) == [3, 2, 4]


def test_a_cap_counts_each_value_of_a_list(make):
    films = make({"genres": (("war", "drama"), ("drama",), ("war",), ("comedy", "war"), ())})
    scores = np.array([5, 4, 3, 2, 1], np.float32)
    assert order(films, 5, scores=scores, caps=[Cap("genres", 1)]) == [0, 4]
    assert order(films, 5, scores=scores, caps=[Cap("genres", 2)]) == [0, 1, 2, 4]


def test_quotas_at_least_and_at_most(shop):
    answer = ruled(shop, 3, quotas=[Quota("brand", "d", least=1)])
    assert answer.indices.tolist() == [0, 1, 6]
    assert answer.placed_by[2] == ("quota",)
    assert order(shop, 4, quotas=[Quota("brand", "b", most=1)]) == [0, 2, 4, 5]
    assert order(shop, 3, quotas=[Quota("brand", "b", most=0)]) == [2, 4, 5]


def test_a_pin_meets_a_quota(shop):
    rules = {"pins": [Pin("i6", 1)], "quotas": [Quota("brand", "d", least=1)]}
    assert order(shop, 3, **rules) == [6, 0, 1]


def test_a_quota_asks_for_no_more_than_there_is(shop):
    assert order(shop, 3, quotas=[Quota("brand", "d", least=2)]) == [0, 1, 6]
    assert order(shop, 3, quotas=[Quota("brand", "nothing", least=2)]) == [0, 1, 2]
    both = {"quotas": [Quota("brand", "b", least=3)], "caps": [Cap("brand", 1)]}
    assert order(shop, 4, **both) == [0, 2, 4, 6]


@pytest.mark.parametrize(
    "rules",
    [
        {"deny": Deny(attributes={"colour": ["red"]})},
        {"boosts": [Boost(2, attributes={"colour": ["red"]})]},
        {"caps": [Cap("colour", 1)]},
        {"quotas": [Quota("colour", "red", least=1)]},
    ],
)
def test_an_unknown_column_is_refused(shop, rules):
    with pytest.raises(InputError, match=r"no column 'colour'.*brand, title"):
        ruled(shop, 3, **rules)


def test_a_wrong_mask_is_refused(shop):
    with pytest.raises(InputError, match="mask"):
        ruled(shop, 3, allow=np.ones(6, bool))


def test_every_denied_item_stays_out_of_a_catalogue_of_denied_items(shop):
    assert order(shop, 3, deny=Deny(attributes={"brand": ["b", "c", "d", None]})) == []


# --- against references -------------------------------------------------------------------------


def walk(scores, values, k, caps, quotas, pins, eligible):
    """The definition: for each place, down the whole ranking to the first item that may stand."""
    ranking = sorted(np.flatnonzero(eligible).tolist(), key=lambda i: (-scores[i], i))
    counts, answer = {}, {}
    need = {
        group: min(least, sum(group[1] in values[group[0]][i] for i in ranking))
        for group, (least, _) in quotas.items()
    }

    def groups(i):
        return [(column, value) for column in values for value in values[column][i]]

    def fits(i):
        return all(
            counts.get(group, 0) < min(caps.get(group[0], 99), quotas.get(group, (0, 99))[1])
            for group in groups(i)
        )

    def add(place, i):
        answer[place] = i
        for group in groups(i):
            counts[group] = counts.get(group, 0) + 1
            need[group] = max(0, need.get(group, 0) - 1)

    for place, i in sorted(pins):
        if place < k and i in ranking and fits(i):
            add(place, i)
    for place in range(k):
        if place in answer:
            continue
        slots = k - len(answer)
        left = [i for i in ranking if i not in answer.values() and fits(i)]
        if 0 < sum(need.values()) >= slots:
            helping = [i for i in left if any(need.get(group, 0) for group in groups(i))]
            if helping:
                left = helping
            else:
                need.clear()
        if not left:
            break
        add(place, left[0])
    return [answer[place] for place in sorted(answer)]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_hard_rules_are_a_walk_down_the_whole_ranking(make, data):
    n = data.draw(st.integers(1, 24), "n")
    genre = st.sampled_from("xyz")
    brands = data.draw(st.lists(st.one_of(st.none(), genre), min_size=n, max_size=n), "brands")
    genres = data.draw(
        st.lists(st.lists(genre, max_size=2, unique=True), min_size=n, max_size=n), "genres"
    )
    scores = np.array(data.draw(st.lists(st.integers(0, 9), min_size=n, max_size=n)), np.float32)
    eligible = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    k = data.draw(st.integers(1, 8), "k")
    caps = data.draw(
        st.dictionaries(st.sampled_from(["brand", "genres"]), st.integers(1, 3)), "caps"
    )
    least = st.integers(0, 3)
    quotas = data.draw(
        st.dictionaries(st.tuples(st.sampled_from(["brand", "genres"]), genre), least, max_size=3),
        "quotas",
    )
    pins = data.draw(st.permutations(range(n)), "pins")[: data.draw(st.integers(0, 3))]
    places = data.draw(st.permutations(range(9)), "places")
    catalogue = make({"brand": tuple(brands), "genres": tuple(map(tuple, genres))})
    answer = order(
        catalogue,
        k,
        scores=scores,
        allow=eligible,
        caps=[Cap(column, most) for column, most in caps.items()],
        quotas=[Quota(*group, least=count, most=count + 1) for group, count in quotas.items()],
        pins=[Pin(f"i{i}", place + 1) for i, place in zip(pins, places, strict=False)],
        pool_factor=1,
    )
    expected = walk(
        scores,
        {"brand": [[b] if b else [] for b in brands], "genres": genres},
        k,
        caps,
        {group: (count, count + 1) for group, count in quotas.items()},
        [(place, i) for i, place in zip(pins, places, strict=False)],
        eligible,
    )
    assert answer == expected


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from("xyz"), min_size=3, max_size=9),
    st.integers(1, 3),
    st.tuples(st.integers(0, 1), st.integers(0, 2)),
    st.integers(1, 3),
)
def test_quotas_of_one_column_give_the_best_possible_set(make, brands, k, leasts, most):
    """No feasible set of k items has a higher total; powers of two make the best set unique."""
    n, k = len(brands), min(k, len(brands))
    scores = np.array([2.0**-i for i in range(n)], np.float32)
    need = dict(zip("xy", leasts, strict=True))

    def feasible(chosen):
        counts = {brand: sum(brands[i] == brand for i in chosen) for brand in "xyz"}
        return max(counts.values()) <= most and all(
            counts[brand] >= least for brand, least in need.items()
        )

    sets = [chosen for chosen in itertools.combinations(range(n), k) if feasible(chosen)]
    quotas = [Quota("brand", brand, least=least) for brand, least in need.items() if least]
    answer = order(
        make({"brand": tuple(brands)}),
        k,
        scores=scores,
        caps=[Cap("brand", most)],
        quotas=quotas,
        pool_factor=1,
    )
    if sets:
        assert sorted(answer) == list(max(sets, key=lambda chosen: scores[list(chosen)].sum()))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.booleans())
def test_boosted_items_rank_by_all_boosted_scores(make, seed, shares):
    """Asked factor by factor, or all scores boosted and sorted: the same order."""
    rng = np.random.default_rng(seed)
    n = 30
    scores = rng.integers(1, 9, n).astype(np.float32)  # many ties
    labels = tuple(rng.choice(list("xyz"), n))
    slope = None if shares else 0.7
    boosts = [Boost(1.9, attributes={"label": ["x"]}), Boost(0.4, ids={f"i{i}" for i in range(9)})]
    factors = [1.9 ** (labels[i] == "x") * 0.4 ** (i < 9) for i in range(n)]
    logs = np.log(factors)
    expected = scores * np.exp(logs) if shares else scores + logs / 0.7
    answer = order(make({"label": labels}), 12, scores=scores, slope=slope, boosts=boosts)
    assert answer == sorted(range(n), key=lambda i: (-round(float(expected[i]), 9), i))[:12]


def test_a_retired_item_is_not_brought_back(make):
    catalogue = dataclasses.replace(
        make({"brand": BRANDS}), active=np.array([True, False, True, True, True, True, True])
    )
    assert order(catalogue, 3, pins=[Pin("i1", 1)]) == [0, 2, 3]
