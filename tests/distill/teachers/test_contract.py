"""The suite that every kind of teacher passes."""

from pathlib import Path

import numpy as np
import pytest

from pocketrec_distill.errors import DataError
from pocketrec_distill.models.base import PADDING
from pocketrec_distill.teachers import Context

from .kinds import CONTEXTS, ITEMS, Kind

CANDIDATES = np.array([[4, 0, 6, 2], [3, 1, 5, PADDING], [0, 5, PADDING, PADDING]], np.int32)
EVERY_ITEM = np.tile(np.arange(ITEMS, dtype=np.int32), (len(CONTEXTS), 1))


def test_one_logit_per_candidate_and_none_for_padding(kind: Kind) -> None:
    logits = kind.made().candidate_logits(CONTEXTS, CANDIDATES)
    assert logits.shape == CANDIDATES.shape
    assert logits.dtype == np.float32
    assert np.isnan(logits[CANDIDATES == PADDING]).all()
    known = np.isfinite(logits[CANDIDATES != PADDING])
    assert known.all() if kind.knows_all else known.any()
    assert not np.isinf(logits).any()


def test_it_has_an_opinion(kind: Kind) -> None:
    logits = kind.made().candidate_logits(CONTEXTS, EVERY_ITEM)
    assert (np.nanstd(logits, axis=1) > 1e-3).all()
    assert np.nanmax(np.abs(logits[0] - logits[1])) > 1e-3


def test_a_batch_equals_one_by_one(kind: Kind) -> None:
    teacher = kind.made()
    alone = [
        teacher.candidate_logits([context], CANDIDATES[row : row + 1])[0]
        for row, context in enumerate(CONTEXTS)
    ]
    together = teacher.candidate_logits(CONTEXTS, CANDIDATES)
    np.testing.assert_allclose(together, np.stack(alone), atol=2e-5)


def test_order_of_contexts_does_not_matter(kind: Kind) -> None:
    teacher = kind.made()
    turned = teacher.candidate_logits(CONTEXTS[::-1], CANDIDATES[::-1])
    expected = teacher.candidate_logits(CONTEXTS, CANDIDATES)
    np.testing.assert_allclose(turned[::-1], expected, atol=2e-5)


def test_order_and_company_of_candidates_do_not_matter(kind: Kind) -> None:
    teacher = kind.made()
    whole = teacher.candidate_logits(CONTEXTS, EVERY_ITEM)
    order = np.array([5, 2, 6, 0, 3, 1, 4])
    shuffled = teacher.candidate_logits(CONTEXTS, EVERY_ITEM[:, order])
    np.testing.assert_allclose(shuffled, whole[:, order], atol=2e-5)
    one = teacher.candidate_logits(CONTEXTS, EVERY_ITEM[:, 3:4])
    np.testing.assert_allclose(one[:, 0], whole[:, 3], atol=2e-5)


def test_order_of_events_matters_where_it_should(kind: Kind) -> None:
    teacher = kind.made()
    forward = CONTEXTS[0]
    backward = Context(forward.history[::-1].copy(), forward.user_id)
    found, turned = teacher.candidate_logits([forward, backward], EVERY_ITEM[:2])
    difference = np.nanmax(np.abs(found - turned))
    if kind.order_matters:
        assert difference > 1e-3
    else:
        assert difference < 1e-6


def test_asking_twice_gives_one_answer(kind: Kind) -> None:
    teacher = kind.made()
    first = teacher.candidate_logits(CONTEXTS, CANDIDATES)
    np.testing.assert_array_equal(teacher.candidate_logits(CONTEXTS, CANDIDATES), first)


def test_saved_and_loaded_it_says_the_same(kind: Kind, tmp_path: Path) -> None:
    teacher = kind.made()
    folder = tmp_path / "saved"
    folder.mkdir()
    kind.save(teacher, folder)
    again = kind.load(folder).candidate_logits(CONTEXTS, CANDIDATES)
    np.testing.assert_array_equal(again, teacher.candidate_logits(CONTEXTS, CANDIDATES))


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        (CANDIDATES[:2], r"shape \(2, 4\); 3 contexts need \(3, candidates\)"),
        (CANDIDATES[0], r"shape \(4,\)"),
        (np.full((3, 1), ITEMS, np.int32), f"indices {ITEMS} to {ITEMS}"),
        (np.full((3, 1), -2, np.int32), "indices -2 to -2"),
    ],
)
def test_candidates_that_do_not_fit_are_refused(
    kind: Kind, candidates: np.ndarray, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        kind.made().candidate_logits(CONTEXTS, candidates)
