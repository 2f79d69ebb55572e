"""What every recommender offers: scores of the whole catalogue for a batch of histories."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

History = NDArray[np.int32]
Floats = NDArray[np.float32]

PADDING = -1

# Histories that a small tower reads at once.
BATCH = 128


class Scorer(Protocol):
    """Anything that ranks: floors, teachers, students, the blend, and the bundle itself."""

    def scores(self, histories: Sequence[History]) -> Floats:
        """Scores float32 (histories, items); each history is oldest first and not empty."""
        ...


class PositionScorer(Scorer, Protocol):
    """A scorer that can also label every position of a sequence at once: a teacher."""

    def position_scores(self, sequences: Sequence[History], newest: int) -> Floats:
        """Scores after each of the `newest` last events of each sequence.

        Returns:
            float32 (sum of min(len(sequence), newest), items), sequence by sequence.
        """
        ...


class Remembering:
    """A scorer that keeps its last answer.

    A blend asks its parts for what was just evaluated, and two parts may be made of one model.
    """

    def __init__(self, scorer: PositionScorer) -> None:
        self.scorer = scorer
        self._asked: tuple[Sequence[History], int] | None = None
        self._answer: Floats | None = None

    def scores(self, histories: Sequence[History]) -> Floats:
        """Scores of the wrapped scorer; the same list object again costs nothing."""
        return self._remembered(histories, 0, lambda: self.scorer.scores(histories))

    def position_scores(self, sequences: Sequence[History], newest: int) -> Floats:
        """As the wrapped scorer; the same list object again costs nothing."""
        return self._remembered(
            sequences, newest, lambda: self.scorer.position_scores(sequences, newest)
        )

    def _remembered(
        self, asked: Sequence[History], newest: int, answer: Callable[[], Floats]
    ) -> Floats:
        """The last answer, if it was to the same question; `newest` is 0 for `scores`."""
        same = self._asked is not None and self._asked[0] is asked and self._asked[1] == newest
        if self._answer is None or not same:
            self._answer = None  # two answers at once would take twice the memory
            self._asked, self._answer = (asked, newest), answer()
        return self._answer


class Unseen:
    """A scorer without what stands in the history already: that is never recommended."""

    def __init__(self, scorer: PositionScorer) -> None:
        self.scorer = scorer

    def scores(self, histories: Sequence[History]) -> Floats:
        """Scores of the wrapped scorer; -inf for items of the history."""
        scores = np.array(self.scorer.scores(histories))
        for row, history in zip(scores, histories, strict=True):
            row[history] = -np.inf
        return scores

    def position_scores(self, sequences: Sequence[History], newest: int) -> Floats:
        """The same after each of the `newest` last events of each sequence."""
        scores = np.array(self.scorer.position_scores(sequences, newest))
        row = 0
        for sequence in sequences:
            for end in range(max(0, len(sequence) - newest), len(sequence)):
                scores[row, sequence[: end + 1]] = -np.inf
                row += 1
        return scores


class SequenceModel(nn.Module):
    """A user tower over item vectors; score = <user vector, item vector>."""

    @abstractmethod
    def item_vectors(self) -> Tensor:
        """Vectors of the whole catalogue, float32 (items, width)."""

    @abstractmethod
    def forward(self, item_vectors: Tensor) -> Tensor:
        """User vectors after each event: (batch, length, width) -> (batch, length, width)."""

    def training_pass(self, item_vectors: Tensor, items: Tensor) -> tuple[Tensor, Tensor | None]:
        """User vectors, and what a model adds to the loss on its own account, if anything.

        Args:
            item_vectors: Of the events, (batch, length, width).
            items: The events, int64 (batch, length), PADDING where a history has ended.
        """
        del items  # some models need it
        return self(item_vectors), None

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.parameters()).device

    def save(self, folder: Path) -> None:
        """Write what was trained to `folder/model.safetensors`."""
        from safetensors.torch import save_file

        state = {name: value.contiguous() for name, value in self.state_dict().items()}
        save_file(state, folder / "model.safetensors")

    def load(self, folder: Path) -> None:
        """Read what `save` wrote into a model of the same shape."""
        from safetensors.torch import load_file

        self.load_state_dict(load_file(folder / "model.safetensors"))

    def penalty(self) -> Tensor | float:
        """What is added to the loss of a step."""
        return 0.0

    def after_step(self) -> None:
        """Called after each optimiser step, gradients still there."""

    def parameter_groups(
        self, learning_rate: float, weight_decay: float
    ) -> list[dict[str, object]]:
        """AdamW's parameter groups: matrices decay, norms and biases do not."""
        trained = [p for p in self.parameters() if p.requires_grad]
        return [
            {
                "params": [p for p in trained if p.ndim > 1],
                "lr": learning_rate,
                "weight_decay": weight_decay,
            },
            {
                "params": [p for p in trained if p.ndim <= 1],
                "lr": learning_rate,
                "weight_decay": 0.0,
            },
        ]


def pad(histories: Sequence[History]) -> Tensor:
    """Right-pad item indices to int64 (histories, longest), PADDING where a history has ended.

    Causal attention never looks right, so padding on the right needs no mask.
    """
    longest = max(map(len, histories))
    rows = np.full((len(histories), longest), PADDING, dtype=np.int64)
    for row, history in enumerate(histories):
        rows[row, : len(history)] = history
    return torch.from_numpy(rows)


Fill = Callable[[Tensor], Tensor]
"""Item vectors (items, width) before they are read and ranked -> those that are."""


def as_they_are(vectors: Tensor) -> Tensor:
    """The item vectors of a model, unchanged."""
    return vectors


class SequenceScorer:
    """Ranks with a sequence model: the user vector after the last event against every item.

    Args:
        model: The model.
        window: Newest events that it reads.
        batch: Histories that it reads at once.
        fill: What its item vectors (items, width) become, as inputs and as outputs.
    """

    def __init__(
        self,
        model: SequenceModel,
        window: int,
        batch: int = BATCH,
        fill: Fill = as_they_are,
    ) -> None:
        self.model, self.window, self.batch, self.fill = model, window, batch, fill
        self._kept_table: Tensor | None = None

    @torch.inference_mode()
    def scores(self, histories: Sequence[History]) -> Floats:
        """Scores float32 (histories, items) from the newest `window` events of each."""
        return self.position_scores([history[-self.window :] for history in histories], 1)

    @torch.inference_mode()
    def user_vectors(self, histories: Sequence[History]) -> Floats:
        """User vectors float32 (histories, width) of the newest `window` events of each."""
        newest = [history[-self.window :] for history in histories]
        users: Floats = self._user_vectors(newest, 1, self._table()).cpu().numpy()
        return users

    @torch.inference_mode()
    def recommend(self, history: History, k: int) -> NDArray[np.int64]:
        """The k best unseen items for one user, with item vectors kept from the call before."""
        if self._kept_table is None:
            self._kept_table = self._table()
        user = self._read([history[-self.window :]], 1, self._kept_table)
        scores: Floats = (user @ self._kept_table.T)[0].cpu().numpy()
        scores[history] = -np.inf
        k = min(k, len(scores))
        best = np.argpartition(-scores, k - 1)[:k]
        return best[np.argsort(-scores[best], kind="stable")]

    @torch.inference_mode()
    def position_scores(self, sequences: Sequence[History], newest: int) -> Floats:
        """Scores after each of the `newest` last events of each sequence, in one pass each."""
        table = self._table()
        scores: Floats = (self._user_vectors(sequences, newest, table) @ table.T).cpu().numpy()
        return scores

    def _user_vectors(self, sequences: Sequence[History], newest: int, table: Tensor) -> Tensor:
        """User vectors after each of the `newest` last events, float32 (events, width)."""
        lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        offsets = np.concatenate(([0], np.cumsum(np.minimum(lengths, newest))))
        users = torch.empty(int(offsets[-1]), table.shape[1], device=table.device)
        # Similar lengths share a batch, so that little of it is padding.
        order = np.argsort(lengths, kind="stable")
        for start in range(0, len(order), self.batch):
            rows = order[start : start + self.batch]
            places = np.concatenate([np.arange(offsets[r], offsets[r + 1]) for r in rows])
            found = self._read([sequences[row] for row in rows], newest, table)
            users[torch.from_numpy(places).to(table.device)] = found
        return users

    def _table(self) -> Tensor:
        self.model.eval()
        return self.fill(self.model.item_vectors())

    def _read(self, sequences: Sequence[History], newest: int, table: Tensor) -> Tensor:
        items = pad(sequences).to(table.device)
        users: Tensor = self.model(table[items.clamp_min(0)])
        places = torch.arange(items.shape[1], device=table.device)[None, :]
        lengths = (items != PADDING).sum(dim=1, keepdim=True)
        return users[(places < lengths) & (places >= lengths - newest)]
