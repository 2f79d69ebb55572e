"""Labels of a few candidates: the right items, the right rest, the right position."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec_distill.errors import ConfigError
from pocketrec_distill.training import (
    SparseTeacherLabels,
    TeacherLabels,
    open_labels,
    sparse_labels,
)
from pocketrec_distill.training.sparse_labels import (
    SparseBatch,
    best_candidates,
    label,
    write_sparse_labels,
)

LENGTHS, ITEMS = (4, 2, 6, 3), 5
SEQUENCES = [np.array([s] * n, np.int32) for s, n in enumerate(LENGTHS)]


class Teacher:
    """Position t of sequence s scores item (s + t) mod 5 with 3, the one after with 2, others 0."""

    def scores(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        raise NotImplementedError

    def position_scores(self, sequences: Sequence[np.ndarray], newest: int) -> np.ndarray:
        best = np.array(
            [
                sequence[0] + position
                for sequence in sequences
                for position in range(max(0, len(sequence) - newest), len(sequence))
            ]
        )
        eye = np.eye(ITEMS, dtype=np.float32)
        return 3 * eye[best % ITEMS] + 2 * eye[(best + 1) % ITEMS]


def written(folder: Path, max_bytes: int = 1 << 20) -> SparseTeacherLabels:
    write_sparse_labels(Teacher(), SEQUENCES, ITEMS, folder, candidates=2, max_bytes=max_bytes)
    return SparseTeacherLabels.open(folder)


def test_best_candidates_by_hand() -> None:
    scores = np.log(np.array([[1, 8, 2, 4], [7, 1, 1, 3]], np.float32))
    items, logits, rest = best_candidates(scores, 2)
    assert items.tolist() == [[1, 3], [0, 3]]
    assert items.dtype == np.int32
    np.testing.assert_allclose(np.exp(logits.astype(np.float32)), [[8, 4], [7, 3]], rtol=2e-3)
    np.testing.assert_allclose(np.exp(rest), [3, 2], rtol=1e-5)


def test_scores_beyond_float16_stay_finite() -> None:
    _, logits, _ = best_candidates(np.array([[1e9, 2.0, 1.0]], np.float32), 2)
    assert logits.tolist() == [[65504.0, 2.0]]


@pytest.mark.parametrize("most", [1, 10, 1 << 20])
def test_every_position_has_its_own_candidates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(sparse_labels, "_MAX_SCORES", most)
    found = written(tmp_path)
    assert found.offsets.tolist() == [0, 3, 4, 9, 11]
    best = [(s + t) % ITEMS for s, n in enumerate(LENGTHS) for t in range(n - 1)]
    assert found.candidates.tolist() == [[b, (b + 1) % ITEMS] for b in best]
    assert found.logits.tolist() == [[3, 2]] * 11
    np.testing.assert_allclose(found.rest, np.log(3), rtol=1e-6)


def test_the_budget_counts_candidates(tmp_path: Path) -> None:
    # A position takes two candidates of 6 bytes and a rest of 4.
    assert written(tmp_path, max_bytes=16 * 7).offsets.tolist() == [0, 2, 3, 5, 7]


def test_a_mask_aligns_candidates_with_positions(tmp_path: Path) -> None:
    found = written(tmp_path, max_bytes=16 * 7)
    order = np.array([2, 1, 0])
    lengths = torch.tensor([n - 1 for n in LENGTHS])[order]
    mask, batch = found.batch(order, lengths)
    rows, columns = torch.nonzero(mask, as_tuple=True)
    assert batch.candidates[:, 0].tolist() == [
        (int(order[r]) + int(c)) % ITEMS for r, c in zip(rows, columns, strict=True)
    ]
    assert mask.sum(dim=1).tolist() == [2, 1, 2]
    assert batch.logits.dtype == torch.float32


def test_no_candidate_has_no_score() -> None:
    labels = SparseTeacherLabels(
        np.array([[4, -1]], np.int32),
        np.array([[1.5, 0.0]], np.float16),
        np.array([-np.inf], np.float32),
        np.array([0, 1]),
    )
    _, batch = labels.batch(np.array([0]), torch.tensor([3]))
    assert batch.candidates.tolist() == [[4, -1]]
    assert batch.logits.tolist() == [[1.5, -np.inf]]


def test_saved_and_opened_is_equal(tmp_path: Path) -> None:
    first = written(tmp_path)
    (tmp_path / "copy").mkdir()
    first.save(tmp_path / "copy")
    second = SparseTeacherLabels.open(tmp_path / "copy")
    for name in ("candidates", "logits", "rest", "offsets"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_the_kind_is_told_by_the_files(tmp_path: Path) -> None:
    for name, candidates in (("dense", 0), ("sparse", 2)):
        (tmp_path / name).mkdir()
        label(Teacher(), SEQUENCES, ITEMS, tmp_path / name, 1 << 20, candidates)
    assert isinstance(open_labels(tmp_path / "dense"), TeacherLabels)
    assert isinstance(open_labels(tmp_path / "sparse"), SparseTeacherLabels)


@pytest.mark.parametrize(
    ("candidates", "rest", "message"),
    [
        ((3, 2), (4,), "3 positions|for 4 positions"),
        ((4, 3), (4,), "logits"),
        ((4, 2), (3,), "rest"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    candidates: tuple[int, int], rest: tuple[int], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        SparseTeacherLabels(
            np.zeros(candidates, np.int32),
            np.zeros((4, 2), np.float16),
            np.zeros(rest, np.float32),
            np.array([0, 1, 4]),
        )


def test_candidates_left_out_join_the_rest() -> None:
    """Sums 8, 4 and 2 of three candidates, 3 of the rest: keeping one leaves 9."""
    logits = torch.tensor([[8.0, 4.0, 2.0], [5.0, 1.0, 0.0]]).log()
    batch = SparseBatch(
        torch.tensor([[7, 1, 2], [3, 0, -1]]), logits, torch.tensor([3.0, 0.0]).log()
    )
    first = batch.first(1)
    assert first.candidates.tolist() == [[7], [3]]
    torch.testing.assert_close(first.logits.exp(), torch.tensor([[8.0], [5.0]]))
    torch.testing.assert_close(first.rest.exp(), torch.tensor([9.0, 1.0]))
    assert batch.first(3) is batch
