"""Teacher labels: the row of a position is the row that was written for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec_distill.training import TeacherLabels, labels, write_labels
from pocketrec_distill.training.labels import label_counts, labelled_positions

# The first event of sequence s is s, so that a scorer can tell sequences apart.
LENGTHS = (4, 2, 6, 3)
SEQUENCES = [np.array([s] * n, np.int32) for s, n in enumerate(LENGTHS)]
ITEMS = 3


@dataclass
class Encoder:
    """Scores of position t of sequence s are [s, t, number of events seen by the last one]."""

    calls: list[int] = field(default_factory=list)

    def scores(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        raise NotImplementedError

    def position_scores(self, sequences: Sequence[np.ndarray], newest: int) -> np.ndarray:
        self.calls.append(len(sequences))
        return np.array(
            [
                [sequence[0], position, len(sequence)]
                for sequence in sequences
                for position in range(max(0, len(sequence) - newest), len(sequence))
            ],
            np.float32,
        )


def written(folder: Path, max_bytes: int = 1 << 20) -> TeacherLabels:
    write_labels(Encoder(), SEQUENCES, ITEMS, folder, max_bytes)
    return TeacherLabels.open(folder)


def test_every_position_but_the_last_event_is_labelled(tmp_path: Path) -> None:
    found = written(tmp_path)
    assert found.logits.dtype == np.float16
    assert found.offsets.tolist() == [0, 3, 4, 9, 11]
    expected = [[s, t, n - 1] for s, n in enumerate(LENGTHS) for t in range(n - 1)]
    assert found.logits.tolist() == expected


@pytest.mark.parametrize("batch", [1, 3, 32])
def test_batches_do_not_change_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(labels, "BATCH", batch)
    teacher = Encoder()
    write_labels(teacher, SEQUENCES, ITEMS, tmp_path, 1 << 20)
    assert teacher.calls == [batch] * (4 // batch) + [4 % batch] * bool(4 % batch)
    assert TeacherLabels.open(tmp_path).logits[:, 1].tolist() == [0, 1, 2, 0, 0, 1, 2, 3, 4, 0, 1]


# Rows of 6 bytes: 7 rows are the two newest positions of each sequence, 9 the three newest.
@pytest.mark.parametrize(("max_bytes", "newest"), [(1 << 20, 5), (42, 2), (53, 2), (54, 3)])
def test_a_mask_aligns_labels_with_positions(tmp_path: Path, max_bytes: int, newest: int) -> None:
    found = written(tmp_path, max_bytes)
    order = np.array([2, 1, 0])
    lengths = torch.tensor([n - 1 for n in LENGTHS])[order]
    mask, logits = found.batch(order, lengths)
    assert mask.shape == (3, 5)
    assert logits.dtype == torch.float32
    # What stands at (row, column) of a right-padded batch is sequence `order[row]` at `column`.
    rows, columns = torch.nonzero(mask, as_tuple=True)
    assert logits[:, 0].tolist() == order[rows].tolist()
    assert logits[:, 1].tolist() == columns.tolist()
    labelled = mask.sum(dim=1).tolist()
    assert labelled == [min(newest, 5), min(newest, 1), min(newest, 3)]


@pytest.mark.parametrize(
    ("max_bytes", "newest"),
    # Rows that fit: 0, 3, 4, 7, 9, 10, 11, many. Needed: 4 for one, 7 for two, 9 for three.
    [(1, 1), (18, 1), (24, 1), (41, 1), (42, 2), (53, 2), (54, 3), (60, 4), (66, 5), (999, 5)],
)
def test_the_budget_buys_the_newest_positions(max_bytes: int, newest: int) -> None:
    assert labelled_positions([3, 1, 5, 2], items=3, max_bytes=max_bytes) == newest


def test_nothing_is_labelled_twice_when_run_again(tmp_path: Path) -> None:
    written(tmp_path, max_bytes=42)
    assert written(tmp_path).offsets.tolist() == [0, 3, 4, 9, 11]


def test_a_budget_below_one_position_each_labels_sequences_spread_evenly(tmp_path: Path) -> None:
    one_row = 2 * ITEMS
    assert label_counts([3, 1, 5, 2], ITEMS, 2 * one_row).tolist() == [1, 0, 0, 1]
    assert label_counts([3, 1, 5, 2], ITEMS, 6 * one_row).tolist() == [1, 1, 1, 1]
    found = written(tmp_path, 2 * one_row)
    assert found.offsets.tolist() == [0, 1, 1, 1, 2]
    assert found.logits.tolist() == [[0, 2, 3], [3, 1, 2]]
    mask, logits = found.batch(np.array([1, 2]), torch.tensor([1, 5]))
    assert not mask.any()
    assert logits.shape == (0, ITEMS)


def test_scores_beyond_float16_stay_finite(tmp_path: Path) -> None:
    class Loud(Encoder):
        def position_scores(self, sequences: Sequence[np.ndarray], newest: int) -> np.ndarray:
            return super().position_scores(sequences, newest) * np.float32(1e9)

    write_labels(Loud(), SEQUENCES, ITEMS, tmp_path, 1 << 20)
    assert np.isfinite(TeacherLabels.open(tmp_path).logits).all()
