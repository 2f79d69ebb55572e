"""The training loop: it learns what can be learned, keeps its best epoch, and is repeatable."""

import math
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.evaluation.queries import QuerySet
from pocketrec_distill.evaluation.ranking import evaluate
from pocketrec_distill.models import SequenceScorer, TowerShape
from pocketrec_distill.models.base import SequenceModel, Unseen
from pocketrec_distill.models.sasrec import SasRec
from pocketrec_distill.models.student import Student
from pocketrec_distill.training import TeacherLabels, TrainSettings, fit, loop, write_labels
from pocketrec_distill.training.loop import (
    COSINE_END,
    WARMUP_STEPS,
    Averaged,
    Examples,
    affordable_batch,
    batch_loss,
    step_batch,
    step_size,
)
from pocketrec_distill.training.losses import full_catalogue_kl, hard_label_loss

ITEMS, WINDOW = 12, 8
SHAPE = TowerShape(width=16, blocks=1, heads=2, kv_heads=1, hidden=24)
# 0 -> 1 -> ... -> 11 -> 0, from every start, in sequences of 2 to 7 events.
CYCLE = [
    ((start + np.arange(2 + start % 6)) % ITEMS).astype(np.int32) for start in range(ITEMS)
] * 4


NEXT = QuerySet(
    [((start + np.arange(4)) % ITEMS).astype(np.int32) for start in range(ITEMS)],
    (np.arange(ITEMS) + 4) % ITEMS,
)


def ndcg(model: SequenceModel) -> float:
    return float(evaluate(SequenceScorer(model, WINDOW), NEXT).ndcg.mean())


def student(seed: int = 0) -> Student:
    torch.manual_seed(seed)
    return Student(ITEMS, SHAPE, None, dropout=0.1)


def sasrec(seed: int = 0) -> SasRec:
    torch.manual_seed(seed)
    return SasRec(ITEMS, 16, 1, 2, WINDOW, 0.1)


def weights(model: SequenceModel) -> list[np.ndarray]:
    return [value.numpy().copy() for value in model.state_dict().values()]


def scripted(values: Sequence[float]) -> Callable[[SequenceModel], float]:
    """A validation that says `values`, one an epoch."""
    left = iter(values)
    return lambda _model: next(left)


class Leaping:
    """A teacher to which every second item comes next."""

    def position_scores(self, sequences: Sequence[np.ndarray], newest: int) -> np.ndarray:
        events = np.concatenate([sequence[-newest:] for sequence in sequences])
        return 8 * np.eye(ITEMS, dtype=np.float32)[(events + 2) % ITEMS]


@pytest.mark.parametrize("make", [student, sasrec])
def test_learns_a_cycle(make: Callable[[], SequenceModel]) -> None:
    model = make()
    assert ndcg(model) < 0.9
    settings = TrainSettings(epochs=40, patience=40, batch=8, learning_rate=1e-2)
    curve = fit(model, CYCLE, ndcg, settings)
    assert ndcg(model) == 1.0
    assert curve[-1].loss < 0.2 < curve[0].loss
    assert [epoch.epoch for epoch in curve] == list(range(1, 41))


def test_learns_from_labels_alone(tmp_path: Path) -> None:
    """The teacher leaves every second item out; the hard labels, which weigh nothing, do not."""
    write_labels(Leaping(), CYCLE, ITEMS, tmp_path, 1 << 20)
    model = student()
    settings = TrainSettings(
        epochs=30, patience=30, batch=8, learning_rate=1e-2, teacher_weight=1.0
    )
    labels = TeacherLabels.open(tmp_path)
    curve = fit(
        model, CYCLE, scripted([epoch / 30 for epoch in range(30)]), settings, labels=labels
    )
    assert curve[-1].loss < 0.1
    histories = [np.array([5], np.int32), np.array([9, 10], np.int32)]
    unseen = Unseen(SequenceScorer(model, WINDOW)).scores(histories)
    assert unseen.argmax(axis=1).tolist() == [7, 0]


def test_the_loss_mixes_hard_labels_and_teacher() -> None:
    model = student().eval()
    sequences = [np.array([3, 1, 4], np.int32), np.array([2, 7], np.int32)]
    rng = np.random.default_rng(0)
    # Sequence 0 has positions 0 and 1 but only the newest is labelled; sequence 1 has one.
    logits = rng.normal(size=(2, ITEMS)).astype(np.float16)
    labels = TeacherLabels(logits, np.array([0, 1, 2]))
    settings = TrainSettings(teacher_weight=0.25)
    with torch.inference_mode():
        examples = Examples(sequences, None, labels)
        found = batch_loss(model, examples, np.array([1, 0]), settings)
        table = model.item_vectors()
        of_0, of_1 = (model(table[None, events])[0] @ table.T for events in ([3, 1], [2]))
        hard = hard_label_loss(torch.cat((of_1, of_0)), torch.tensor([7, 1, 4]))
        teacher = torch.from_numpy(logits[[1, 0]].astype(np.float32))
        # What was seen is never recommended, and has no place in the distance.
        unseen = torch.stack((of_1[0], of_0[1])).clone()
        for scores in (unseen, teacher):
            scores[0, 2] = scores[1, [3, 1]] = -1e9
        kl = full_catalogue_kl(unseen, teacher)
    assert float(found) == pytest.approx(float(0.75 * hard + 0.25 * kl), rel=1e-5)
    with torch.inference_mode():
        examples = Examples(sequences, None, None)
        without = batch_loss(model, examples, np.array([1, 0]), settings)
    assert float(without) == pytest.approx(float(hard), rel=1e-5)


def test_a_synthetic_history_teaches_by_its_labels_alone() -> None:
    """Events of weight 0 are no targets, and do not make those of the real ones count more."""
    model = student().eval()
    sequences = [np.array([3, 1], np.int32), np.array([2, 7], np.int32)]
    weights = [np.ones(2, np.float32), np.zeros(2, np.float32)]
    logits = np.random.default_rng(0).normal(size=(2, ITEMS)).astype(np.float16)
    labels = TeacherLabels(logits, np.array([0, 1, 2]))
    settings = TrainSettings(teacher_weight=0.25)
    with torch.inference_mode():
        found = batch_loss(model, Examples(sequences, weights, labels), np.array([0, 1]), settings)
        table = model.item_vectors()
        scores = torch.cat([model(table[None, [item]])[0] @ table.T for item in (3, 2)])
        hard = hard_label_loss(scores[:1], torch.tensor([1]))
        unseen, teacher = scores.clone(), torch.from_numpy(logits.astype(np.float32))
        for rows in (unseen, teacher):
            rows[0, 3] = rows[1, 2] = -1e9
        kl = full_catalogue_kl(unseen, teacher)
        only = Examples(sequences[1:], weights[1:], None)
        nothing = batch_loss(model, only, np.array([0]), settings)
    assert float(found) == pytest.approx(float(0.75 * hard / 2 + 0.25 * kl), rel=1e-5)
    assert float(nothing) == 0.0


def test_a_cosine_ends_at_a_twentieth() -> None:
    share = step_size(TrainSettings(schedule="cosine"), 1000)
    assert share(0) == pytest.approx(1 / WARMUP_STEPS)
    assert share(500) == pytest.approx((1 + COSINE_END) / 2)
    assert share(1000) == share(2000) == pytest.approx(COSINE_END)
    assert step_size(TrainSettings(), 1000)(999) == 1.0


def test_long_histories_make_small_batches() -> None:
    """40 positions of 20 each are two sequences; short ones are held by the batch itself."""
    model, settings = student(), TrainSettings(batch=8, positions=40)
    assert step_batch(model, [21] * 100, settings) == 2
    assert step_batch(model, [3] * 100, settings) == 8
    assert step_batch(model, [400] * 100, settings) == 1
    assert step_batch(model, [21] * 100, TrainSettings(batch=8)) == 8


def test_events_count_with_their_weights() -> None:
    """After 0 comes 1 as often as 2, but bought and not only viewed: it ranks first."""
    sequences = [np.array([0, 1], np.int32), np.array([0, 2], np.int32)] * 8
    weights = [np.array([1, 5], np.float32), np.array([1, 1], np.float32)] * 8
    model = student()
    settings = TrainSettings(epochs=40, patience=40, learning_rate=1e-2, batch=16)
    steps = iter(range(40))  # each epoch validates better, so that the last one is kept
    fit(model, sequences, lambda _: float(next(steps)), settings, weights=weights)
    scores = torch.from_numpy(SequenceScorer(model, WINDOW).scores([np.array([0], np.int32)])[0])
    shares = torch.softmax(scores, dim=0)
    assert float(shares[1] / shares[2]) == pytest.approx(5.0, rel=0.3)


def test_target_weights_stand_in_the_order_of_targets() -> None:
    weights = [np.array([9, 1, 2], np.float32), np.array([8, 3], np.float32)]
    examples = Examples([np.zeros(3, np.int32), np.zeros(2, np.int32)], weights, None)
    found = examples.target_weights(np.array([1, 0]))
    assert found is not None
    assert found.tolist() == [3, 1, 2]


@pytest.mark.parametrize(
    ("batch", "length", "items", "expected"),
    # 40 million scores: 50 events of 8,000 items are 400,000 a sequence.
    [(64, 50, 8_000, 64), (128, 50, 8_000, 100), (64, 50, 50_000, 16), (64, 51, 10_000_000, 1)],
)
def test_a_step_stays_affordable(batch: int, length: int, items: int, expected: int) -> None:
    assert affordable_batch(batch, length, items) == expected


def test_a_pass_takes_as_many_positions_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[list[int]] = []

    def spy(model: SequenceModel, examples: Examples, indices: np.ndarray, *rest: object) -> object:
        taken.append(indices.tolist())
        return batch_loss(model, examples, indices, *rest)

    def scheduled(settings: TrainSettings, steps: int) -> object:
        planned.append(steps)
        return step_size(settings, steps)

    planned: list[int] = []
    monkeypatch.setattr(loop, "batch_loss", spy)
    monkeypatch.setattr(loop, "step_size", scheduled)
    settings = TrainSettings(epochs=2, patience=2, batch=4, pass_positions=35)  # 3.5 a sequence
    fit(student(), CYCLE, ndcg, settings)
    assert sorted(map(len, taken)) == [2, 2, 4, 4, 4, 4]
    assert planned == [len(taken)]
    first, second = (sorted(chain(*taken[at : at + 3])) for at in (0, 3))
    assert len(set(first)) == len(set(second)) == 10
    # Drawn anew each time.
    assert first != second


def test_is_left_at_its_best_epoch() -> None:
    seen: list[list[np.ndarray]] = []

    def validate(model: SequenceModel) -> float:
        seen.append(weights(model))
        return [0.1, 0.4, 0.3, 0.4, 0.2][len(seen) - 1]

    model = student()
    curve = fit(model, CYCLE, validate, TrainSettings(epochs=5, patience=5))
    assert [epoch.ndcg for epoch in curve] == [0.1, 0.4, 0.3, 0.4, 0.2]
    # The first of two equals.
    for kept, second, fourth in zip(weights(model), seen[1], seen[3], strict=True):
        np.testing.assert_array_equal(kept, second)
        assert not np.array_equal(kept, fourth)


def test_a_distilled_model_is_left_at_the_last_epoch_that_is_no_worse(tmp_path: Path) -> None:
    seen: list[list[np.ndarray]] = []
    noise = np.random.default_rng(0).normal(0, 0.3, (5, 400))
    # The standard error of a difference is .021.
    means = np.array([0.1, 0.4, 0.39, 0.385, 0.3])
    gains = means[:, None] + noise - noise.mean(axis=1, keepdims=True)

    def validate(model: SequenceModel) -> np.ndarray:
        seen.append(weights(model))
        return gains[len(seen) - 1]

    write_labels(Leaping(), CYCLE, ITEMS, tmp_path, 1 << 20)
    model = student()
    labels = TeacherLabels.open(tmp_path)
    curve = fit(model, CYCLE, validate, TrainSettings(epochs=5, patience=2), labels=labels)
    np.testing.assert_allclose([epoch.ndcg for epoch in curve], means)
    for kept, fourth in zip(weights(model), seen[3], strict=True):
        np.testing.assert_array_equal(kept, fourth)
    # Without a teacher's labels it is the best one, and patience counts from there.
    seen.clear()
    assert len(fit(student(), CYCLE, validate, TrainSettings(epochs=5, patience=2))) == 4


def test_the_curve_says_which_pass_is_kept() -> None:
    curve = fit(student(), CYCLE, scripted([0.1, 0.4, 0.3]), TrainSettings(epochs=3, patience=3))
    assert [epoch.kept for epoch in curve] == [False, True, False]


def test_without_validation_all_passes_are_made_and_the_last_is_kept() -> None:
    settings = TrainSettings(epochs=3, patience=1)
    rising, alone = student(), student()
    fit(rising, CYCLE, scripted([0.1, 0.2, 0.3]), settings)
    curve = fit(alone, CYCLE, None, settings)
    assert [(epoch.ndcg, epoch.kept) for epoch in curve] == [(0, False), (0, False), (0, True)]
    for one, other in zip(weights(rising), weights(alone), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("values", "patience", "epochs_run"),
    [
        ([0.3, 0.2, 0.1, 0.9], 1, 2),
        ([0.3, 0.2, 0.1, 0.9], 2, 3),
        ([0.3, 0.2, 0.4, 0.1, 0.1, 0.9], 2, 5),
        # Equal is not better.
        ([0.3, 0.3, 0.3, 0.9], 2, 3),
        ([0.0, 0.0, 0.0, 0.9], 2, 3),
    ],
)
def test_stops_when_patience_is_over(values: list[float], patience: int, epochs_run: int) -> None:
    settings = TrainSettings(epochs=len(values), patience=patience)
    assert len(fit(student(), CYCLE, scripted(values), settings)) == epochs_run


def test_a_seed_decides_everything() -> None:
    settings = TrainSettings(epochs=2, patience=2, seed=3)
    first, second, other = student(), student(), student()
    curve = fit(first, CYCLE, ndcg, settings)
    torch.manual_seed(99)
    assert fit(second, CYCLE, ndcg, settings) == curve
    assert fit(other, CYCLE, ndcg, TrainSettings(epochs=2, patience=2, seed=4)) != curve
    for a, b in zip(weights(first), weights(second), strict=True):
        np.testing.assert_array_equal(a, b)


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no user has two training events"):
        fit(student(), [], ndcg, TrainSettings())


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    model = student()
    with torch.no_grad():
        model.items.residual[3, 0] = math.nan
    with pytest.raises(ConfigError, match=r"toy: the loss is nan after epoch 1; lower learning"):
        fit(model, CYCLE, ndcg, TrainSettings(), name="toy")


def test_a_frozen_part_stays() -> None:
    model = student()
    model.norm.requires_grad_(False)
    fit(model, CYCLE, scripted([0.1, 0.2]), TrainSettings(epochs=2))
    assert torch.equal(model.norm.weight, torch.ones(16))
    assert not torch.equal(model.blocks[0].feed_norm.weight, torch.ones(16))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("patience", 0),
        ("batch", -1),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("pass_positions", -1),
        ("teacher_weight", 1.5),
        ("teacher_weight", -0.1),
        ("teacher_weight", math.nan),
    ],
)
def test_settings_out_of_bounds_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name} is"):
        TrainSettings(**{name: value})


def test_averaged_weights_are_validated_and_kept() -> None:
    """Two steps of decay 0.5: the mean is the start, then half way, then half way again."""
    model = student()
    averaged = Averaged(model, 0.5)
    with torch.no_grad():
        for value in (1.0, 3.0):
            for parameter in model.parameters():
                parameter.fill_(value)
            averaged.update()
    start = student().state_dict()
    with averaged.in_place():
        for name, value in model.state_dict().items():
            expected = ((start[name] + 1.0) / 2 + 3.0) / 2
            assert torch.allclose(value, expected, atol=1e-6), name
    assert all((value == 3.0).all() for value in model.state_dict().values())


def test_no_average_keeps_the_last_step() -> None:
    model = student()
    with Averaged(model, 0.0).in_place():
        assert all((a == b).all() for a, b in zip(weights(model), weights(student()), strict=True))


def test_fit_with_averages_learns_the_cycle() -> None:
    model = student()
    settings = TrainSettings(epochs=60, patience=60, batch=8, learning_rate=1e-2, average=0.9)
    curve = fit(model, CYCLE, ndcg, settings)
    best = max(epoch.ndcg for epoch in curve)
    assert best == 1.0
    assert ndcg(model) == best


@pytest.mark.parametrize(("schedule", "passes"), [("constant", 3), ("cosine", 6)])
def test_a_model_that_overfits_beyond_doubt_stops_where_steps_stay_large(
    schedule: str, passes: int
) -> None:
    gains = iter([np.full(9, value) for value in (0.9, 0.1, 0.1, 0.1, 0.1, 0.1)])
    settings = TrainSettings(epochs=6, patience=6, schedule=schedule)
    curve = fit(student(), CYCLE, lambda _model: next(gains), settings)
    assert len(curve) == passes
    assert [row.kept for row in curve] == [True] + [False] * (passes - 1)
