"""The training loop: a loss at every position, early stopping on validation."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.models.base import History, SequenceModel
from pocketrec_distill.progress import progress
from pocketrec_distill.training.closure import Proposal
from pocketrec_distill.training.keeping import Kept
from pocketrec_distill.training.objective import Examples, Labels, batch_loss
from pocketrec_distill.training.parallel import ALONE, Group
from pocketrec_distill.training.settings import TrainSettings
from pocketrec_distill.training.windows import pass_sequences, sequences_holding, shuffled_batches

GRADIENT_NORM = 1.0
WARMUP_STEPS = 20
# Where a cosine schedule ends, as a share of the highest step size.
COSINE_END = 0.05
# Scores of one step, positions times items: 160 MB each for logits, softmax and gradients.
MAX_STEP_SCORES = 40_000_000


@dataclass(frozen=True)
class Epoch:
    """One pass over the data.

    Attributes:
        epoch: Its number, from 1.
        loss: Mean training loss.
        ndcg: Validation NDCG@10; 0 where nothing is validated.
        kept: Whether the model was left as it was after this pass.
    """

    epoch: int
    loss: float
    ndcg: float
    kept: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The form that stands in reports."""
        return asdict(self)


def _train_epoch(
    model: SequenceModel,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    examples: Examples,
    batches: list[NDArray[np.int64]],
    *,
    averaged: "Averaged",
    settings: TrainSettings,
    name: str,
    group: Group,
) -> float:
    """One pass over the batches; returns the mean loss."""
    model.train()
    losses = []
    for indices in progress(batches, label=name, unit="batch"):
        optimiser.zero_grad()
        loss = _shared_loss(group, model, examples, indices, settings)
        group.sum_gradients(model.parameters())
        nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_NORM)
        optimiser.step()
        model.after_step()
        schedule.step()
        averaged.update()
        losses.append(loss)
    return float(np.mean(losses))


def _shared_loss(
    group: Group,
    model: SequenceModel,
    examples: Examples,
    indices: NDArray[np.int64],
    settings: TrainSettings,
) -> float:
    """Loss of a batch; the gradient of this process's part of it is left in the parameters."""
    mine, part = group.share(indices, examples.target_counts(indices))
    total = torch.zeros(())
    if len(mine):
        loss = part * (batch_loss(model, examples, mine, settings) + model.penalty())
        loss.backward()  # type: ignore[no-untyped-call]
        total = loss.detach().cpu()
    group.add_up([total])
    return float(total)


@torch.no_grad()
def step_batch(model: SequenceModel, lengths: Sequence[int], settings: TrainSettings) -> int:
    """Sequences per step, within every limit."""
    batch = settings.batch
    if settings.positions:
        batch = min(batch, sequences_holding(lengths, settings.positions))
    columns = settings.step_columns(*model.item_vectors().shape)
    return affordable_batch(batch, max(lengths), columns)


def step_size(settings: TrainSettings, steps: int) -> Callable[[int], float]:
    """Share of the learning rate at each step from 0: a linear warm-up, then the schedule.

    Args:
        settings: See `TrainSettings.schedule`.
        steps: Steps of all epochs together.
    """

    def share(step: int) -> float:
        warm = min(1.0, (step + 1) / WARMUP_STEPS)
        if settings.schedule == "constant":
            return warm
        done = min(1.0, step / max(1, steps))
        return warm * (COSINE_END + (1 - COSINE_END) * 0.5 * (1 + math.cos(math.pi * done)))

    return share


def affordable_batch(batch: int, length: int, columns: int) -> int:
    """Sequences per step such that its widest matrix stays within MAX_STEP_SCORES."""
    return max(1, min(batch, MAX_STEP_SCORES // (length * columns)))


def fit(
    model: SequenceModel,
    sequences: Sequence[History],
    validate: Callable[[SequenceModel], NDArray[np.float64] | float] | None,
    settings: TrainSettings,
    *,
    weights: Sequence[NDArray[np.float32]] | None = None,
    labels: Labels | None = None,
    name: str = "train",
    group: Group = ALONE,
) -> list[Epoch]:
    """Train `model` in place and leave it at the pass that `Kept` says, or at the last one.

    Args:
        model: The model; its trainable parameters are changed.
        sequences: Training sequences, from `training_windows`.
        validate: Validation NDCG@10 of the model as it stands: of every query, or their mean. None
            makes all passes, and keeps the last.
        settings: See `TrainSettings`.
        weights: Weight of each event, in the shape of `sequences`; None weighs all alike. An event
            counts with its weight where it is the target of the hard-label loss.
        labels: Teacher scores of the same sequences, or None for hard labels alone.
        name: What the progress bar is called.
        group: The processes that train this model together, each with the same arguments.

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
    lengths = [len(sequence) for sequence in sequences]
    batch = step_batch(model, lengths, settings)
    passed = pass_sequences(lengths, settings.pass_positions)
    steps = settings.epochs * -(-passed // batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, step_size(settings, steps))
    if group.size > 1 and labels is not None:
        raise ConfigError(
            f"{name}: {group.size} processes share hard labels only, since a teacher's labels are "
            "weighed otherwise; train it in one process"
        )
    examples = Examples(sequences, weights, labels, _proposal(model, sequences, settings))
    averaged = Averaged(model, settings.average)
    curve: list[Epoch] = []
    kept = Kept(distilled=labels is not None, last=validate is None)
    kept_state = _trained_state(model)
    # Where steps grow smaller, the last ones mend what large ones spoiled.
    steady = settings.schedule == "constant"
    for epoch in range(1, settings.epochs + 1):
        loss = _train_epoch(
            model,
            optimiser,
            schedule,
            examples,
            list(shuffled_batches(lengths, batch, rng, passed)),
            averaged=averaged,
            settings=settings,
            name=f"{name} {epoch}/{settings.epochs}",
            group=group,
        )
        if not np.isfinite(loss):
            raise ConfigError(
                f"{name}: the loss is {loss} after epoch {epoch}; lower learning_rate "
                f"(now {settings.learning_rate})"
            )
        with averaged.in_place():
            gains = np.zeros(1) if validate is None else _validated(group, model, validate)
            curve.append(Epoch(epoch, loss, float(gains.mean())))
            if kept.takes(epoch, gains):
                kept_state = _trained_state(model)
        if epoch - kept.epoch >= settings.patience or (steady and kept.overfits):
            break
    model.load_state_dict(kept_state, strict=False)
    return [replace(row, kept=row.epoch == kept.epoch) for row in curve]


@torch.no_grad()
def _proposal(
    model: SequenceModel, sequences: Sequence[History], settings: TrainSettings
) -> Proposal | None:
    """Where negatives come from; None for a catalogue that every step scores whole."""
    items = len(model.item_vectors())
    if not settings.samples_catalogue(items):
        return None
    return Proposal.from_sequences(sequences, items).to(model.device)


def _validated(
    group: Group,
    model: SequenceModel,
    validate: Callable[[SequenceModel], NDArray[np.float64] | float],
) -> NDArray[np.float64]:
    """Validation by the leading process; all hear its mean, and stop at the same epoch."""
    gains = np.atleast_1d(validate(model) if group.leads else 0.0)
    if group.size == 1:
        return gains
    return np.array([group.from_leader(float(gains.mean()))])


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
