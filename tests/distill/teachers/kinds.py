"""One small teacher of every kind over one catalogue, for the suite that all of them pass."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from pocketrec_distill.llm import load_base_llm
from pocketrec_distill.llm.adapters import AdapterShape
from pocketrec_distill.models import SequenceScorer, TowerShape
from pocketrec_distill.models.base import SequenceModel
from pocketrec_distill.models.floors import ItemItem, ease, gram_matrix
from pocketrec_distill.models.sasrec import SasRec
from pocketrec_distill.models.student import Student
from pocketrec_distill.models.teacher import Teacher, TeacherShape
from pocketrec_distill.teachers import CandidateTeacher, CatalogueTeacher, Context, ScoreTable
from pocketrec_distill.teachers.classifier import Classifier
from pocketrec_distill.teachers.settings import ClassifierSettings, YesNoSettings
from pocketrec_distill.teachers.yes_no import YesNo

ITEM_IDS = ("007", "x,y", "漢字", "d", "e", "f", "g")
ITEMS = len(ITEM_IDS)
WINDOW, WIDTH = 5, 12

# Three users of different lengths; the second's history is longer than the window.
CONTEXTS = (
    Context(np.array([3, 1, 6], np.int32), "ann"),
    Context(np.array([5, 0, 2, 3, 4, 1], np.int32), "bob"),
    Context(np.array([2], np.int32), "cay", position=4),
)


class Kind(ABC):
    """How one kind of teacher is made, kept and found again."""

    #: Whether the same events in another order are another question.
    order_matters = True
    #: Whether it scores every item, or leaves some unknown.
    knows_all = True

    def __init__(self, llm_folder: Path, bert_folder: Path, folder: Path) -> None:
        self.llm_folder, self.bert_folder, self.folder = llm_folder, bert_folder, folder

    @abstractmethod
    def made(self) -> CandidateTeacher:
        """A teacher with an opinion; the same on each call."""

    @abstractmethod
    def save(self, teacher: CandidateTeacher, folder: Path) -> None:
        """Write it."""

    @abstractmethod
    def load(self, folder: Path) -> CandidateTeacher:
        """Read it."""


def states() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(ITEMS, 9)).astype(np.float32)


class _Sequence(Kind):
    def model(self) -> SequenceModel:
        raise NotImplementedError

    def made(self) -> CandidateTeacher:
        torch.manual_seed(5)
        model = self.model()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad and parameter.ndim > 1:
                    parameter.add_(torch.randn_like(parameter) * 0.3)
        return self.wrapped(model)

    def wrapped(self, model: SequenceModel) -> CandidateTeacher:
        return CatalogueTeacher(SequenceScorer(model, WINDOW), ITEMS)

    def save(self, teacher: CandidateTeacher, folder: Path) -> None:
        teacher.scorer.model.save(folder)

    def load(self, folder: Path) -> CandidateTeacher:
        torch.manual_seed(6)
        model = self.model()
        model.load(folder)
        return self.wrapped(model)


class SequenceLlm(_Sequence):
    def model(self) -> SequenceModel:
        llm = load_base_llm(str(self.llm_folder), "fp32")
        return Teacher(llm, ITEMS, WIDTH, states(), TeacherShape(AdapterShape(rank=2)))


class IdSasRec(_Sequence):
    def model(self) -> SequenceModel:
        return SasRec(ITEMS, WIDTH, 1, 2, WINDOW, dropout=0.5)


class TextSasRec(_Sequence):
    def model(self) -> SequenceModel:
        return Student(ITEMS, TowerShape(WIDTH, 1, 2, 2, 16), states(), dropout=0.5)


class Ease(Kind):
    """EASE as published: a set of items, in no order."""

    order_matters, decay = False, 1.0

    def made(self) -> CandidateTeacher:
        gram, dense = gram_matrix([c.history for c in CONTEXTS] * 2, ITEMS)
        return CatalogueTeacher(ease(gram, dense, ITEMS, 0.7, self.decay), ITEMS)

    def save(self, teacher: CandidateTeacher, folder: Path) -> None:
        np.save(folder / "weights.npy", teacher.scorer.weights)

    def load(self, folder: Path) -> CandidateTeacher:
        weights = np.load(folder / "weights.npy")
        return CatalogueTeacher(ItemItem(weights, np.arange(ITEMS), ITEMS, self.decay), ITEMS)


class RecencyEase(Ease):
    """EASE over events that fade."""

    order_matters, decay = True, 0.6


class Table(Kind):
    """A table that knows five items of Ann, three of Bob and two of Cay."""

    order_matters = False
    knows_all = False

    def made(self) -> CandidateTeacher:
        return ScoreTable.open(self._path(), ITEM_IDS)

    def _path(self) -> Path:
        path = self.folder / "scores.csv"
        rows = ["user_id,item_id,score"]
        for user, items in (("ann", range(5)), ("bob", (6, 1, 3)), ("cay", (5, 0))):
            for item in items:
                name = f'"{ITEM_IDS[item]}"'
                rows.append(f"{user},{name},{(len(user) + ord(user[0])) % 7 - item * 0.5}")
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return path

    def save(self, teacher: CandidateTeacher, folder: Path) -> None:
        """It is a file already."""
        assert isinstance(teacher, ScoreTable)
        (folder / "scores.csv").write_bytes(self._path().read_bytes())

    def load(self, folder: Path) -> CandidateTeacher:
        return ScoreTable.open(folder / "scores.csv", ITEM_IDS)


TEXTS = ("a star", "two red wars", "漢字", "the alert", "e", "five stars of war", "g!")
CLASSIFIER = ClassifierSettings(max_tokens=60, item_tokens=8, precision="fp32")


class PairClassifier(Kind):
    """A BERT of one block with a head of one label."""

    labels = 1

    def made(self) -> CandidateTeacher:
        from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

        torch.manual_seed(4)
        config = BertConfig(
            vocab_size=300,
            hidden_size=24,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=64,
            num_labels=self.labels,
            initializer_range=0.4,
        )
        tokenizer = AutoTokenizer.from_pretrained(self.bert_folder)
        model = BertForSequenceClassification(config)
        return Classifier(model, tokenizer, TEXTS, CLASSIFIER)

    def save(self, teacher: CandidateTeacher, folder: Path) -> None:
        teacher.save(folder)

    def load(self, folder: Path) -> CandidateTeacher:
        return Classifier.open(folder, TEXTS, CLASSIFIER)


class TwoLabelClassifier(PairClassifier):
    """The same with labels no and yes."""

    labels = 2


def yes_no_settings(llm_folder: Path) -> YesNoSettings:
    return YesNoSettings(
        base=str(llm_folder),
        prompt="U:{history}>{candidate}?",
        yes=("Yes", "Sure"),
        no=("No",),
        max_tokens=100,
        item_tokens=12,
        rank=2,
        precision="fp32",
    )


class YesOrNo(Kind):
    """A Llama of two blocks with LoRA updates that are not zero."""

    def made(self) -> CandidateTeacher:
        teacher = YesNo.untrained(TEXTS, yes_no_settings(self.llm_folder), seed=3)
        torch.manual_seed(9)
        with torch.no_grad():
            for parameter in teacher.trainable():
                parameter.copy_(torch.randn_like(parameter) * 0.3)
        return teacher

    def save(self, teacher: CandidateTeacher, folder: Path) -> None:
        teacher.save(folder)

    def load(self, folder: Path) -> CandidateTeacher:
        return YesNo.open(folder, TEXTS, yes_no_settings(self.llm_folder))


KINDS: Mapping[str, type[Kind]] = {
    "llm": SequenceLlm,
    "sasrec": IdSasRec,
    "text": TextSasRec,
    "ease": Ease,
    "recency-ease": RecencyEase,
    "table": Table,
    "classifier": PairClassifier,
    "classifier-2": TwoLabelClassifier,
    "yes-no": YesOrNo,
}
