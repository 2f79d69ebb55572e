"""The choice among linear models: by validation, with text where text helps."""

from dataclasses import replace

import numpy as np
import pytest

from pocketrec_distill.evaluation.metrics import ndcg_at
from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.evaluation.ranking import evaluate
from pocketrec_distill.models.base import Scorer
from pocketrec_distill.models.floors import ItemItem
from pocketrec_distill.pipeline import linear
from pocketrec_distill.pipeline.dataset import Dataset, aged
from pocketrec_distill.pipeline.linear import REGULARIZATION, LinearChoice, LinearModels

from .making import made_dataset

ITEMS = 40


def dataset(texts: list[str]) -> Dataset:
    """Users stay in their group of four items; each has seen two and is asked for a third."""
    rng = np.random.default_rng(0)
    groups = [rng.permutation(4) + 4 * group for group in range(10) for _ in range(2)]
    histories = [np.array(group[:2], np.int32) for group in groups]
    targets = np.array([group[2] for group in groups], np.int64)
    return made_dataset(texts, histories, QuerySet(histories, targets))


def ndcg_of(data: Dataset, scorer: Scorer) -> float:
    return float(ndcg_at(evaluate(scorer, data.validation).ranks).mean())


@pytest.fixture
def told() -> Dataset:
    return dataset([f"group{item // 4} number{item}" for item in range(ITEMS)])


def test_text_is_taken_where_it_helps(told: Dataset) -> None:
    chosen = LinearModels(told).choose(lambda scorer: ndcg_of(told, scorer))
    assert chosen["linear"]["text"] > 0
    assert chosen["linear"]["ndcg"] > chosen["ease"]["ndcg"]


def test_text_that_says_nothing_is_left_out() -> None:
    data = dataset([f"word{item}" for item in range(ITEMS)])
    chosen = LinearModels(data).choose(lambda scorer: ndcg_of(data, scorer))
    assert chosen["linear"]["text"] == 0


def test_the_floor_is_plain_ease(told: Dataset) -> None:
    chosen = LinearModels(told).choose(lambda scorer: ndcg_of(told, scorer))
    assert (chosen["ease"]["text"], chosen["ease"]["decay"]) == (0.0, 1.0)
    plain = [c for c in chosen["validation"] if c["text"] == 0 and c["decay"] == 1]
    assert chosen["ease"]["ndcg"] == max(c["ndcg"] for c in plain)


def test_a_choice_makes_the_model_that_was_measured(told: Dataset) -> None:
    models = LinearModels(told)
    choice = LinearChoice(**models.choose(lambda scorer: ndcg_of(told, scorer))["linear"])
    model = models.model(choice)
    assert isinstance(model, ItemItem)
    assert ndcg_of(told, model) == choice.ndcg


def test_fewer_directions_where_they_rank_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten groups are nine directions and one; chance in the histories is all the others."""
    data = dataset([f"word{item}" for item in range(ITEMS)])
    rng = np.random.default_rng(1)
    noisy = [
        np.append(history, rng.integers(0, ITEMS, 2)).astype(np.int32) for history in data.train
    ]
    data = replace(data, train=noisy)
    monkeypatch.setattr(linear, "RANKS", (4, 10, 30))
    models = LinearModels(data)
    tried = models.choose(lambda scorer: ndcg_of(data, scorer))
    ranked = {c["rank"]: c["ndcg"] for c in tried["validation"] if c["rank"] and not c["even"]}
    assert sorted(ranked) == [4, 10], "30 of 40 directions are no truncation"
    assert tried["linear"]["rank"] == 10
    assert tried["ease"]["rank"] == 0, "the floor is EASE as published"
    assert ndcg_of(data, models.model(LinearChoice(**tried["linear"]))) == ranked[10]


def in_season() -> Dataset:
    """Item 1 stood beside item 0 long ago, item 2 does now; whoever has 0 next chooses 2."""
    old = [np.array([0, 1], np.int32)] * 6
    new = [np.array([0, 2], np.int32)] * 3
    others = [np.array([3 + i % 5, 8 + i % 7], np.int32) for i in range(8)]
    train = [*old, *new, *others]
    ages = [np.full(2, 0.9, np.float32)] * 6 + [np.full(2, 0.01, np.float32)] * 3
    ages += [np.full(2, 0.5, np.float32)] * 8
    queries = QuerySet([np.array([0], np.int32)] * 4, np.array([2] * 4))
    data = dataset([f"word{item}" for item in range(ITEMS)])
    weights = [np.ones(2, np.float32)] * len(train)
    return replace(
        data, train=train, train_weights=weights, validation=queries, test=queries, train_ages=ages
    )


def test_what_is_in_season_counts_more_where_it_helps() -> None:
    data = in_season()
    chosen = LinearModels(data).choose(lambda scorer: ndcg_of(data, scorer))
    assert chosen["linear"]["fade"] > 0
    assert chosen["linear"]["ndcg"] == 1.0
    assert chosen["ease"]["ndcg"] < 1.0
    assert chosen["ease"]["fade"] == 0, "the floor is EASE as published"
    model = LinearModels(data).model(LinearChoice(**chosen["linear"]))
    assert ndcg_of(data, model) == 1.0


def test_without_times_no_season_is_tried() -> None:
    data = replace(in_season(), train_ages=())
    chosen = LinearModels(data).choose(lambda scorer: ndcg_of(data, scorer))
    assert {choice["fade"] for choice in chosen["validation"]} == {0.0}


def test_a_faded_model_by_the_closed_form() -> None:
    """Events of half their weight are entries of a half; behaviour counts as much as without."""
    data = in_season()
    found = LinearModels(data).model(LinearChoice(0.0, regularization=2.0, fade=0.25)).weights
    seen = np.zeros((len(data.train), ITEMS))
    for row, (history, ages) in enumerate(zip(data.train, data.train_ages, strict=True)):
        seen[row, history] = 0.5 ** (ages / 0.25)
    plain = (seen > 0).astype(float)
    gram = seen.T @ seen * (np.trace(plain.T @ plain) / np.trace(seen.T @ seen))
    inverse = np.linalg.inv(gram + 2 * np.eye(ITEMS))
    expected = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_even_model_by_the_closed_form() -> None:
    """With `even` 1 every user counts as much as another, however long the history is."""
    data = dataset([f"word{item}" for item in range(ITEMS)])
    train = [*data.train, np.arange(16, dtype=np.int32)]
    data = replace(data, train=train, train_weights=[np.ones(len(h), np.float32) for h in train])
    seen = np.zeros((len(train), ITEMS))
    for row, history in enumerate(train):
        seen[row, history] = len(history) ** -0.5
    gram = seen.T @ seen
    assert np.trace(gram) == pytest.approx(len(train))
    gram *= sum(map(len, train)) / np.trace(gram)
    inverse = np.linalg.inv(gram + 2 * np.eye(ITEMS))
    expected = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(expected, 0)
    found = LinearModels(data).model(LinearChoice(0.0, regularization=2.0, even=1.0)).weights
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_long_histories_count_less_where_that_ranks_better(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shops have items 0 and 2 and ten others; a third as many users have 0 and 1 alone."""
    monkeypatch.setattr(linear, "REGULARIZATION", (100.0,))
    data = dataset([f"word{item}" for item in range(ITEMS)])
    rng = np.random.default_rng(3)
    shops = [np.append([0, 2], rng.permutation(np.arange(3, ITEMS))[:10]) for _ in range(12)]
    train = [*(shop.astype(np.int32) for shop in shops), *[np.array([0, 1], np.int32)] * 4]
    queries = QuerySet([np.array([0], np.int32)] * 4, np.array([1] * 4))
    data = replace(
        data,
        train=train,
        train_weights=[np.ones(len(history), np.float32) for history in train],
        validation=queries,
        test=queries,
    )
    chosen = LinearModels(data).choose(lambda scorer: ndcg_of(data, scorer))
    assert chosen["linear"]["even"] > 0
    assert chosen["linear"]["ndcg"] > chosen["ease"]["ndcg"]
    assert chosen["ease"]["even"] == 0, "the floor is EASE as published"


def test_a_season_that_is_over_before_the_test_is_not_taken() -> None:
    """Without the events of the last tenth of the time nobody has chosen item 2."""
    data = replace(in_season(), shelf=0.1)
    chosen = LinearModels(data).choose(lambda scorer: ndcg_of(data, scorer))
    assert chosen["linear"]["fade"] == 0


def test_ages_are_shares_of_the_time_that_training_spans() -> None:
    times = [np.array([10.0, 20.0]), np.array([15.0, 50.0])]
    data = aged(in_season(), times, gap=4.0)
    np.testing.assert_allclose(np.stack(data.train_ages), [[1.0, 0.75], [0.875, 0.0]])
    assert data.shelf == 0.1
    at_once = aged(in_season(), [np.array([7.0, 7.0])], gap=4.0)
    assert at_once.train_ages[0].tolist() == [0.0, 0.0]
    assert at_once.shelf == 0


def test_vectors_are_of_items_that_somebody_chose() -> None:
    data = in_season()
    models = LinearModels(data)
    found = models.vectors(LinearChoice(0.0, regularization=2.0, rank=4), width=50)
    chosen = sorted({item for history in data.train for item in history.tolist()})
    assert np.flatnonzero(found.known).tolist() == chosen
    assert found.vectors.shape == (ITEMS, 50)
    assert not found.vectors[:, ITEMS:].any(), "no more directions than items"
    # The pair of the whole spectrum's positive part: items chosen together point the same way.
    assert found.vectors[0] @ found.vectors[2] > 0.1 > found.vectors[0] @ found.vectors[3]


def test_texts_give_vectors_to_items_that_nobody_chose(told: Dataset) -> None:
    """The first item is left out of every history: its text says that it is like its group."""
    kept = [history[history != 0] for history in told.train]
    data = replace(
        told,
        train=kept,
        train_weights=[np.ones(len(history), np.float32) for history in kept],
        train_ages=[np.zeros(len(history)) for history in kept],
    )
    models = LinearModels(data)
    deaf = models.vectors(LinearChoice(0.0, regularization=2.0), width=ITEMS)
    assert not deaf.known[0]
    found = models.vectors(LinearChoice(0.0, regularization=2.0, text=2.0), width=ITEMS)
    assert found.known.all()
    likeness = found.vectors @ found.vectors[0]
    assert likeness[1:4].min() > 2 * np.abs(likeness[4:]).max()


def test_other_ages_are_another_stage() -> None:
    data = in_season()
    later = replace(data, train_ages=[ages / 2 for ages in data.train_ages])
    assert linear.linear_key(data) != linear.linear_key(later)
    assert linear.linear_key(data) != linear.linear_key(replace(data, shelf=0.1))
    more = replace(data.validation, following=[np.array([2, 3], np.int32)] * 4)
    assert linear.linear_key(data) != linear.linear_key(replace(data, validation=more))
    assert data.fingerprint == later.fingerprint, "nothing else reads them"


def test_text_and_behaviour_by_the_closed_form(told: Dataset) -> None:
    """B = I - P / diag(P) with P the inverse of behaviour + text + regularisation."""
    models = LinearModels(told)
    found = models.model(LinearChoice(0.0, regularization=3.0, text=2.0)).weights
    seen = np.zeros((len(told.train), ITEMS))
    for row, history in enumerate(told.train):
        seen[row, history] = 1
    words = np.zeros((ITEMS, ITEMS))
    for first in range(ITEMS):
        for second in range(ITEMS):
            words[first, second] = _cosine(first, second)
    inverse = np.linalg.inv(seen.T @ seen + 2 * words + 3 * np.eye(ITEMS))
    expected = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def _cosine(first: int, second: int) -> float:
    """Two words each: the group stands in 4 texts of 40, the number in one."""
    group, number = np.log(41 / 5) + 1, np.log(41 / 2) + 1
    length = group**2 + number**2
    if first == second:
        return 1.0
    return group**2 / length if first // 4 == second // 4 else 0.0


@pytest.mark.parametrize(("wanted", "found"), [(30.0, 30.0), (2_500.0, 3_000.0), (1e9, 81_000.0)])
def test_the_grid_grows_while_its_end_is_best(
    told: Dataset, monkeypatch: pytest.MonkeyPatch, wanted: float, found: float
) -> None:
    def tried(
        _models: object, _ndcg: object, choice: LinearChoice, *_since: float
    ) -> list[LinearChoice]:
        return [replace(choice, ndcg=1 / (1 + abs(choice.regularization - wanted)))]

    monkeypatch.setattr(LinearModels, "_tried", tried)
    chosen = LinearModels(told).choose(lambda scorer: ndcg_of(told, scorer))
    assert chosen["ease"]["regularization"] == found
    last = max(c["regularization"] for c in chosen["validation"] if not c["even"])
    assert last == max(REGULARIZATION[-1], min(3 * found, 81_000.0)), "no further than it pays"
