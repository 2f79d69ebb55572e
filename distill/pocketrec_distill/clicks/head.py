"""From a history to a user vector for clicks, and how its few weights are learned.

user vector = scale * (mean + mean @ metric) + taste, where mean is the mean item vector of the
history. The score of a candidate is <user vector, item vector> + bias: a metric between what was
read and what is shown, plus what everybody likes (taste), plus the base rate (bias). A metric of
zero is the encoder's own similarity, which small data can hardly improve on: the penalties say how
far training may leave it, and cross-validation chooses them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocketrec_distill.clicks.products import products
from pocketrec_distill.errors import ConfigError
from pocketrec_distill.training.losses.pointwise import pointwise_kd

Floats = NDArray[np.float32]

_STEPS = 60


@dataclass(frozen=True, eq=False)
class ClickRows:
    """Candidates of impressions, one after the other, with the mean of their reader's history.

    Attributes:
        means: Mean item vector of each impression's history, float32 (impressions, width); zero
            where nothing is known of it.
        candidates: Item vector of each candidate, float32 (rows, width).
        impression: The impression of each candidate, int64 (rows,), ascending from 0.
        labels: 1 where it was clicked, float32 (rows,).
    """

    means: Floats
    candidates: Floats
    impression: NDArray[np.int64]
    labels: Floats

    def take(self, impressions: NDArray[np.int64]) -> "ClickRows":
        """The rows of these impressions, in this order."""
        sizes = np.bincount(self.impression, minlength=len(self.means))
        starts = np.cumsum(sizes) - sizes
        parts = [np.arange(starts[i], starts[i] + sizes[i]) for i in impressions]
        rows = np.concatenate(parts) if parts else np.empty(0, np.int64)
        renamed = np.repeat(np.arange(len(impressions)), sizes[impressions])
        return ClickRows(self.means[impressions], self.candidates[rows], renamed, self.labels[rows])

    @property
    def both_labels(self) -> NDArray[np.bool_]:
        """Which impressions have a click and a non-click, (impressions,)."""
        shown = np.bincount(self.impression, minlength=len(self.means))
        clicked = np.bincount(self.impression, weights=self.labels, minlength=len(self.means))
        both: NDArray[np.bool_] = (clicked > 0) & (clicked < shown)
        return both


@dataclass(frozen=True)
class Penalties:
    """How far the head may leave the encoder's own similarity.

    Attributes:
        metric: Of the squared metric.
        taste: Of the squared taste.
    """

    metric: float
    taste: float


#: Chosen among by cross-validation, from "trust the encoder" to "learn what you can".
PENALTIES = tuple(Penalties(metric, taste) for metric in (1e6, 30.0, 3.0) for taste in (1e6, 30.0))


@dataclass(frozen=True, eq=False)
class ClickHead:
    """The learned weights; see the module for what they mean.

    Attributes:
        scale: A number.
        metric: float32 (width, width).
        taste: float32 (width,).
        bias: A number.
    """

    scale: float
    metric: Floats
    taste: Floats
    bias: float

    def user_vectors(self, means: Floats) -> Floats:
        """User vectors float32 (histories, width) of mean item vectors of the same shape."""
        turned = self.scale * (means + means @ self.metric) + self.taste
        vectors: Floats = turned.astype(np.float32)
        return vectors

    def scores(self, rows: ClickRows) -> Floats:
        """Score of each candidate, float32 (rows,)."""
        users = self.user_vectors(rows.means)[rows.impression]
        products = (users * rows.candidates).sum(axis=1)
        scores: Floats = (products + self.bias).astype(np.float32)
        return scores


def fit_head(
    rows: ClickRows,
    penalties: Penalties,
    *,
    teacher_scores: Floats | None = None,
    teacher_weight: float = 0.5,
) -> ClickHead:
    """The head of least loss (L-BFGS; the same data give the same head).

    Impressions with a click and a non-click count by the cross-entropy of their clicks among what
    was shown (Wu et al., NRMS, EMNLP 2019), and every candidate by `pointwise_kd`: binary
    cross-entropy to its click, and to the teacher's probability where there is a teacher.

    Args:
        rows: What was shown and clicked.
        penalties: See `Penalties`.
        teacher_scores: The teacher's score of each row, float32 (rows,).
        teacher_weight: Its share in the pointwise part.

    Raises:
        ConfigError: There is no row, or the loss is no longer finite.
    """
    if not len(rows.labels):
        raise ConfigError("no candidate to learn clicks from")
    width = rows.candidates.shape[1]
    means, candidates = torch.from_numpy(rows.means), torch.from_numpy(rows.candidates)
    labels, impression = torch.from_numpy(rows.labels), torch.from_numpy(rows.impression)
    teacher = None if teacher_scores is None else torch.from_numpy(teacher_scores)
    listwise = torch.from_numpy(rows.both_labels)[impression]
    metric, taste = torch.zeros(width, width), torch.zeros(width)
    rate = float(np.clip(rows.labels.mean(), 1e-3, 1 - 1e-3))
    scale, bias = torch.tensor(2.0), torch.tensor(float(np.log(rate / (1 - rate))))
    parameters = [metric, taste, scale, bias]
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimiser = torch.optim.LBFGS(parameters, max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        users = scale * (means + means @ metric) + taste
        scores = products(users, candidates, impression) + bias
        pointwise = pointwise_kd(scores, labels, teacher, teacher_weight=teacher_weight)
        total = pointwise * len(labels) + among_shown(scores, labels, impression, listwise)
        return total + penalties.metric * metric.pow(2).sum() + penalties.taste * taste.pow(2).sum()

    def step() -> float:
        optimiser.zero_grad()
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        return float(value.detach())

    optimiser.step(step)  # type: ignore[no-untyped-call]
    if not all(bool(torch.isfinite(parameter).all()) for parameter in parameters):
        raise ConfigError("the click head is no longer finite; check the item vectors")
    return ClickHead(
        float(scale.detach()),
        metric.detach().numpy(),
        taste.detach().numpy(),
        float(bias.detach()),
    )


def among_shown(scores: Tensor, labels: Tensor, impression: Tensor, counted: Tensor) -> Tensor:
    """Summed cross-entropy of the clicks among the candidates of their impression.

    Args:
        scores: float32 (rows,).
        labels: 1 where clicked, float32 (rows,).
        impression: Of each row, int64 (rows,).
        counted: Rows whose impression counts, bool (rows,).
    """
    count = int(impression.max()) + 1
    highest = torch.full((count,), -torch.inf).scatter_reduce(0, impression, scores, "amax")
    shifted = scores - highest.detach()[impression]
    total = torch.zeros(count).index_add(0, impression, shifted.exp())
    return -((shifted - total.log()[impression]) * labels)[counted].sum()


def folds_of(users: Sequence[str], folds: int) -> NDArray[np.int64]:
    """Fold of each impression; a user's impressions share one, folds are about equally large.

    Users go to folds in the order of their first impression, so that the folds of a log in time
    order are spans of it: what is held out holds items that the rest has not seen.

    Raises:
        ConfigError: There are fewer users than folds.
    """
    known = list(dict.fromkeys(users))
    if len(known) < folds:
        raise ConfigError(f"{len(known)} users cannot be cut into [clicks] folds = {folds} parts")
    place = {user: at * folds // len(known) for at, user in enumerate(known)}
    return np.array([place[user] for user in users], dtype=np.int64)
