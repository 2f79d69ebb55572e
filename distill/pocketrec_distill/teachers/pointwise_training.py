"""Fine-tuning a pointwise teacher with binary cross-entropy on pairs."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.progress import progress
from pocketrec_distill.teachers.examples import Examples
from pocketrec_distill.teachers.protocol import Candidates, Context
from pocketrec_distill.training.schedule import warmed_up

GRADIENT_NORM = 1.0


class PairModel(Protocol):
    """A model that scores pairs of a history and a candidate, and can be trained."""

    def pair_logits(self, contexts: Sequence[Context], items: Candidates) -> Tensor:
        """Logit of one item for each context, float32 (contexts,), differentiable."""
        ...

    def trainable(self) -> list[nn.Parameter]:
        """What training changes."""
        ...

    def set_training(self, mode: bool) -> None:
        """Dropout on or off."""
        ...


@dataclass(frozen=True)
class PairTraining:
    """How a pointwise teacher is trained.

    Attributes:
        epochs: Passes over the data.
        batch: Pairs per step.
        learning_rate: AdamW's step size after a warm-up; it falls to 0 in a line.
        seed: Of the order and of dropout.
    """

    epochs: int
    batch: int
    learning_rate: float
    seed: int = 0


@dataclass(frozen=True)
class PairEpoch:
    """One pass: its number from 1, pairs, and mean binary cross-entropy."""

    epoch: int
    pairs: int
    loss: float

    def as_dict(self) -> dict[str, float]:
        """The form that stands in reports."""
        return asdict(self)


def fit_pairs(
    model: PairModel,
    draw: Callable[[int], Examples],
    settings: PairTraining,
    name: str = "train",
) -> list[PairEpoch]:
    """Train a pointwise teacher in place.

    Args:
        model: The teacher.
        draw: The pairs of pass 1, 2 and so on; drawn anew, its negatives differ.
        settings: See `PairTraining`.
        name: What the progress bar is called.

    Raises:
        ConfigError: The loss is no longer finite.
    """
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    trained = model.trainable()
    optimiser = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=0.01)
    passes = [draw(epoch) for epoch in range(1, settings.epochs + 1)]
    steps = sum(-(-len(examples) // settings.batch) for examples in passes)
    schedule = warmed_up(optimiser, steps)
    curve: list[PairEpoch] = []
    model.set_training(True)
    for epoch, examples in enumerate(passes, start=1):
        order = rng.permutation(len(examples))
        losses: list[float] = []
        starts = range(0, len(order), settings.batch)
        for start in progress(starts, label=f"{name} {epoch}/{settings.epochs}", unit="batch"):
            rows: NDArray[np.int64] = order[start : start + settings.batch]
            pairs = examples.take(rows)
            found = model.pair_logits(pairs.contexts, pairs.candidates)
            labels = torch.from_numpy(pairs.labels).to(found.device)
            loss = functional.binary_cross_entropy_with_logits(found, labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(trained, GRADIENT_NORM)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        curve.append(PairEpoch(epoch, len(examples), float(np.mean(losses))))
        if not np.isfinite(curve[-1].loss):
            raise ConfigError(
                f"{name}: the loss is {curve[-1].loss} in epoch {epoch}; lower learning_rate "
                f"(now {settings.learning_rate})"
            )
    model.set_training(False)
    return curve
