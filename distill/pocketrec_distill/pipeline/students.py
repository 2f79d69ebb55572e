"""How a run's student is made: from scratch, or from blocks of its teacher."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.models.llm_student import LlmStudent, prune_teacher
from pocketrec_distill.models.student import Student
from pocketrec_distill.models.teacher import Teacher
from pocketrec_distill.presets import LlmStudentSettings
from pocketrec_distill.training.alignment import Alignment
from pocketrec_distill.training.settings import TrainSettings

AnyStudent = Student | LlmStudent


def llm_student_training(training: TrainSettings, settings: LlmStudentSettings) -> TrainSettings:
    """The tiny student's training with the LLM student's own budget; weights are not averaged."""
    return replace(
        training,
        epochs=settings.epochs,
        patience=settings.patience,
        batch=settings.batch,
        pass_positions=settings.pass_positions,
        learning_rate=settings.learning_rate,
        average=0.0,
    )


def llm_student_builder(
    teacher: Teacher, states: NDArray[np.float32], settings: LlmStudentSettings
) -> Callable[[], LlmStudent]:
    """Makes the untrained LLM student, its alignment to the teacher set."""

    def build() -> LlmStudent:
        student = prune_teacher(
            teacher,
            states,
            first=settings.first,
            last=settings.last,
            dropout=settings.dropout,
            kept_rate=settings.kept_rate,
        )
        if settings.alignment > 0:
            student.alignment = Alignment(teacher, settings.alignment)
        return student

    return build
