"""Ranking with a sequence model: padding, windows, batches, positions; and SASRec."""

import numpy as np
import pytest
import torch
from torch import Tensor

from pocketrec_distill.models import SequenceScorer, TowerShape
from pocketrec_distill.models.base import PADDING, Remembering, SequenceModel, pad
from pocketrec_distill.models.read_once import ReadOnce
from pocketrec_distill.models.sasrec import SasRec
from pocketrec_distill.models.student import Student

ITEMS, WINDOW = 11, 6
LENGTHS = (1, 6, 3, 9, 2)


class RunningSum(SequenceModel):
    """The user vector is the sum of the item vectors so far; item i's vector is [2^i, 1]."""

    def item_vectors(self) -> Tensor:
        return torch.tensor([[2.0**item, 1.0] for item in range(ITEMS)])

    def forward(self, item_vectors: Tensor) -> Tensor:
        return item_vectors.cumsum(dim=1)


def histories() -> list[np.ndarray]:
    rng = np.random.default_rng(8)
    return [rng.integers(0, ITEMS, length).astype(np.int32) for length in LENGTHS]


def models() -> list[SequenceModel]:
    torch.manual_seed(4)
    student = Student(ITEMS, TowerShape(width=16, blocks=2, heads=2, kv_heads=1, hidden=24), None)
    sasrec = SasRec(ITEMS, 16, 2, 2, WINDOW, 0.2)
    for model in (student, sasrec):
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.3)
    return [student, sasrec]


@pytest.fixture(params=[0, 1], ids=["student", "sasrec"])
def model(request: pytest.FixtureRequest) -> SequenceModel:
    return models()[request.param]


def test_pad_goes_right() -> None:
    rows = pad([np.array([3, 0], np.int32), np.array([1, 2, 4], np.int32)])
    assert rows.dtype == torch.int64
    assert rows.tolist() == [[3, 0, PADDING], [1, 2, 4]]


def test_scores_by_hand() -> None:
    scorer = SequenceScorer(RunningSum(), window=2)
    scores = scorer.scores([np.array([9, 0, 1], np.int32), np.array([2], np.int32)])
    # The newest two of the first: [1, 1] + [2, 1] = [3, 2]; the second is [4, 1].
    powers = 2.0 ** np.arange(ITEMS)
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, [3 * powers + 2, 4 * powers + 1])


def test_user_vectors_by_hand() -> None:
    asked = [np.array(events, np.int32) for events in ([9, 0, 1], [2], [5, 3])]
    for batch in (1, 2, 3):
        users = SequenceScorer(RunningSum(), window=2, batch=batch).user_vectors(asked)
        # The newest two of the first: [1, 1] + [2, 1].
        assert users.dtype == np.float32
        assert users.tolist() == [[3, 2], [4, 1], [40, 2]]
    assert SequenceScorer(RunningSum(), window=2).user_vectors([]).shape == (0, 2)


def test_a_batch_with_padding_equals_one_by_one(model: SequenceModel) -> None:
    together = SequenceScorer(model, WINDOW).scores(histories())
    small = SequenceScorer(model, WINDOW, batch=2).scores(histories())
    alone = [SequenceScorer(model, WINDOW).scores([history])[0] for history in histories()]
    print(f"padding: max {np.abs(together - alone).max():.2e}")  # noqa: T201  (says how close)
    np.testing.assert_allclose(together, alone, atol=1e-4)
    np.testing.assert_allclose(small, alone, atol=1e-4)


class Counting:
    """Answers with the number of times that it was asked."""

    asked = 0

    def scores(self, histories: list[np.ndarray]) -> np.ndarray:
        self.asked += 1
        return np.full((len(histories), 2), self.asked, np.float32)

    def position_scores(self, sequences: list[np.ndarray], newest: int) -> np.ndarray:
        return self.scores(sequences) + 10 * newest


def test_the_last_answer_is_remembered_and_no_other() -> None:
    scorer, asked = Remembering(Counting()), histories()
    assert [scorer.scores(asked)[0, 0] for _ in range(2)] == [1, 1]
    assert [scorer.position_scores(asked, 3)[0, 0] for _ in range(2)] == [32, 32]
    # Another number of positions, the same histories in another list, and scores once more.
    assert scorer.position_scores(asked, 2)[0, 0] == 23
    assert scorer.position_scores(list(asked), 2)[0, 0] == 24
    assert scorer.scores(asked)[0, 0] == 5


class Listed(RunningSum):
    """Keeps how many histories it was given at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[int] = []

    def forward(self, item_vectors: Tensor) -> Tensor:
        self.given.append(len(item_vectors))
        return super().forward(item_vectors)


def test_what_was_read_is_not_read_again() -> None:
    model, asked = Listed(), [*histories(), histories()[0]]
    first = ReadOnce(model, WINDOW).scores(asked)
    assert model.given == [len(LENGTHS)]  # the last stands there already
    again = ReadOnce(model, WINDOW).scores(asked[::-1])
    assert sum(model.given) == len(LENGTHS)
    np.testing.assert_array_equal(again, first[::-1])
    np.testing.assert_array_equal(first, SequenceScorer(RunningSum(), WINDOW).scores(asked))
    # Another model has read nothing.
    other = Listed()
    ReadOnce(other, WINDOW).scores(asked)
    assert other.given == [len(LENGTHS)]


def test_histories_are_told_apart_by_the_vectors_read() -> None:
    def fill(vectors: Tensor) -> Tensor:
        return vectors.index_copy(0, torch.tensor([3]), torch.tensor([[100.0, 1.0]]))

    model = Listed()
    asked = [np.array([3, 5], np.int32), np.array([5], np.int32)]
    ReadOnce(model, WINDOW).scores(asked)
    filled = ReadOnce(model, WINDOW, fill=fill).scores(asked)
    assert model.given == [2, 1]  # only the one that item 3 stands in
    expected = SequenceScorer(RunningSum(), WINDOW, fill=fill).scores(asked)
    np.testing.assert_array_equal(filled, expected)


def test_a_model_that_learned_reads_again(model: SequenceModel) -> None:
    before = ReadOnce(model, WINDOW).scores(histories())
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    table = model.item_vectors()
    newest = [history[-WINDOW:] for history in histories()]
    (model(table[pad(newest).clamp_min(0)]) @ table.T).logsumexp(dim=-1).mean().backward()
    optimiser.step()
    after = ReadOnce(model, WINDOW).scores(histories())
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after, SequenceScorer(model, WINDOW).scores(histories()), atol=1e-5)


def test_scores_use_the_window_and_no_more(model: SequenceModel) -> None:
    scorer = SequenceScorer(model, WINDOW)
    long = np.arange(9, dtype=np.int32)
    np.testing.assert_array_equal(scorer.scores([long]), scorer.scores([long[-WINDOW:]]))
    assert not np.allclose(scorer.scores([long]), scorer.scores([long[-WINDOW + 1 :]]))


@pytest.mark.parametrize("newest", [1, 2, 50])
def test_position_scores_are_the_scores_of_each_prefix(model: SequenceModel, newest: int) -> None:
    scorer = SequenceScorer(model, WINDOW)
    sequences = [history[:WINDOW] for history in histories()]
    prefixes = [
        sequence[: end + 1]
        for sequence in sequences
        for end in range(max(0, len(sequence) - newest), len(sequence))
    ]
    scores = scorer.position_scores(sequences, newest)
    assert scores.shape == (len(prefixes), ITEMS)
    np.testing.assert_allclose(scores, scorer.scores(prefixes), atol=1e-4)


def test_dropout_is_off_while_scoring(model: SequenceModel) -> None:
    model.train()
    scorer = SequenceScorer(model, WINDOW)
    np.testing.assert_array_equal(scorer.scores(histories()), scorer.scores(histories()))


def test_recommend_is_the_best_unseen() -> None:
    scorer = SequenceScorer(RunningSum(), window=3)
    # Scores grow with the item: 10 is the best, 9 was seen.
    assert scorer.recommend(np.array([9, 1], np.int32), 3).tolist() == [10, 8, 7]


@torch.inference_mode()
def test_sasrec_is_causal() -> None:
    model = models()[1].eval()
    events = torch.randn(2, WINDOW, 16)
    other = events.clone()
    # Not one shift of all dimensions, which a layer norm would take out again.
    other[:, 4:] += torch.randn(2, 2, 16)
    before, after = model(events), model(other)
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert (before[:, 4:] - after[:, 4:]).abs().amax(dim=-1).min() > 1e-2


@torch.inference_mode()
def test_sasrec_knows_positions() -> None:
    model = models()[1].eval()
    events = torch.randn(1, 1, 16).repeat(1, 3, 1)
    users = model(events)
    assert (users[:, 0] - users[:, 2]).abs().max() > 1e-2


def test_sasrec_ties_its_output_to_its_input() -> None:
    model = SasRec(ITEMS, 16, 2, 2, WINDOW, 0.2)
    assert model.item_vectors() is model.ids
    assert sum(p.shape == (ITEMS, 16) for p in model.parameters()) == 1


def test_batches_of_similar_lengths_keep_the_order_of_sequences() -> None:
    """Lengths 4, 1 and 3 in batches of one and of two: rows stand sequence by sequence."""
    torch.manual_seed(0)
    model = Student(9, TowerShape(8, 1, 2, 1, 8), None, dropout=0.0)
    sequences = [np.array(events, np.int32) for events in ([0, 1, 2, 3], [4], [5, 6, 7])]
    together = SequenceScorer(model, 4).position_scores(sequences, 2)
    assert together.shape == (5, 9)
    for batch in (1, 2):
        found = SequenceScorer(model, 4, batch).position_scores(sequences, 2)
        np.testing.assert_allclose(found, together, atol=1e-5)
    last = SequenceScorer(model, 4).scores(sequences)
    np.testing.assert_allclose(together[[1, 2, 4]], last, atol=1e-5)
