"""The accuracy run, on the small bundle whose every answer is known, and by hand."""

import math
import re

import numpy as np
import pytest

from pocketrec_bench.accuracy import (
    Reference,
    agreement,
    judge,
    ndcg,
    padded,
    reference_for,
    require_quality,
)
from pocketrec_bench.errors import QualityError
from pocketrec_bench.queries import Queries, held_out
from pocketrec_bench.system import system_of
from pocketrec_runtime import Engine, read_bundle
from pocketrec_runtime.errors import InputError

# Items of the small bundle: rows (1,0,0,0) (1,1,0,0) (0,1,0,0) (0,0,1,0) (0,0,1,1), bias
# 0 0 .25 0 .5. After item 0 the scores of 1 to 4 are 1 .25 0 .5; after item 3: 0 0 .25 - 1.5.
AFTER_0, AFTER_3 = (1, 4, 2, 3), (4, 2, 0, 1)


@pytest.fixture(scope="module")
def bundle(tiny_bundle):
    return read_bundle(tiny_bundle)


def test_ndcg_by_hand() -> None:
    answers = padded([(3, 1), (2, 0, 4), (5,)])
    # Ranks 2, 3 and none: 1/log2(3), 1/log2(4), 0.
    assert ndcg(answers, np.array([1, 4, 0])) == pytest.approx((1 / math.log2(3) + 0.5) / 3)


def test_agreement_by_hand() -> None:
    expected = padded([(3, 1, 2)])
    assert agreement(expected, expected) == 1.0
    # Relevances 10 9 8; the answer has them in the order 9 10 -.
    ideal = 10 + 9 / math.log2(3) + 8 / 2
    assert agreement(padded([(1, 3)]), expected) == pytest.approx((9 + 10 / math.log2(3)) / ideal)
    assert agreement(padded([()]), expected) == 0.0
    assert agreement(padded([()]), padded([()])) == 1.0


def test_the_reference_ranks_as_by_hand(bundle) -> None:
    found = Reference(bundle).top([(0,), (0, 3), (3,)], "uncached", k=5)
    assert found[0].tolist() == [*AFTER_0, -1]
    assert found[1].tolist() == [4, 2, 1, -1, -1]  # item 0 is seen too
    assert found[2].tolist() == [*AFTER_3, -1]  # 0 and 1 tie: by index


@pytest.mark.parametrize("division", ["cached", "uncached"])
def test_the_systems_rank_as_the_reference(bundle, division) -> None:
    engine = Engine(bundle)
    # The last one is longer than the window of 6.
    queries = Queries(((0,), (0, 3), (1, 2, 3), (0, 1, 0, 1, 0, 1, 0, 2, 0)), None, "popularity")
    system = system_of(division, engine, queries, k=10)
    system.load(range(4))
    answers = [system.answer(sample).tolist() for sample in range(4)]
    assert answers[0] == list(AFTER_0)
    assert [each.tolist() for each in system.answer_many(range(4))] == answers
    expected = Reference(bundle).top(queries.histories, division)
    accuracy = judge(answers, expected, queries, reference="by hand")
    assert (accuracy.value, accuracy.overlap, accuracy.passed) == (1.0, 1.0, True)


def test_only_the_cached_system_takes_positions_from_a_cache(bundle) -> None:
    queries = Queries(((0, 3, 1),), None, "popularity")
    for division, reused in (("uncached", 0), ("cached", 2)):
        engine = Engine(bundle)
        system = system_of(division, engine, queries, k=3)
        system.load([0])
        before = engine.reused_positions
        system.answer(0)
        assert engine.reused_positions - before == reused
    system.unload()
    with pytest.raises(KeyError):
        system.answer(0)


def test_a_broken_ranking_is_refused(bundle) -> None:
    queries = held_out([(0,), (3,)], [1, 4])
    expected = Reference(bundle).top(queries.histories, "uncached")
    good = judge([AFTER_0, AFTER_3], expected, queries, reference="by hand")
    assert (good.value, good.ratio, good.passed) == (1.0, 1.0, True)
    require_quality(good)
    # The right ten, but backwards.
    broken = judge([AFTER_0[::-1], AFTER_3[::-1]], expected, queries, reference="by hand")
    assert broken.value == pytest.approx(1 / math.log2(5))
    assert not broken.passed
    with pytest.raises(QualityError, match=r"ndcg@10 is 0.4307 on 2 histories, against 1.0000"):
        require_quality(broken)


def test_a_reference_as_bad_as_the_run_does_not_hide_what_the_manifest_records(bundle) -> None:
    queries = held_out([(0,), (3,)], [1, 0])  # ranks 1 and 3
    expected = Reference(bundle).top(queries.histories, "uncached")
    answers = [AFTER_0, AFTER_3]
    assert judge(answers, expected, queries, reference="same", recorded=0.755).passed
    worse = judge(answers, expected, queries, reference="same", recorded=0.8)
    assert (worse.value, worse.ratio, worse.passed) == (0.75, 1.0, False)
    with pytest.raises(QualityError, match=re.escape("0.8000 that the bundle's manifest")):
        require_quality(worse)


def test_an_answer_that_names_an_item_twice_is_refused() -> None:
    with pytest.raises(QualityError, match="history 1 names an item twice"):
        padded([(1, 2), (2, 2)])


def test_another_bundle_is_a_reference_where_it_has_the_same_items(
    bundle, shifted_bundle, golden_bundle
) -> None:
    engine = Engine(bundle)
    shifted = reference_for(bundle, engine, read_bundle(shifted_bundle))
    # The bias .75 of item 2 puts it before item 4.
    assert shifted.top([(0,)], "uncached", k=3).tolist() == [[1, 2, 4]]
    with pytest.raises(InputError, match="40 items that are not those of the bundle"):
        reference_for(bundle, engine, read_bundle(golden_bundle))
