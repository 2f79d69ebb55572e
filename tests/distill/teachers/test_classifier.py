"""The sequence classifier: what is read as a logit, what is refused, what training does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec_distill.errors import SourceError
from pocketrec_distill.teachers import Context
from pocketrec_distill.teachers.classifier import Classifier
from pocketrec_distill.teachers.examples import Examples
from pocketrec_distill.teachers.pointwise_training import PairTraining, fit_pairs

from .kinds import CLASSIFIER, CONTEXTS, TEXTS, PairClassifier, TwoLabelClassifier

ONE = np.array([[2], [4], [6]], np.int32)


@torch.inference_mode()
def raw(teacher: Classifier, history: str, candidate: str) -> torch.Tensor:
    batch = teacher.tokenizer(history, candidate, return_tensors="pt")
    return teacher.model.eval()(**batch).logits[0]


def test_the_logit_is_the_models_for_the_pair_of_texts(folders: tuple[Path, Path, Path]) -> None:
    teacher = PairClassifier(*folders).made()
    found = teacher.candidate_logits(CONTEXTS[:1], ONE[:1])[0, 0]
    # Items are cut to eight tokens, here eight letters; events stand oldest first.
    expected = raw(teacher, "the alert;\ntwo red wa;\ng!", "漢字")
    np.testing.assert_allclose(found, float(expected[0]), atol=1e-5)
    two = TwoLabelClassifier(*folders).made()
    found = two.candidate_logits(CONTEXTS[:1], ONE[:1])[0, 0]
    no, yes = raw(two, "the alert;\ntwo red wa;\ng!", "漢字")
    np.testing.assert_allclose(found, float(yes - no), atol=1e-5)
    assert abs(found) > 1e-3


def test_a_long_history_loses_its_oldest_events(folders: tuple[Path, Path, Path]) -> None:
    teacher = PairClassifier(*folders).made()
    long = Context(np.array([1, 5, 1, 5, 1, 5, 0, 3], np.int32))
    other_start = Context(np.array([6, 6, 1, 5, 1, 5, 0, 3], np.int32))
    other_end = Context(np.array([1, 5, 1, 5, 1, 5, 0, 4], np.int32))
    logits = teacher.candidate_logits([long, other_start, other_end], ONE)[:, :1]
    same = teacher.candidate_logits([long, other_start, other_end], np.full((3, 1), 2, np.int32))
    assert logits.shape == (3, 1)
    assert same[0] == pytest.approx(same[1])
    assert abs(same[0] - same[2]) > 1e-3


def test_it_learns_which_pairs_belong_together(folders: tuple[Path, Path, Path]) -> None:
    teacher = PairClassifier(*folders).made()
    contexts = [Context(np.array([item], np.int32)) for item in (0, 0, 2, 2)]
    pairs = Examples(contexts, np.array([1, 3, 1, 3], np.int32), np.array([1, 0, 0, 1], np.float32))
    curve = fit_pairs(teacher, lambda _epoch: pairs, PairTraining(60, 4, 1e-2, seed=1))
    assert curve[-1].loss < 0.2
    assert curve[-1].loss < 0.5 * curve[0].loss
    assert [row.epoch for row in curve] == list(range(1, 61))
    logits = teacher.candidate_logits(contexts[::2], np.array([[1, 3], [1, 3]], np.int32))
    assert (logits * [[1, -1], [-1, 1]] > 1).all()


def test_a_folder_without_a_trained_head_is_no_teacher_but_a_base(
    tmp_path: Path, folders: tuple[Path, Path, Path]
) -> None:
    teacher = PairClassifier(*folders).made()
    folder = tmp_path / "base"
    teacher.model.bert.save_pretrained(folder)
    teacher.tokenizer.save_pretrained(folder)
    with pytest.raises(SourceError, match=r"has no tensor 'classifier\.bias'"):
        Classifier.open(folder, TEXTS, CLASSIFIER)
    settings = replace(CLASSIFIER, base=str(folder), checkpointing=True)
    fresh = Classifier.untrained(TEXTS, settings, seed=1)
    assert fresh.model.config.num_labels == 1
    assert fresh.model.is_gradient_checkpointing
    again = Classifier.untrained(TEXTS, settings, seed=1)
    np.testing.assert_array_equal(
        again.candidate_logits(CONTEXTS, ONE), fresh.candidate_logits(CONTEXTS, ONE)
    )


def test_what_is_no_classifier_is_refused(tmp_path: Path, folders: tuple[Path, Path, Path]) -> None:
    with pytest.raises(SourceError, match="no model folder at"):
        Classifier.open(tmp_path / "none", TEXTS, CLASSIFIER)
    folder = tmp_path / "three"

    class ThreeLabels(PairClassifier):
        labels = 1

    teacher = ThreeLabels(*folders).made()
    teacher.model.config.num_labels = 3
    teacher.model.classifier = torch.nn.Linear(24, 3)
    teacher.save(folder)
    with pytest.raises(SourceError, match="has 3 labels"):
        Classifier.open(folder, TEXTS, CLASSIFIER)


def test_pickled_weights_are_never_read(tmp_path: Path, folders: tuple[Path, Path, Path]) -> None:
    teacher = PairClassifier(*folders).made()
    folder = tmp_path / "pickled"
    teacher.save(folder)
    (folder / "model.safetensors").unlink()
    torch.save(teacher.model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(SourceError, match="cannot load a sequence classifier"):
        Classifier.open(folder, TEXTS, CLASSIFIER)


@pytest.mark.download
def test_the_real_encoder_learns_a_pair_from_text() -> None:
    """MiniLM after a few steps: a cook wants a cook's book, also one it was never shown."""
    texts = ("a pan", "a cookery book", "a drill", "a toolbox", "a frying spoon", "a hammer")
    settings = replace(CLASSIFIER, base="minilm", max_tokens=60, item_tokens=16)
    teacher = Classifier.untrained(texts, settings, seed=0)
    contexts = [Context(np.array([item], np.int32)) for item in (0, 0, 2, 2)]
    pairs = Examples(contexts, np.array([1, 3, 1, 3], np.int32), np.array([1, 0, 0, 1], np.float32))
    fit_pairs(teacher, lambda _epoch: pairs, PairTraining(25, 4, 2e-4, seed=0))
    logits = teacher.candidate_logits(contexts[::2], np.array([[4, 5], [4, 5]], np.int32))
    assert logits[0, 0] > logits[0, 1]
    assert logits[1, 1] > logits[1, 0]
