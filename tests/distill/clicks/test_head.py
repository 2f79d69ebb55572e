"""The click head: its loss by hand, what it learns, and what the penalties hold back."""

import numpy as np
import pytest
import torch

from pocketrec_distill.clicks.crossfit import cross_fit
from pocketrec_distill.clicks.head import (
    ClickHead,
    ClickRows,
    Penalties,
    among_shown,
    fit_head,
    folds_of,
)
from pocketrec_distill.errors import ConfigError
from pocketrec_distill.evaluation.pointwise import auc, group_auc

FREE, HELD = Penalties(0.1, 0.1), Penalties(1e6, 1e6)


def rows_of(count: int, twist: bool, seed: int = 0) -> ClickRows:
    """Readers of one of two directions; they click their own, or with `twist` the other one."""
    rng = np.random.default_rng(seed)
    eye = np.eye(4, dtype=np.float32)
    means, shown, labels = [], [], []
    for at in range(count):
        own = at % 2
        means.append(eye[own])
        for direction in rng.permutation(2):
            noise = rng.normal(0, 0.05, 4).astype(np.float32)
            shown.append(eye[direction] + noise)
            labels.append(float((direction == own) != twist))
    impression = np.repeat(np.arange(count), 2)
    return ClickRows(np.stack(means), np.stack(shown), impression, np.array(labels, np.float32))


def test_cross_entropy_among_shown_by_hand() -> None:
    scores = torch.tensor([1.0, 3.0, 2.0, 5.0, 9.0])
    labels = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0])
    impression = torch.tensor([0, 0, 1, 2, 2])
    counted = torch.tensor([True, True, False, True, True])
    expected = np.log(np.exp(1) + np.exp(3)) - 1 + np.log(np.exp(5) + np.exp(9)) - 5
    found = float(among_shown(scores, labels, impression, counted))
    assert found == pytest.approx(expected, rel=1e-6)


def test_a_held_head_is_the_encoders_own_similarity() -> None:
    head = fit_head(rows_of(40, twist=False), HELD)
    assert head.scale > 1
    assert np.abs(head.metric).max() < 1e-3
    assert np.abs(head.taste).max() < 1e-3
    other = rows_of(40, twist=False, seed=1)
    assert auc(head.scores(other), other.labels) == 1.0


def test_a_free_head_learns_what_similarity_cannot_say() -> None:
    """Readers who click the opposite of what they read: only the metric can turn that round."""
    train, test = rows_of(60, twist=True), rows_of(40, twist=True, seed=1)
    assert auc(fit_head(train, FREE).scores(test), test.labels) == 1.0
    # Between held and free lies the sign of the scale alone.
    assert abs(fit_head(train, HELD).metric).max() < 1e-3


def test_taste_learns_what_everybody_clicks() -> None:
    rng = np.random.default_rng(4)
    candidates = rng.normal(size=(400, 4)).astype(np.float32)
    labels = (candidates[:, 2] > 0).astype(np.float32)
    rows = ClickRows(np.zeros((400, 4), np.float32), candidates, np.arange(400), labels)
    head = fit_head(rows, FREE)
    assert int(np.argmax(head.taste)) == 2
    assert auc(head.scores(rows), labels) > 0.98


def test_scores_are_those_of_the_formula() -> None:
    metric = np.arange(4, dtype=np.float32).reshape(2, 2)
    head = ClickHead(2.0, metric, np.array([0.5, -1.0], np.float32), 0.25)
    rows = ClickRows(
        np.array([[1, 2]], np.float32), np.array([[3, 1]], np.float32), np.array([0]), np.ones(1)
    )
    # mean @ metric = (1*0 + 2*2, 1*1 + 2*3) = (4, 7); user = 2 * (5, 9) + (.5, -1) = (10.5, 17).
    assert head.scores(rows).tolist() == [10.5 * 3 + 17 + 0.25]


def test_a_teacher_pulls_the_student_to_its_probabilities() -> None:
    rows = rows_of(40, twist=False)
    teacher = np.full(len(rows.labels), 3.0, np.float32)
    alone = fit_head(rows, HELD)
    taught = fit_head(rows, HELD, teacher_scores=teacher, teacher_weight=0.9)
    assert taught.scores(rows).mean() > alone.scores(rows).mean() + 0.5
    same = fit_head(rows, HELD, teacher_scores=teacher, teacher_weight=0.0)
    assert same.scores(rows) == pytest.approx(alone.scores(rows), abs=1e-3)


def test_taking_impressions_keeps_their_rows_together() -> None:
    rows = ClickRows(
        np.arange(6, dtype=np.float32).reshape(3, 2),
        np.arange(12, dtype=np.float32).reshape(6, 2),
        np.array([0, 1, 1, 1, 2, 2]),
        np.array([1, 0, 1, 0, 0, 0], np.float32),
    )
    taken = rows.take(np.array([2, 1]))
    assert taken.means.tolist() == [[4, 5], [2, 3]]
    assert taken.impression.tolist() == [0, 0, 1, 1, 1]
    assert taken.candidates[:, 0].tolist() == [8, 10, 2, 4, 6]
    assert rows.both_labels.tolist() == [False, True, False]


def test_folds_keep_a_user_together_and_are_even() -> None:
    users = ["a", "b", "a", "c", "d", "b", "e", "f"]
    folds = folds_of(users, 3)
    assert folds.tolist() == [0, 0, 0, 1, 1, 0, 2, 2]
    with pytest.raises(ConfigError, match="2 users cannot be cut into"):
        folds_of(["a", "b", "a"], 3)


def test_cross_fit_chooses_freedom_only_where_it_helps() -> None:
    users = [f"u{at}" for at in range(60)]
    twisted = rows_of(60, twist=True)
    fit = cross_fit(twisted, twisted, users, folds=3, teacher_weight=0.5)
    assert fit.penalties.metric < 1e6 or fit.figures["group_auc"] == 1.0
    assert fit.figures["group_auc"] > 0.95
    assert group_auc(fit.scores, twisted.labels, twisted.impression).mean == pytest.approx(
        fit.figures["group_auc"]
    )
    assert len(fit.tried) == 6


def test_no_rows_are_refused() -> None:
    empty = ClickRows(*(np.empty((0, 2), np.float32),) * 2, np.empty(0, int), np.empty(0))
    with pytest.raises(ConfigError, match="no candidate"):
        fit_head(empty, FREE)
