"""Refining: who is asked about what, and that mass moves among the known candidates only."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from pocketrec_distill.models.base import PADDING
from pocketrec_distill.models.floors import ItemItem
from pocketrec_distill.teachers import Context
from pocketrec_distill.teachers.refine import (
    Refined,
    Refiner,
    Say,
    fit_say,
    redistributed,
    spread,
)
from pocketrec_distill.teachers.users import KnownUsers
from pocketrec_distill.training.windows import training_windows

NAN = np.nan


def softmax(row: np.ndarray) -> np.ndarray:
    shares = np.exp(row - row.max())
    return shares / shares.sum()


def test_mass_moves_among_the_known_candidates_only() -> None:
    shares = np.array([[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.4, 0.1]])
    scores = np.log(shares).astype(np.float32) + 3
    candidates = np.array([[3, 0, 2], [2, PADDING, 1]], np.int32)
    logits = np.array([[0, np.log(3), NAN], [NAN, 5, 2]], np.float32)
    refined = redistributed(scores, candidates, logits, Say(0.0, 1.0))
    # Items 3 and 0 have 0.5 together: split 1 to 3. Item 2 was asked about and is not known.
    np.testing.assert_allclose(softmax(refined[0]), [0.375, 0.2, 0.3, 0.125], rtol=1e-5)
    np.testing.assert_allclose(refined[0, 1:3], scores[0, 1:3])
    # One known candidate alone has nothing to share with.
    np.testing.assert_allclose(refined[1], scores[1], rtol=1e-6)
    np.testing.assert_allclose(
        np.log(np.exp(refined).sum(axis=1)), np.log(np.exp(scores).sum(axis=1)), rtol=1e-5
    )


def test_both_opinions_are_weighed() -> None:
    scores = np.array([[1.0, 2.0, 9.0]], np.float32)
    candidates = np.array([[0, 1]], np.int32)
    logits = np.array([[4.0, 1.0]], np.float32)
    refined = redistributed(scores, candidates, logits, Say(0.5, 2.0))
    assert refined[0, 0] - refined[0, 1] == pytest.approx(0.5 * (1 - 2) + 2 * (4 - 1))
    assert refined[0, 2] == 9
    everything = redistributed(scores, candidates, logits, Say(1.0, 0.0))
    np.testing.assert_allclose(everything, scores, rtol=1e-6)


def test_no_candidate_changes_nothing() -> None:
    scores = np.array([[1.0, 2.0]], np.float32)
    none = np.full((1, 2), PADDING, np.int32)
    logits = np.full((1, 2), NAN, np.float32)
    np.testing.assert_array_equal(redistributed(scores, none, logits, Say()), scores)


def test_what_is_believed_is_what_predicts() -> None:
    rng = np.random.default_rng(0)
    scores, teacher = rng.normal(size=(2, 400, 6)).astype(np.float32)
    candidates = np.tile(np.arange(6, dtype=np.int32), (400, 1))
    # What comes next is drawn by 0.5 times the base and 2 times the teacher.
    wanted = 0.5 * scores + 2 * teacher
    targets = (wanted + rng.gumbel(size=wanted.shape)).argmax(axis=1)
    say = fit_say(scores, candidates, teacher, targets)
    assert say.base == pytest.approx(0.5, abs=0.2)
    assert say.own == pytest.approx(2.0, abs=0.4)
    # Rows whose target is not among the known candidates say nothing.
    hidden = np.where(np.arange(400)[:, None] % 2 == 0, NAN, teacher).astype(np.float32)
    half = fit_say(scores, candidates, hidden, targets)
    odd = fit_say(scores[1::2], candidates[1::2], teacher[1::2], targets[1::2])
    assert half == odd
    assert fit_say(scores[:9], candidates[:9], teacher[:9], targets[:9]) == Say()


@dataclass
class Asked:
    """Knows even items only, and writes down whom it is asked about."""

    contexts: list[Context] = field(default_factory=list)
    candidates: list[list[int]] = field(default_factory=list)

    def candidate_logits(self, contexts: Sequence[Context], candidates: np.ndarray) -> np.ndarray:
        self.contexts += contexts
        self.candidates += candidates.tolist()
        return np.where(candidates % 2 == 0, candidates, NAN).astype(np.float32)


@dataclass
class Proposing(Asked):
    """The same, with a favourite of its own."""

    def proposals(self, contexts: Sequence[Context], count: int) -> np.ndarray:
        row = [1, 4, PADDING][:count]
        return np.tile(np.array(row, np.int32), (len(contexts), 1))


WEIGHTS = np.arange(25, dtype=np.float32).reshape(5, 5)
BASE = ItemItem(WEIGHTS, np.arange(5), 5, decay=0.5)
HISTORIES = [np.array([0, 3], np.int32), np.array([2], np.int32)]
OWNERS = KnownUsers({h.tobytes(): (name, 4) for h, name in zip(HISTORIES, "pq", strict=True)})


def test_it_is_asked_about_the_best_unseen_items_of_the_base() -> None:
    teacher = Asked()
    refined = Refined(BASE, Refiner(teacher, 3, Say(1.0, 1.0)), OWNERS)
    scores = refined.scores(HISTORIES)
    assert teacher.candidates == [[4, 2, 1], [4, 3, 1]]
    assert [(c.user_id, c.events) for c in teacher.contexts] == [("p", 6), ("q", 5)]
    plain = BASE.scores(HISTORIES)
    # Of the second only item 4 is known.
    np.testing.assert_allclose(scores[1], plain[1], rtol=1e-6)
    np.testing.assert_array_equal(scores[0, [0, 1, 3]], plain[0, [0, 1, 3]])
    assert scores[0, 4] - scores[0, 2] == pytest.approx(plain[0, 4] - plain[0, 2] + 2)


def test_a_teacher_that_proposes_is_asked_about_its_own_too() -> None:
    teacher = Proposing()
    Refined(BASE, Refiner(teacher, 2)).scores(HISTORIES)
    assert teacher.candidates == [[4, 2, 1, PADDING], [4, 3, 1, PADDING]]


@pytest.mark.parametrize("newest", [1, 2])
def test_the_newest_positions_are_refined_in_their_rows(newest: int) -> None:
    teacher = Asked()
    sequences = [np.array([0, 3, 1], np.int32), np.array([2], np.int32), np.array([4, 1], np.int32)]
    refined = Refined(BASE, Refiner(teacher, 3, Say(0.0, 9.0)), newest=newest)
    found = refined.position_scores(sequences, 2)
    plain = BASE.position_scores(sequences, 2)
    assert found.shape == plain.shape == (5, 5)
    asked = [c.history.tolist() for c in teacher.contexts]
    everyone = [[0, 3], [0, 3, 1], [2], [4], [4, 1]]
    assert asked == (everyone if newest == 2 else [everyone[1], everyone[2], everyone[4]])
    for row, history in enumerate(everyone):
        alone = refined.scores([np.array(history, np.int32)])[0]
        same = np.allclose(found[row], alone)
        assert same if history in asked else np.array_equal(found[row], plain[row])


def test_a_share_of_the_sequences_is_asked_about() -> None:
    sequences = [np.array([n % 5, n // 5], np.int32) for n in range(25)]
    places = np.array([spread(sequence) for sequence in sequences])
    assert ((places >= 0) & (places < 1)).all()
    assert 0.3 < np.median(places) < 0.7
    teacher = Asked()
    Refined(BASE, Refiner(teacher, 3), share=0.4).position_scores(sequences, 1)
    wanted = [s.tolist() for s, place in zip(sequences, places, strict=True) if place < 0.4]
    assert [c.history.tolist() for c in teacher.contexts] == wanted
    assert 4 < len(wanted) < 16
    none = Refined(BASE, Refiner(Asked(), 3), share=0.0).position_scores(sequences, 1)
    np.testing.assert_array_equal(none, BASE.position_scores(sequences, 1))


def test_synthetic_histories_are_not_asked_about() -> None:
    teacher = Asked()
    strangers = [*HISTORIES, np.array([1, 4], np.int32)]
    refined = Refined(BASE, Refiner(teacher, 3), users=OWNERS)
    found = refined.position_scores(strangers, 1)
    assert [c.user_id for c in teacher.contexts] == ["p", "q"]
    np.testing.assert_array_equal(found[2], BASE.position_scores(strangers, 1)[2])


def test_a_window_of_training_knows_its_user_and_its_place() -> None:
    train = [np.array([5, 6, 7, 8, 9], np.int32), np.array([5, 6, 1], np.int32)]
    train += [np.array([3, 4], np.int32), np.array([3, 2], np.int32), np.array([1], np.int32)]
    asked = [(np.array([5, 6, 7, 8, 9, 1], np.int32), "a")]
    users = KnownUsers.of(train, ["a", "b", "c", "d", "e"], window=3, queries=asked)
    windows = [window[:-1] for window in training_windows(train, 3)]
    found = users.position_contexts(windows, 9)
    told = [[(c.user_id, c.events, c.history.tolist()) for c in one] for one in found]
    # Windows of three inputs from the newest on: 6 7 8 | 5; then 5 6. Of 3 c and d share all.
    assert told[0] == [("a", 2, [6]), ("a", 3, [6, 7]), ("a", 4, [6, 7, 8])]
    assert told[1] == [("a", 1, [5])]
    assert told[2] == [("b", 1, [5]), ("b", 2, [5, 6])]
    assert told[3] == told[4] == [("c", 1, [3])]
    (context,) = users.contexts([asked[0][0]])
    assert (context.user_id, context.events) == ("a", 6)
    (stranger,) = users.contexts([np.array([9, 9], np.int32)])
    assert (stranger.user_id, stranger.events) == ("", 2)
