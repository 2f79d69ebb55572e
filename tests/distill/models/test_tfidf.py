"""tf-idf by hand, and as a scorer."""

import math

import numpy as np

from pocketrec_distill.models.tfidf import TfIdf, tfidf_matrix


def test_weights_by_hand() -> None:
    matrix = tfidf_matrix(["Red pen, red!", "blue pen", ""]).toarray()
    rare, common = math.log(4 / 2) + 1, math.log(4 / 3) + 1
    red, pen = (1 + math.log(2)) * rare, common
    length = math.hypot(red, pen)
    assert np.allclose(matrix[0], [red / length, pen / length, 0])
    assert np.allclose(matrix[1], np.array([0, common, rare]) / math.hypot(common, rare))
    assert not matrix[2].any()


def test_scores_are_cosines_to_the_mean_of_the_history() -> None:
    texts = ["red pen", "blue pen", "green ink bottle", ""]
    model = TfIdf(texts)
    rows = model.matrix.toarray()
    scores = model.scores([np.array([0, 2]), np.array([3]), np.array([1])])
    centre = rows[0] + rows[2]
    assert np.allclose(scores[0], rows @ centre / np.linalg.norm(centre), atol=1e-6)
    assert not scores[1].any()
    assert np.allclose(scores[2], rows @ rows[1], atol=1e-6)
    assert scores.dtype == np.float32


def test_an_event_that_repeats_counts_twice() -> None:
    model = TfIdf(["red", "blue", "red blue"])
    once, twice = model.scores([np.array([0, 1]), np.array([0, 0, 1])])
    assert once[0] == once[1]
    assert twice[0] > twice[1]
