"""Items that nobody chose stand where the known ones of nearest text do."""

import numpy as np
import pytest
import torch

from pocketrec_distill.models import SequenceScorer
from pocketrec_distill.models.nearest_known import NearestKnown
from pocketrec_distill.models.sasrec import SasRec
from pocketrec_distill.models.tfidf import text_cosines

TEXTS = ["red pen", "blue pen", "green glue", "red pen set", "", "glue stick", "pen", "chair"]
COUNTS = np.array([3, 1, 2, 0, 0, 0, 5, 0])


def test_neighbours_are_known_items_by_the_cosine_of_their_texts() -> None:
    nearest = NearestKnown.of(TEXTS, COUNTS)
    assert nearest.unknown.tolist() == [3, 4, 5, 7]
    assert nearest.known.tolist() == [0, 1, 2, 6]
    assert nearest.neighbours.tolist()[0] == [0, 6, 1]
    cosines = text_cosines(TEXTS)[3, [0, 6, 1]]
    assert nearest.shares[0] == pytest.approx(cosines / cosines.sum())
    # One shared word is all that there is; the others do not count.
    assert nearest.neighbours[2, 0] == 2
    assert nearest.shares[2].tolist() == [1, 0, 0]
    # No words at all, and none that a known item has.
    assert not nearest.shares[[1, 3]].any()


def test_vectors_of_known_items_stay_and_others_are_their_neighbours() -> None:
    nearest = NearestKnown.of(TEXTS, COUNTS)
    vectors = torch.randn(len(TEXTS), 4, generator=torch.Generator().manual_seed(0))
    before = vectors.clone()
    filled = nearest.fill(vectors)
    assert torch.equal(vectors, before)
    assert torch.equal(filled[nearest.known], vectors[nearest.known])
    shares = torch.from_numpy(nearest.shares)
    torch.testing.assert_close(filled[3], shares[0] @ vectors[[0, 6, 1]])
    torch.testing.assert_close(filled[5], vectors[2])
    mean = vectors[[0, 1, 2, 6]].mean(dim=0)
    torch.testing.assert_close(filled[[4, 7]], torch.stack([mean, mean]))


def test_where_all_are_known_or_none_vectors_are_what_they_were() -> None:
    vectors = torch.ones(len(TEXTS), 4)
    for counts in (np.ones(len(TEXTS), np.int64), np.zeros(len(TEXTS), np.int64)):
        assert NearestKnown.of(TEXTS, counts).fill(vectors) is vectors


def test_one_known_item_stands_for_all_that_share_a_word() -> None:
    nearest = NearestKnown.of(["pen", "red pen", "glue"], np.array([1, 0, 0]))
    filled = nearest.fill(torch.tensor([[1.0], [5.0], [9.0]]))
    assert filled[:, 0].tolist() == [1, 1, 1]


def test_batches_find_what_one_pass_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = NearestKnown.of(TEXTS, COUNTS)
    monkeypatch.setattr("pocketrec_distill.models.nearest_known._CELLS", 9)
    parts = NearestKnown.of(TEXTS, COUNTS)
    assert np.array_equal(whole.neighbours, parts.neighbours)
    assert np.array_equal(whole.shares, parts.shares)


def test_a_scorer_reads_and_ranks_filled_vectors() -> None:
    torch.manual_seed(1)
    model = SasRec(len(TEXTS), 8, 1, 2, 5, 0.0)
    nearest = NearestKnown.of(TEXTS, COUNTS)
    scorer = SequenceScorer(model, 5, fill=nearest.fill)
    unfilled = SequenceScorer(model, 5).scores([np.array([0, 1])])[0]
    # The twin of item 2 is scored as it is, and says as much of a user.
    scores, asked, twin = scorer.scores([np.array([0, 1]), np.array([2, 0]), np.array([5, 0])])
    np.testing.assert_allclose(scores[nearest.known], unfilled[nearest.known], rtol=1e-5)
    assert scores[5] == pytest.approx(scores[2], rel=1e-5)
    np.testing.assert_allclose(nearest.fill_scores(unfilled[None])[0], scores, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(twin, asked, rtol=1e-5)
    assert scorer.recommend(np.array([0, 1]), 6).tolist()[:1] == [
        int(np.argmax(np.where(np.isin(np.arange(len(TEXTS)), [0, 1]), -np.inf, scores)))
    ]
