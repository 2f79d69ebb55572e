"""A small teacher whose parts are real models with random weights: 5 items, window 4."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec_distill.models.base import SequenceScorer
from pocketrec_distill.models.blend import Blend, LogScores
from pocketrec_distill.models.floors import ItemItem
from pocketrec_distill.models.llama import TowerShape
from pocketrec_distill.models.llm_student import LlmStudent
from pocketrec_distill.models.nearest_known import NearestKnown
from pocketrec_distill.models.sasrec import SasRec
from pocketrec_distill.models.student import Student
from pocketrec_distill.models.trend import Biased
from pocketrec_distill.serving import TeacherContents, WeightedPart, write_teacher
from pocketrec_distill.serving.contents import GoldenScores
from pocketrec_distill.serving.export import sasrec_part, tower_part
from pocketrec_distill.serving.refiners import packed
from pocketrec_distill.teachers.classifier import Classifier
from pocketrec_distill.teachers.refine import Say
from pocketrec_distill.teachers.settings import ClassifierSettings, YesNoSettings
from pocketrec_distill.teachers.yes_no import YesNo
from pocketrec_runtime import Catalogue

ITEMS, WINDOW, FLOOR = 5, 4, 0.25
TEXTS = ("red ant", "blue bee", "cat", "red dog", "elk")
SAYS = {"classifier": Say(0.75, 2.0), "yes_no": Say(1.0, 1.5)}
CANDIDATES = 3
# Item 3 was never chosen, and is taken for the red ant.
NEAREST = NearestKnown.of(TEXTS, np.array([4, 2, 1, 0, 1]))
BIAS = np.array([0.5, -0.25, 0.0, 1.0, -1.5], np.float32)
WEIGHTS = {"teacher": 0.5, "control": 1.5, "sasrec": 0.6, "linear": 2.0, "log_linear": 0.75}


Tower = Student | LlmStudent | SasRec


def randomised(model: Tower) -> Tower:
    """Weights large enough that every part of the tower matters."""
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return model.eval()


@pytest.fixture(scope="session")
def towers() -> dict[str, Tower]:
    """The LLM's tower (grouped queries, projections), the control and SASRec."""
    torch.manual_seed(5)
    wide = TowerShape(width=24, blocks=3, heads=6, kv_heads=2, hidden=20)
    llm = LlmStudent(ITEMS, 8, wide, None, rope_theta=500.0, eps=1e-4)
    return {
        "teacher": randomised(llm),
        "control": randomised(Student(ITEMS, TowerShape(12, 2, 2, 2, 16), None)),
        "sasrec": randomised(SasRec(ITEMS, 10, 2, 5, WINDOW, dropout=0.3)),
    }


@pytest.fixture(scope="session")
def linear() -> ItemItem:
    """An item-item model over four of the five items."""
    rng = np.random.default_rng(1)
    return ItemItem(
        rng.normal(size=(4, 4)).astype(np.float32), np.array([0, 1, 3, 4]), ITEMS, decay=0.5
    )


@pytest.fixture(scope="session")
def blend(towers: dict[str, Tower], linear: ItemItem) -> Biased:
    """The pipeline's own blend of the same parts, and a trend."""
    parts = (
        *(SequenceScorer(tower, WINDOW, fill=NEAREST.fill) for tower in towers.values()),
        linear,
        LogScores(linear, FLOOR),
    )
    return Biased(Blend(parts, tuple(WEIGHTS.values())), BIAS)


@pytest.fixture(scope="session")
def contents(towers: dict[str, Tower], linear: ItemItem, blend: Biased) -> TeacherContents:
    """What a teacher folder of that blend holds."""
    parts = {
        name: sasrec_part(tower, NEAREST.fill)
        if isinstance(tower, SasRec)
        else tower_part(tower, NEAREST.fill)
        for name, tower in towers.items()
    }
    history = (3, 1, 0)
    scores = blend.scores([np.array(history, np.int32)])[0]
    return TeacherContents(
        catalogue=Catalogue(
            ids=["a", "b", "ç", "d", "e"],
            rows=parts["teacher"].tensors["items"].numpy(),
            scales=None,
            bias=BIAS,
            popularity=np.array([0.5, 0.25, 0.125, 0.125, 0.0], np.float32),
            columns={"title": ["Ant", None, "Çay", "Dog", "Elk"]},
        ),
        window=WINDOW,
        parts=tuple(
            WeightedPart(name, weight, FLOOR if name == "log_linear" else 0.0)
            for name, weight in WEIGHTS.items()
        ),
        towers=parts,
        linear=linear,
        golden=(GoldenScores(history, (0, 2, 4), scores[[0, 2, 4]]),),
        license="CC0",
        provenance={"base_llm": "made-up"},
    )


@pytest.fixture
def folder(contents: TeacherContents, tmp_path: Path) -> Path:
    """That teacher as a folder."""
    path = tmp_path / "t"
    write_teacher(path, contents)
    return path


@pytest.fixture(scope="session")
def classifier(bert_folder: Path) -> Classifier:
    settings = ClassifierSettings(
        base=str(bert_folder), max_tokens=40, item_tokens=12, precision="fp32"
    )
    return Classifier.untrained(TEXTS, settings, seed=2)


@pytest.fixture(scope="session")
def yes_no(llm_folder: Path) -> YesNo:
    """With updates that change what the base says."""
    settings = YesNoSettings(
        base=str(llm_folder),
        prompt="U:{history}>{candidate}?",
        yes=("Yes",),
        no=("No",),
        max_tokens=80,
        item_tokens=16,
        precision="fp32",
    )
    teacher = YesNo.untrained(TEXTS, settings, seed=2)
    torch.manual_seed(8)
    with torch.no_grad():
        for parameter in teacher.trainable():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return teacher


@pytest.fixture(scope="session")
def refined_contents(
    contents: TeacherContents, classifier: Classifier, yes_no: YesNo
) -> TeacherContents:
    questions = [((3, 1, 0), (2, 4)), ((1,), (0, 4))]
    parts = (
        packed(classifier, CANDIDATES, SAYS["classifier"], TEXTS, questions),
        packed(yes_no, CANDIDATES, SAYS["yes_no"], TEXTS, questions),
    )
    return replace(contents, refiners=parts, texts=TEXTS)


@pytest.fixture
def refined_folder(refined_contents: TeacherContents, tmp_path: Path) -> Path:
    write_teacher(tmp_path / "t", refined_contents)
    return tmp_path / "t"
