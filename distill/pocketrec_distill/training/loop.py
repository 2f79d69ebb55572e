"""The training loop: full-catalogue losses at every position, early stopping on validation."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models.base import PADDING, History, SequenceModel, pad
from pocketrec_distill.progress import progress
from pocketrec_distill.training.labels import TeacherLabels
from pocketrec_distill.training.losses import full_catalogue_kl, hard_label_loss
from pocketrec_distill.training.windows import shuffled_batches

GRADIENT_NORM = 1.0
WARMUP_STEPS = 20
# Scores of one step, positions times items: 160 MB each for logits, softmax and gradients.
MAX_STEP_SCORES = 40_000_000


@dataclass(frozen=True)
class TrainSettings:
    """How one model is trained.

    Attributes:
        epochs: Most passes over the data.
        patience: Passes without a better validation NDCG@10 before training stops.
        batch: Sequences per step.
        learning_rate: AdamW's step size after a short linear warm-up.
        weight_decay: AdamW's decay of matrices.
        teacher_weight: Share of the teacher's KL in the loss, 0 to 1; the rest is hard labels.
        temperature: Softens teacher and student in the KL.
        sequences: Most sequences in one pass, drawn anew each time; 0 takes all.
        average: Decay per step of a running average of the weights, which is what is validated
            and kept (Polyak and Juditsky, 1992); 0 keeps the weights of the last step.
        seed: Of shuffling and dropout.
    """

    epochs: int = 60
    patience: int = 6
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    teacher_weight: float = 0.9
    temperature: float = 1.0
    sequences: int = 0
    average: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "batch", "learning_rate", "temperature"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be above 0")
        if self.sequences < 0:
            raise ConfigError(f"sequences is {self.sequences}; give 0 for all, or a limit above 0")
        if not 0 <= self.average < 1:
            raise ConfigError(f"average is {self.average}; it must be at least 0 and below 1")
        if not 0 <= self.teacher_weight <= 1:
            raise ConfigError(f"teacher_weight is {self.teacher_weight}; it must be in 0 to 1")


@dataclass(frozen=True)
class Epoch:
    """One pass over the data: number from 1, mean training loss, validation NDCG@10."""

    epoch: int
    loss: float
    ndcg: float

    def as_dict(self) -> dict[str, float]:
        """The form that stands in reports."""
        return asdict(self)


@dataclass(frozen=True)
class Examples:
    """What a model is trained on: sequences, and what stands beside their events."""

    sequences: Sequence[History]
    weights: Sequence[NDArray[np.float32]] | None
    labels: TeacherLabels | None

    def target_weights(self, indices: NDArray[np.int64]) -> Tensor | None:
        """Weights of the targets of some sequences, one after the other; None where all are 1."""
        if self.weights is None:
            return None
        return torch.from_numpy(np.concatenate([self.weights[index][1:] for index in indices]))


def batch_loss(
    model: SequenceModel,
    examples: Examples,
    indices: NDArray[np.int64],
    settings: TrainSettings,
) -> Tensor:
    """Loss of one batch: hard labels, mixed with the teacher's KL where there are labels."""
    labels = examples.labels
    events = pad([examples.sequences[index] for index in indices])
    inputs, targets = events[:, :-1], events[:, 1:]
    known = targets != PADDING
    table = model.item_vectors()
    users = model(table[inputs.clamp_min(0)])
    logits = users[known] @ table.T
    loss = hard_label_loss(logits, targets[known], examples.target_weights(indices))
    if labels is None or settings.teacher_weight == 0:
        return loss
    labelled, teacher_logits = labels.batch(indices, known.sum(dim=1))
    if not len(teacher_logits):
        return loss
    distance = full_catalogue_kl(logits[labelled[known]], teacher_logits, settings.temperature)
    return (1 - settings.teacher_weight) * loss + settings.teacher_weight * distance


def _train_epoch(
    model: SequenceModel,
    optimiser: torch.optim.Optimizer,
    warmup: torch.optim.lr_scheduler.LRScheduler,
    examples: Examples,
    *,
    averaged: "Averaged",
    settings: TrainSettings,
    rng: np.random.Generator,
    name: str,
) -> float:
    """One pass over the data; returns the mean loss."""
    model.train()
    losses = []
    lengths = [len(sequence) for sequence in examples.sequences]
    batch = affordable_batch(settings.batch, max(lengths), items=len(model.item_vectors()))
    batches = list(shuffled_batches(lengths, batch, rng, settings.sequences))
    for indices in progress(batches, label=name, unit="batch"):
        loss = batch_loss(model, examples, indices, settings)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_NORM)
        optimiser.step()
        warmup.step()
        averaged.update()
        losses.append(float(loss.detach()))
    return float(np.mean(losses))


def affordable_batch(batch: int, length: int, items: int) -> int:
    """Sequences per step such that one score matrix of a step stays within MAX_STEP_SCORES."""
    return max(1, min(batch, MAX_STEP_SCORES // (length * items)))


def fit(
    model: SequenceModel,
    sequences: Sequence[History],
    validate: Callable[[SequenceModel], float],
    settings: TrainSettings,
    *,
    weights: Sequence[NDArray[np.float32]] | None = None,
    labels: TeacherLabels | None = None,
    name: str = "train",
) -> list[Epoch]:
    """Train `model` in place and leave it at its best epoch.

    Args:
        model: The model; its trainable parameters are changed.
        sequences: Training sequences, from `training_windows`.
        validate: Validation NDCG@10 of the model as it stands.
        settings: See `TrainSettings`.
        weights: Weight of each event, in the shape of `sequences`; None weighs all alike. An event
            counts with its weight where it is the target of the hard-label loss.
        labels: Teacher scores of the same sequences, or None for hard labels alone.
        name: What the progress bar is called.

    Returns:
        The training curve, one entry per epoch run.

    Raises:
        ConfigError: There is no sequence to learn from, or the loss is no longer finite.
    """
    if not sequences:
        raise ConfigError("no user has two training events; there is nothing to learn from")
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    groups = model.parameter_groups(settings.learning_rate, settings.weight_decay)
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    warmup = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / WARMUP_STEPS)
    )
    examples = Examples(sequences, weights, labels)
    averaged = Averaged(model, settings.average)
    curve: list[Epoch] = []
    best, best_state = -1.0, _trained_state(model)
    for epoch in range(1, settings.epochs + 1):
        label = f"{name} {epoch}/{settings.epochs}"
        loss = _train_epoch(
            model,
            optimiser,
            warmup,
            examples,
            averaged=averaged,
            settings=settings,
            rng=rng,
            name=label,
        )
        if not np.isfinite(loss):
            raise ConfigError(
                f"{name}: the loss is {loss} after epoch {epoch}; lower learning_rate "
                f"(now {settings.learning_rate})"
            )
        with averaged.in_place():
            curve.append(Epoch(epoch, loss, validate(model)))
            if curve[-1].ndcg > best:
                best, best_state = curve[-1].ndcg, _trained_state(model)
        if epoch - max(curve, key=lambda e: (e.ndcg, -e.epoch)).epoch >= settings.patience:
            break
    model.load_state_dict(best_state, strict=False)
    return curve


class Averaged:
    """A running average of a model's trained weights.

    Small data makes the weights of one step noisy; their average ranks better, and its validation
    curve is smooth enough to stop by.
    """

    def __init__(self, model: SequenceModel, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.current = [p for p in model.parameters() if p.requires_grad and decay]
        self.mean = [p.detach().clone() for p in self.current]

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights of one more step into the average."""
        self.steps += 1
        # The first steps would otherwise remember the random start for long.
        share = max(1 - self.decay, 1 / (self.steps + 1))
        for mean, current in zip(self.mean, self.current, strict=True):
            mean.lerp_(current, share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model with its averaged weights, for as long as the context lasts."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for mean, current in zip(self.mean, self.current, strict=True):
            kept = current.clone()
            current.copy_(mean)
            mean.copy_(kept)


def _trained_state(model: SequenceModel) -> dict[str, Tensor]:
    """A copy of what training changes; a frozen LLM is not copied."""
    return {
        name: parameter.detach().clone()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
