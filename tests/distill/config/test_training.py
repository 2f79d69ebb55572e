"""What the sections of the settings say of training is what a model is trained by."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from pocketrec_distill.pipeline.training import (
    distillation_training,
    hard_label_training,
    llm_student_training,
    teacher_training,
)
from pocketrec_distill.presets import LlmStudentSettings
from pocketrec_distill.settings import (
    ControlSettings,
    DistillationSettings,
    StudentSettings,
    TeacherSettings,
)
from pocketrec_distill.training import TrainSettings


def other(value: float) -> float:
    return value + 1 if isinstance(value, int) else value / 2


@pytest.mark.parametrize(
    ("section", "training"),
    [
        (ControlSettings(), lambda settings: hard_label_training(settings, 0)),
        (TeacherSettings(), lambda settings: teacher_training(settings, 0)),
        (
            StudentSettings(),
            lambda settings: distillation_training(settings, DistillationSettings(), 0),
        ),
        (LlmStudentSettings(), lambda settings: llm_student_training(TrainSettings(), settings)),
    ],
)
def test_every_setting_of_a_section_reaches_the_training(
    section: Any, training: Callable[[Any], TrainSettings]
) -> None:
    trained_by = {field.name for field in fields(TrainSettings)}
    shared = [field.name for field in fields(section) if field.name in trained_by]
    assert {"epochs", "patience", "batch", "pass_positions", "learning_rate"} <= {*shared}
    changed = {name: other(getattr(section, name)) for name in shared}
    found = training(replace(section, **changed))
    assert {name: getattr(found, name) for name in shared} == changed
