"""How a run's student is made: from scratch, or from blocks of its teacher."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pocketrec_distill.models.llm_student import LlmStudent, prune_teacher
from pocketrec_distill.models.student import Student
from pocketrec_distill.models.teacher import Teacher
from pocketrec_distill.presets import LlmStudentSettings
from pocketrec_distill.training.alignment import Alignment

AnyStudent = Student | LlmStudent


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
