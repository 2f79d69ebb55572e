"""How each model of a run is trained: from its section of the settings to the loop's."""

from pocketrec_distill.settings import (
    ControlSettings,
    DistillationSettings,
    StudentSettings,
    TeacherSettings,
)
from pocketrec_distill.training.settings import DEFAULT_CANDIDATES, TrainSettings


def hard_label_training(control: ControlSettings, seed: int) -> TrainSettings:
    """How the control and SASRec are trained."""
    return TrainSettings(
        epochs=control.epochs,
        patience=control.patience,
        batch=control.batch,
        positions=control.positions,
        pass_positions=control.pass_positions,
        average=control.average,
        learning_rate=control.learning_rate,
        weight_decay=control.weight_decay,
        seed=seed,
    )


def teacher_training(teacher: TeacherSettings, seed: int) -> TrainSettings:
    """How the LLM teacher is trained."""
    return TrainSettings(
        epochs=teacher.epochs,
        patience=teacher.patience,
        batch=teacher.batch,
        pass_positions=teacher.pass_positions,
        learning_rate=teacher.learning_rate,
        schedule="cosine",
        seed=seed,
    )


def distillation_training(
    student: StudentSettings, distillation: DistillationSettings, seed: int
) -> TrainSettings:
    """How the student is trained, and what it takes from the teacher."""
    return TrainSettings(
        epochs=student.epochs,
        patience=student.patience,
        batch=student.batch,
        positions=student.positions,
        pass_positions=student.pass_positions,
        average=student.average,
        learning_rate=student.learning_rate,
        schedule="cosine",
        weight_decay=student.weight_decay,
        teacher_weight=distillation.teacher_weight,
        loss=distillation.loss,
        candidates=distillation.candidates or DEFAULT_CANDIDATES,
        own=distillation.own,
        samples=distillation.samples,
        seed=seed,
    )
