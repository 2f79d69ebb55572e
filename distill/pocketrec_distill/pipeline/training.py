"""How each model of a run is trained: from its section of the settings to the loop's."""

from dataclasses import fields, replace
from typing import Any

from pocketrec_distill.presets import LlmStudentSettings
from pocketrec_distill.settings import (
    ControlSettings,
    DistillationSettings,
    StudentSettings,
    TeacherSettings,
)
from pocketrec_distill.training.settings import DEFAULT_CANDIDATES, TrainSettings

_NAMES = frozenset(field.name for field in fields(TrainSettings))


def _said(section: Any) -> dict[str, Any]:
    """What a section says of training: a setting of both has one name."""
    names = (field.name for field in fields(section) if field.name in _NAMES)
    return {name: getattr(section, name) for name in names}


def hard_label_training(control: ControlSettings, seed: int) -> TrainSettings:
    """How the control and SASRec are trained."""
    return TrainSettings(**_said(control), seed=seed)


def teacher_training(teacher: TeacherSettings, seed: int) -> TrainSettings:
    """How the LLM teacher is trained."""
    return TrainSettings(**_said(teacher), schedule="cosine", seed=seed)


def distillation_training(
    student: StudentSettings, distillation: DistillationSettings, seed: int
) -> TrainSettings:
    """How the student is trained, and what it takes from the teacher."""
    taken = {**_said(distillation), "candidates": distillation.candidates or DEFAULT_CANDIDATES}
    return TrainSettings(**_said(student), **taken, schedule="cosine", seed=seed)


def llm_student_training(training: TrainSettings, settings: LlmStudentSettings) -> TrainSettings:
    """The tiny student's training with the LLM student's own budget; weights are not averaged."""
    return replace(training, **_said(settings), average=0.0)
